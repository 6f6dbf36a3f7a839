"""ShareGroupDescribe (key 77): state, members and assignments of share groups (KIP-932).

A group that does not exist, or has another type, is answered GROUP_ID_NOT_FOUND.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.broker.share import requests
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.share_group_describe import (
    DescribedGroup,
    ShareGroupDescribeRequest,
    ShareGroupDescribeResponse,
)


def refusal(request: ShareGroupDescribeRequest, error: KafkaError) -> ShareGroupDescribeResponse:
    """Repeat an error of the whole request for each group that it names."""
    return ShareGroupDescribeResponse(
        groups=[_refused(group_id, error) for group_id in request.group_ids]
    )


@handles(ShareGroupDescribeRequest, versions=(1, 1), access=PER_RESOURCE, refusal=refusal)
async def share_group_describe(
    context: Context, request: ShareGroupDescribeRequest
) -> ShareGroupDescribeResponse:
    requests.check_version(context)
    groups = []
    for group_id in request.group_ids:
        try:
            described = await _describe(context, group_id)
            if request.include_authorized_operations:
                described.authorized_operations = context.operations(ResourceType.GROUP, group_id)
        except KafkaError as error:
            described = _refused(group_id, error)
        groups.append(described)
    return ShareGroupDescribeResponse(groups=groups)


async def _describe(context: Context, group_id: str) -> DescribedGroup:
    context.require(Operation.DESCRIBE, ResourceType.GROUP, group_id)
    described = await context.node.share_groups.describe(group_id)
    # A client that may not describe one of its topics may not describe the group, as in Apache
    # Kafka.
    names = {
        topic.topic_name for each in described.members for topic in each.assignment.topic_partitions
    }
    for name in sorted(names):
        if not context.may(Operation.DESCRIBE, ResourceType.TOPIC, name, quietly=True):
            raise KafkaError(
                ErrorCode.TOPIC_AUTHORIZATION_FAILED,
                "The group has described topic(s) that the client is not authorized to describe.",
            )
    return described


def _refused(group_id: str, error: KafkaError) -> DescribedGroup:
    return DescribedGroup(
        group_id=group_id, error_code=int(error.code), error_message=error.message
    )
