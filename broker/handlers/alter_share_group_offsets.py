"""AlterShareGroupOffsets (key 91): changes start offsets of a share group without members
(KIP-932). Their delivery state is reset."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.broker.share import requests
from raftka.broker.share.key import SharePartitionKey
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import ZERO_UUID
from raftka.net.protocol.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsResponse,
    AlterShareGroupOffsetsResponsePartition,
    AlterShareGroupOffsetsResponseTopic,
)


@handles(AlterShareGroupOffsetsRequest, versions=(0, 0), access=PER_RESOURCE)
async def alter_share_group_offsets(
    context: Context, request: AlterShareGroupOffsetsRequest
) -> AlterShareGroupOffsetsResponse:
    requests.check_version(context)
    group_id = request.group_id
    context.require(Operation.READ, ResourceType.GROUP, group_id)
    image = context.node.image
    response = AlterShareGroupOffsetsResponse()
    wanted: dict[SharePartitionKey, int] = {}
    for topic in request.topics:
        found = image.topics.get(topic.topic_name)
        answered = AlterShareGroupOffsetsResponseTopic(
            topic_name=topic.topic_name, topic_id=ZERO_UUID if found is None else found.topic_id
        )
        response.responses.append(answered)
        may = context.may(Operation.READ, ResourceType.TOPIC, topic.topic_name)
        for each in topic.partitions:
            part = AlterShareGroupOffsetsResponsePartition(partition_index=each.partition_index)
            answered.partitions.append(part)
            refusal = None
            if not may:
                refusal = KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
            elif found is None or found.partition(each.partition_index) is None:
                refusal = KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            else:
                key = SharePartitionKey(group_id, found.topic_id, each.partition_index)
                wanted[key] = each.start_offset
            if refusal is not None:
                part.error_code, part.error_message = int(refusal.code), refusal.message
    await context.node.share_groups.alter(group_id, wanted)
    return response
