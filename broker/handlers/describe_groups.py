"""DescribeGroups (key 15): the state, the members and their assignments of classic groups.

A group that does not exist, or has another type, is "Dead": without an error up to version 5, with
GROUP_ID_NOT_FOUND later.
"""

from __future__ import annotations

from raftka.broker.coordinators.group.group import GroupState
from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.describe_groups import (
    DescribedGroup,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)

_NOT_FOUND_IS_ERROR_FROM = 6


@handles(DescribeGroupsRequest, versions=(0, 6), access=PER_RESOURCE)
async def describe_groups(
    context: Context, request: DescribeGroupsRequest
) -> DescribeGroupsResponse:
    groups = []
    for group_id in request.groups:
        described = await _describe(context, group_id)
        if request.include_authorized_operations and described.error_code == ErrorCode.NONE:
            described.authorized_operations = context.operations(ResourceType.GROUP, group_id)
        groups.append(described)
    return DescribeGroupsResponse(groups=groups)


async def _describe(context: Context, group_id: str) -> DescribedGroup:
    node = context.node
    try:
        context.require(Operation.DESCRIBE, ResourceType.GROUP, group_id)
        return await node.groups.describe_group(group_id)
    except KafkaError as error:
        if error.code is not ErrorCode.GROUP_ID_NOT_FOUND:
            return DescribedGroup(
                group_id=group_id, error_code=error.code, error_message=error.message
            )
        dead = DescribedGroup(group_id=group_id, group_state=GroupState.DEAD.value)
        if context.api_version >= _NOT_FOUND_IS_ERROR_FROM:
            dead.error_code = error.code
            dead.error_message = error.message
        return dead
