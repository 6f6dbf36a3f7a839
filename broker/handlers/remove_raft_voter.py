"""RemoveRaftVoter (key 81): makes a voter an observer, which can then be stopped (KIP-853)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from raftka.broker.controller.writer import not_controller
from raftka.broker.request import Context, handles
from raftka.kraft.raft.port import NotLeader
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.remove_raft_voter import (
    RemoveRaftVoterRequest,
    RemoveRaftVoterResponse,
)

if TYPE_CHECKING:
    from raftka.broker.node import Node


@handles(RemoveRaftVoterRequest, versions=(0, 0), access=Cluster.ALTER, forward=True)
async def handle_remove_raft_voter(
    context: Context, request: RemoveRaftVoterRequest
) -> RemoveRaftVoterResponse:
    node = context.node
    check_cluster(node, request.cluster_id)
    with voter_change():
        await node.quorum.remove_voter(request.voter_id, bytes(request.voter_directory_id))
    return RemoveRaftVoterResponse()


def check_cluster(node: Node, cluster_id: str | None) -> None:
    """Raise KafkaError INCONSISTENT_CLUSTER_ID if the request is meant for another cluster."""
    if cluster_id is not None and cluster_id != node.cluster_id:
        words = f"This is cluster {node.cluster_id}, not {cluster_id}."
        raise KafkaError(ErrorCode.INCONSISTENT_CLUSTER_ID, words)


@contextmanager
def voter_change() -> Iterator[None]:
    """Map the quorum's refusals to errors of the protocol."""
    try:
        yield
    except NotLeader as error:
        raise not_controller() from error
