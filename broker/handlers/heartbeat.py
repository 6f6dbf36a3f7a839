"""Heartbeat (key 12): extends a member's session; on REBALANCE_IN_PROGRESS it joins again."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse


@handles(HeartbeatRequest, versions=(0, 4), access=PER_RESOURCE)
def heartbeat(context: Context, request: HeartbeatRequest) -> HeartbeatResponse:
    node = context.node
    context.require(Operation.READ, ResourceType.GROUP, request.group_id)
    node.groups.heartbeat(request)
    return HeartbeatResponse()
