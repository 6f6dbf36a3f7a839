"""InitializeShareGroupState (key 83): initializes the state of share-partitions (KIP-932).

The share group's coordinator sends it; it is answered once the state is committed.
"""

from __future__ import annotations

from raftka.broker.coordinators.share.service import refused
from raftka.broker.request import Context, handles
from raftka.model.access import Cluster
from raftka.net.protocol.messages.initialize_share_group_state import (
    InitializeShareGroupStateRequest,
)
from raftka.net.router import Pending


@handles(
    InitializeShareGroupStateRequest,
    versions=(0, 0),
    access=Cluster.CLUSTER_ACTION,
    refusal=refused,
)
def initialize_share_group_state(
    context: Context, request: InitializeShareGroupStateRequest
) -> Pending:
    return context.node.share_states.initialize(request)
