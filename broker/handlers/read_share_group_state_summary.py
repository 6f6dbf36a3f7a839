"""ReadShareGroupStateSummary (key 87): the start offsets of share-partitions (KIP-932).

For lags and offsets of share groups. Version 1 has the number of complete offsets (KIP-1226).
"""

from __future__ import annotations

from raftka.broker.coordinators.share.service import refused
from raftka.broker.request import Context, handles
from raftka.model.access import Cluster
from raftka.net.protocol.messages.read_share_group_state_summary import (
    ReadShareGroupStateSummaryRequest,
)
from raftka.net.router import Pending


@handles(
    ReadShareGroupStateSummaryRequest,
    versions=(0, 1),
    access=Cluster.CLUSTER_ACTION,
    refusal=refused,
)
def read_share_group_state_summary(
    context: Context, request: ReadShareGroupStateSummaryRequest
) -> Pending:
    return context.node.share_states.summarize(request)
