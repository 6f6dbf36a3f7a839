"""DeleteTopics (key 20): by name, from version 6 on also by id (KIP-516).

Version notes: 1-5 carry bare names; before 3 there is no TOPIC_DELETION_DISABLED.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.broker.request import Context, handles
from raftka.kraft.controller.topics import delete_topics
from raftka.kraft.image import TopicImage
from raftka.model.access import PER_RESOURCE
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)

if TYPE_CHECKING:
    pass

Wish = tuple[str | None, bytes]


@handles(DeleteTopicsRequest, versions=(1, 6), access=PER_RESOURCE, forward=True)
async def handle_delete_topics(
    context: Context, request: DeleteTopicsRequest
) -> DeleteTopicsResponse:
    node = context.node
    controller = node.controller
    wishes: list[Wish] = (
        [(each.name, each.topic_id) for each in request.topics]
        if context.api_version >= 6
        else [(name, bytes(16)) for name in request.topic_names]
    )
    outcomes: list[TopicImage | KafkaError]
    try:
        if not controller.config.flag("delete.topic.enable"):
            raise _disabled(context.api_version)
        outcomes = await controller.submit(
            lambda image: delete_topics(image, wishes), timeout_ms=request.timeout
        )
    except KafkaError as error:
        outcomes = [error for _ in wishes]
    return DeleteTopicsResponse(
        responses=[_result(wish, outcome) for wish, outcome in zip(wishes, outcomes, strict=True)]
    )


def _disabled(api_version: int) -> KafkaError:
    code = ErrorCode.TOPIC_DELETION_DISABLED if api_version >= 3 else ErrorCode.INVALID_REQUEST
    return KafkaError(code, "Topics cannot be deleted here: delete.topic.enable is false.")


def _result(wish: Wish, outcome: TopicImage | KafkaError) -> DeletableTopicResult:
    name, topic_id = wish
    if isinstance(outcome, KafkaError):
        return DeletableTopicResult(
            name=name,
            topic_id=topic_id,
            error_code=int(outcome.code),
            error_message=outcome.message,
        )
    return DeletableTopicResult(name=outcome.name, topic_id=outcome.topic_id)
