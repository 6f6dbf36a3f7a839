"""ReadShareGroupState (key 84): the state of share-partitions, for their leader (KIP-932).

It fences earlier leaders, so it may write a record, and is answered once that is committed.
"""

from __future__ import annotations

from raftka.broker.coordinators.share.service import refused
from raftka.broker.request import Context, handles
from raftka.model.access import Cluster
from raftka.net.protocol.messages.read_share_group_state import ReadShareGroupStateRequest
from raftka.net.router import Pending


@handles(
    ReadShareGroupStateRequest, versions=(0, 0), access=Cluster.CLUSTER_ACTION, refusal=refused
)
def read_share_group_state(context: Context, request: ReadShareGroupStateRequest) -> Pending:
    return context.node.share_states.read(request)
