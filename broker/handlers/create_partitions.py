"""CreatePartitions (key 37): adds partitions to topics (KIP-195). `count` is the new total."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.partitions import Growth, create_partitions
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)

_STRICT_FROM = 3
"""Clients of this version on know THROTTLING_QUOTA_EXCEEDED (KIP-599)."""


def refusal(request: CreatePartitionsRequest, error: KafkaError) -> CreatePartitionsResponse:
    """Repeat an error of the whole request for each topic that it names."""
    names = dict.fromkeys(topic.name for topic in request.topics)
    return CreatePartitionsResponse(results=[_result(name, error) for name in names])


@handles(
    CreatePartitionsRequest, versions=(0, 3), access=PER_RESOURCE, forward=True, refusal=refusal
)
async def handle_create_partitions(
    context: Context, request: CreatePartitionsRequest
) -> CreatePartitionsResponse:
    node = context.node
    controller = node.controller
    charge = controller.charge(context, strict=context.api_version >= _STRICT_FROM)
    allowed, denied = context.sort_out(
        Operation.ALTER, ResourceType.TOPIC, request.topics, lambda topic: topic.name
    )
    wishes = [_wish(topic) for topic in allowed]
    outcomes = await controller.submit(
        lambda image: create_partitions(image, controller.dice, wishes, charge),
        timeout_ms=request.timeout,
        validate_only=request.validate_only,
    )
    failure = KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    return CreatePartitionsResponse(
        throttle_time=charge.throttle_ms,
        results=[_result(name, outcome) for name, outcome in outcomes.items()]
        + [_result(name, failure) for name in dict.fromkeys(topic.name for topic in denied)],
    )


def _wish(topic: CreatePartitionsTopic) -> Growth:
    assignments = None
    if topic.assignments is not None:
        assignments = tuple(tuple(each.broker_ids) for each in topic.assignments)
    return Growth(topic.name, topic.count, assignments)


def _result(name: str, outcome: KafkaError | None) -> CreatePartitionsTopicResult:
    if outcome is None:
        return CreatePartitionsTopicResult(name=name, error_code=int(ErrorCode.NONE))
    return CreatePartitionsTopicResult(
        name=name, error_code=int(outcome.code), error_message=outcome.message
    )
