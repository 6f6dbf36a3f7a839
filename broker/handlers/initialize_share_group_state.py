"""InitializeShareGroupState (key 83): begin the state of share-partitions (KIP-932).

Asked by the coordinator of the share group, and answered when the beginning is committed.
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
