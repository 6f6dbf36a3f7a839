"""WriteShareGroupState (key 85): the leader's changes of share-partitions (KIP-932).

Answered when they are committed. Version 1 counts the offsets whose delivery is complete
(KIP-1226).
"""

from __future__ import annotations

from raftka.broker.coordinators.share.service import refused
from raftka.broker.request import Context, handles
from raftka.model.access import Cluster
from raftka.net.protocol.messages.write_share_group_state import WriteShareGroupStateRequest
from raftka.net.router import Pending


@handles(
    WriteShareGroupStateRequest, versions=(0, 1), access=Cluster.CLUSTER_ACTION, refusal=refused
)
def write_share_group_state(context: Context, request: WriteShareGroupStateRequest) -> Pending:
    return context.node.share_states.write(request)
