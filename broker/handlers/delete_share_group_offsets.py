"""DeleteShareGroupOffsets (key 92): deletes topics of a share group without members (KIP-932)."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.broker.share import requests
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import ZERO_UUID
from raftka.net.protocol.messages.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse,
    DeleteShareGroupOffsetsResponseTopic,
)


@handles(DeleteShareGroupOffsetsRequest, versions=(0, 0), access=PER_RESOURCE)
async def delete_share_group_offsets(
    context: Context, request: DeleteShareGroupOffsetsRequest
) -> DeleteShareGroupOffsetsResponse:
    requests.check_version(context)
    context.require(Operation.DELETE, ResourceType.GROUP, request.group_id)
    image = context.node.image
    response = DeleteShareGroupOffsetsResponse()
    doomed: list[bytes] = []
    for topic in request.topics:
        found = image.topics.get(topic.topic_name)
        answered = DeleteShareGroupOffsetsResponseTopic(
            topic_name=topic.topic_name, topic_id=ZERO_UUID if found is None else found.topic_id
        )
        response.responses.append(answered)
        refusal = None
        if not context.may(Operation.READ, ResourceType.TOPIC, topic.topic_name):
            refusal = KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        elif found is None:
            refusal = KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        else:
            doomed.append(found.topic_id)
        if refusal is not None:
            answered.error_code, answered.error_message = int(refusal.code), refusal.message
    await context.node.share_groups.forget(request.group_id, doomed)
    return response
