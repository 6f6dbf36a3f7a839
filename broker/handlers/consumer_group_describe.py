"""ConsumerGroupDescribe (key 69): state, members and assignments of consumer groups (KIP-848).

Version notes: 1 has the protocol of each member (KIP-1099).
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DescribedGroup,
)


@handles(ConsumerGroupDescribeRequest, versions=(0, 1), access=PER_RESOURCE)
async def consumer_group_describe(
    context: Context, request: ConsumerGroupDescribeRequest
) -> ConsumerGroupDescribeResponse:
    groups = []
    for group_id in request.group_ids:
        described = await _describe(context, group_id)
        if request.include_authorized_operations and described.error_code == ErrorCode.NONE:
            described.authorized_operations = context.operations(ResourceType.GROUP, group_id)
        groups.append(described)
    return ConsumerGroupDescribeResponse(groups=groups)


async def _describe(context: Context, group_id: str) -> DescribedGroup:
    try:
        context.require(Operation.DESCRIBE, ResourceType.GROUP, group_id)
        if not group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
        found = await context.node.groups.consumer.describe(group_id)
    except KafkaError as error:
        return DescribedGroup(group_id=group_id, error_code=error.code, error_message=error.message)
    topics = {topic for member in found.members for topic in member.subscribed_topic_names}
    for member in found.members:
        for assignment in (member.assignment, member.target_assignment):
            topics.update(each.topic_name for each in assignment.topic_partitions)
    if all(context.may(Operation.DESCRIBE, ResourceType.TOPIC, each) for each in sorted(topics)):
        return found
    return DescribedGroup(
        group_id=group_id,
        error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        error_message="The described group uses topics that the client is not authorized to"
        " describe.",
    )
