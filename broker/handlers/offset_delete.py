"""OffsetDelete (key 47): deletes offsets of topics that a group does not subscribe to (KIP-496)."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)


@handles(OffsetDeleteRequest, versions=(0, 0), access=PER_RESOURCE)
async def offset_delete(context: Context, request: OffsetDeleteRequest) -> OffsetDeleteResponse:
    node = context.node
    context.require(Operation.DELETE, ResourceType.GROUP, request.group_id)
    allowed, denied = context.sort_out(
        Operation.READ, ResourceType.TOPIC, request.topics, lambda topic: topic.name
    )
    request.topics = allowed
    topics = await node.groups.delete_offsets(request)
    code = int(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    topics += [
        OffsetDeleteResponseTopic(
            name=topic.name,
            partitions=[
                OffsetDeleteResponsePartition(partition_index=each.partition_index, error_code=code)
                for each in topic.partitions
            ],
        )
        for topic in denied
    ]
    return OffsetDeleteResponse(topics=topics)
