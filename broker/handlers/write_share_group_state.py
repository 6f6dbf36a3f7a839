"""WriteShareGroupState (key 85): stores a leader's changes of share-partitions (KIP-932).

It is answered once they are committed. Version 1 has the number of complete offsets (KIP-1226).
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
