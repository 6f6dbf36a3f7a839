"""DeleteTopics (key 20): by name, from version 6 on also by id (KIP-516).

Version notes: 1-5 carry bare names; before 3 there is no TOPIC_DELETION_DISABLED.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.topics import delete_topics
from raftka.kraft.image import TopicImage
from raftka.model.access import PER_RESOURCE
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import ZERO_UUID
from raftka.net.protocol.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)

Wish = tuple[str | None, bytes]


def refusal(request: DeleteTopicsRequest, error: KafkaError) -> DeleteTopicsResponse:
    """An error of the whole request, for each topic that it names."""
    return DeleteTopicsResponse(responses=[_result(wish, error) for wish in _wishes(request)])


@handles(DeleteTopicsRequest, versions=(1, 6), access=PER_RESOURCE, forward=True, refusal=refusal)
async def handle_delete_topics(
    context: Context, request: DeleteTopicsRequest
) -> DeleteTopicsResponse:
    node = context.node
    controller = node.controller
    if not controller.config.flag("delete.topic.enable"):
        raise _disabled(context.api_version)
    wishes = _wishes(request)
    outcomes = await controller.submit(
        lambda image: delete_topics(image, wishes), timeout_ms=request.timeout
    )
    return DeleteTopicsResponse(
        responses=[_result(wish, outcome) for wish, outcome in zip(wishes, outcomes, strict=True)]
    )


def _wishes(request: DeleteTopicsRequest) -> list[Wish]:
    """Names or ids from version 6 on, only names before it."""
    return [
        *((each.name, each.topic_id) for each in request.topics),
        *((name, ZERO_UUID) for name in request.topic_names),
    ]


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
