"""DeleteShareGroupState (key 86): deletes the state of share-partitions (KIP-932).

The share group's coordinator sends it; it is answered once the deletion is committed.
"""

from __future__ import annotations

from raftka.broker.coordinators.share.service import refused
from raftka.broker.request import Context, handles
from raftka.model.access import Cluster
from raftka.net.protocol.messages.delete_share_group_state import DeleteShareGroupStateRequest
from raftka.net.router import Pending


@handles(
    DeleteShareGroupStateRequest, versions=(0, 0), access=Cluster.CLUSTER_ACTION, refusal=refused
)
def delete_share_group_state(context: Context, request: DeleteShareGroupStateRequest) -> Pending:
    return context.node.share_states.delete(request)
