"""LeaveGroup (key 13): removes members: one up to version 2, later many (KIP-345)."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.net.protocol.messages.leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberIdentity,
)

_MANY_FROM = 3


@handles(LeaveGroupRequest, versions=(0, 5), access=PER_RESOURCE)
async def leave_group(context: Context, request: LeaveGroupRequest) -> LeaveGroupResponse:
    node = context.node
    context.require(Operation.READ, ResourceType.GROUP, request.group_id)
    if context.api_version >= _MANY_FROM:
        answers = await node.groups.leave_group(request.group_id, request.members)
        return LeaveGroupResponse(members=answers)
    alone = MemberIdentity(member_id=request.member_id)
    (answer,) = await node.groups.leave_group(request.group_id, [alone])
    return LeaveGroupResponse(error_code=answer.error_code)
