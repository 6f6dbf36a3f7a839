"""LeaveGroup (key 13): members go. Up to version 2 one, later many at once (KIP-345)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.net.protocol.messages.leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberIdentity,
)
from raftka.net.router import Context, handles

if TYPE_CHECKING:
    from raftka.broker.node import Node

_MANY_FROM = 3


@handles(LeaveGroupRequest, versions=(0, 5))
async def leave_group(context: Context, request: LeaveGroupRequest) -> LeaveGroupResponse:
    node: Node = context.node
    if context.api_version >= _MANY_FROM:
        answers = await node.groups.leave_group(request.group_id, request.members)
        return LeaveGroupResponse(members=answers)
    alone = MemberIdentity(member_id=request.member_id)
    (answer,) = await node.groups.leave_group(request.group_id, [alone])
    return LeaveGroupResponse(error_code=answer.error_code)
