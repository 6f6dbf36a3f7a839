"""AddRaftVoter (key 80): makes a controller that is an observer a voter (KIP-853)."""

from __future__ import annotations

from raftka.broker.handlers.remove_raft_voter import check_cluster, voter_change
from raftka.broker.request import Context, handles
from raftka.kraft.raft.port import VoterEndpoint
from raftka.model.access import Cluster
from raftka.net.protocol.messages.add_raft_voter import AddRaftVoterRequest, AddRaftVoterResponse


@handles(AddRaftVoterRequest, versions=(0, 1), access=Cluster.ALTER, forward=True)
async def handle_add_raft_voter(
    context: Context, request: AddRaftVoterRequest
) -> AddRaftVoterResponse:
    node = context.node
    check_cluster(node, request.cluster_id)
    endpoints = [VoterEndpoint(each.name, each.host, each.port) for each in request.listeners]
    with voter_change():
        await node.quorum.add_voter(request.voter_id, bytes(request.voter_directory_id), endpoints)
    return AddRaftVoterResponse()
