"""DeleteTopics (key 20): deletes topics by name, from version 6 on also by id (KIP-516).

Version notes: 1-5 carry bare names; before 3 there is no TOPIC_DELETION_DISABLED.
"""

from __future__ import annotations

from collections import Counter

from raftka.broker.request import Context, handles
from raftka.kraft.controller.topics import delete_topics
from raftka.kraft.image import MetadataImage, TopicImage
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import ZERO_UUID
from raftka.net.protocol.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)

Wish = tuple[str | None, bytes]


_STRICT_FROM = 5
"""Clients of this version on know THROTTLING_QUOTA_EXCEEDED (KIP-599)."""


def refusal(request: DeleteTopicsRequest, error: KafkaError) -> DeleteTopicsResponse:
    """Repeat an error of the whole request for each topic that it names."""
    return DeleteTopicsResponse(responses=[_result(wish, error) for wish in _wishes(request)])


@handles(DeleteTopicsRequest, versions=(1, 6), access=PER_RESOURCE, forward=True, refusal=refusal)
async def handle_delete_topics(
    context: Context, request: DeleteTopicsRequest
) -> DeleteTopicsResponse:
    node = context.node
    controller = node.controller
    charge = controller.charge(context, strict=context.api_version >= _STRICT_FROM)
    if not controller.config.flag("delete.topic.enable"):
        raise _disabled(context.api_version)
    permitted, denied = _permitted(context, controller.image, _wishes(request))
    refused, wishes = _sorted_out(controller.image, permitted)
    refused += denied
    outcomes = await controller.submit(
        lambda image: delete_topics(image, wishes, charge), timeout_ms=request.timeout
    )
    return DeleteTopicsResponse(
        throttle_time=charge.throttle_ms,
        responses=[_result(wish, error) for wish, error in refused]
        + [_result(wish, outcome) for wish, outcome in zip(wishes, outcomes, strict=True)],
    )


def _permitted(
    context: Context, image: MetadataImage, asked: list[Wish]
) -> tuple[list[Wish], list[tuple[Wish, KafkaError]]]:
    """(topics that the client may delete, topics that it may not).

    A topic that it may not describe does not exist for it: then the answer to an id has no name,
    and the answer to a name is the same whether the topic exists or not.
    """
    if context.may_with_cluster(Operation.DELETE, quietly=True):
        return asked, []
    permitted: list[Wish] = []
    denied: dict[Wish, KafkaError] = {}
    failure = KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    for wish in asked:
        name, topic_id = wish
        topic = image.topic_by_id(topic_id) if name is None else image.topics.get(name)
        found = name if topic is None else topic.name
        is_malformed = (name is None) == (topic_id == ZERO_UUID)
        if (
            is_malformed
            or found is None
            or context.may(Operation.DELETE, ResourceType.TOPIC, found)
        ):
            permitted.append(wish)
        elif not context.may(Operation.DESCRIBE, ResourceType.TOPIC, found, quietly=True):
            denied[wish] = failure
        elif topic is None:
            permitted.append(wish)  # Its answer will be that there is no such topic.
        else:
            denied[found, topic_id] = failure
    return permitted, list(denied.items())


def _sorted_out(
    image: MetadataImage, asked: list[Wish]
) -> tuple[list[tuple[Wish, KafkaError]], list[Wish]]:
    """(ambiguous topics, each once with its error; topics to look up).

    A topic that is named twice is not deleted.
    """
    refused: dict[Wish, str] = {}
    wishes: list[Wish] = []
    times = Counter(asked)
    for wish in times:
        name, topic_id = wish
        if name is not None and topic_id != ZERO_UUID:
            refused[wish] = "You may not specify both topic name and topic id."
        elif name is None and topic_id == ZERO_UUID:
            refused[wish] = "Neither topic name nor id were specified."
        elif times[wish] > 1:
            refused[wish] = f"Duplicate topic {'name' if name is not None else 'id'}."
        else:
            wishes.append(wish)
    for name, topic_id in times:
        topic = image.topic_by_id(topic_id)
        if name is None and topic is not None and (topic.name, ZERO_UUID) in wishes:
            wishes = [each for each in wishes if each[0] != topic.name and each[1] != topic_id]
            refused[topic.name, topic_id] = "The topic is named by its name and by its id."
    return [
        (wish, KafkaError(ErrorCode.INVALID_REQUEST, words)) for wish, words in refused.items()
    ], wishes


def _wishes(request: DeleteTopicsRequest) -> list[Wish]:
    """Names or ids from version 6 on, names before."""
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
