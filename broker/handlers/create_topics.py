"""CreateTopics (key 19): creates topics with given or default partitions, replicas and settings.

Version notes: 5 answers with the settings of the new topics (KIP-525), 7 with topic ids. It is
answered when the topics are committed; as with Apache Kafka, brokers start to lead them a moment
later, and clients retry until then.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.topics import CreatedTopic, NewTopic, create_topics
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

_STRICT_FROM = 6
"""Clients of this version on know THROTTLING_QUOTA_EXCEEDED (KIP-599)."""


def refusal(request: CreateTopicsRequest, error: KafkaError) -> CreateTopicsResponse:
    """Repeat an error of the whole request for each topic that it names."""
    return CreateTopicsResponse(topics=[_refused(name, error) for name in _names(request)])


@handles(CreateTopicsRequest, versions=(2, 7), access=PER_RESOURCE, forward=True, refusal=refusal)
async def handle_create_topics(
    context: Context, request: CreateTopicsRequest
) -> CreateTopicsResponse:
    node = context.node
    controller = node.controller
    charge = controller.charge(context, strict=context.api_version >= _STRICT_FROM)
    wishes: list[NewTopic] = []
    refused: dict[str, CreatedTopic | KafkaError] = {}
    may_all = context.may_with_cluster(Operation.CREATE, quietly=True)
    for topic in request.topics:
        try:
            if not may_all and not context.may(Operation.CREATE, ResourceType.TOPIC, topic.name):
                words = "Authorization failed."
                raise KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED, words)
            wishes.append(_wish(topic))
        except KafkaError as error:
            refused[topic.name] = error
    outcomes = await controller.submit(
        lambda image: create_topics(
            image, controller.rules, controller.schema, controller.dice, wishes, charge
        ),
        timeout_ms=request.timeout,
        validate_only=request.validate_only,
    )
    outcomes = {**outcomes, **refused}
    return CreateTopicsResponse(
        throttle_time=charge.throttle_ms,
        topics=[_result(context, name, outcomes[name]) for name in _names(request)],
    )


def _names(request: CreateTopicsRequest) -> list[str]:
    """Without duplicates, in the order of the request."""
    return list(dict.fromkeys(topic.name for topic in request.topics))


def _wish(topic: CreatableTopic) -> NewTopic:
    assignments = {each.partition_index: tuple(each.broker_ids) for each in topic.assignments}
    if len(assignments) != len(topic.assignments):
        words = f"Topic '{topic.name}' has more than one assignment for the same partition."
        raise KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, words)
    return NewTopic(
        name=topic.name,
        num_partitions=topic.num_partitions,
        replication_factor=topic.replication_factor,
        assignments=assignments,
        configs={each.name: each.value for each in topic.configs},
    )


def _refused(name: str, error: KafkaError) -> CreatableTopicResult:
    return CreatableTopicResult(name=name, error_code=int(error.code), error_message=error.message)


def _result(
    context: Context, name: str, outcome: CreatedTopic | KafkaError
) -> CreatableTopicResult:
    if isinstance(outcome, KafkaError):
        return _refused(name, outcome)
    if not context.may(Operation.DESCRIBE_CONFIGS, ResourceType.TOPIC, name, quietly=True):
        return CreatableTopicResult(
            name=name,
            topic_id=outcome.topic_id,
            topic_config_error_code=int(ErrorCode.TOPIC_AUTHORIZATION_FAILED),
            num_partitions=-1,
            replication_factor=-1,
            configs=None,
        )
    controller = context.node.controller
    described = controller.schema.describe_topic(outcome.configs, controller.image)
    return CreatableTopicResult(
        name=name,
        topic_id=outcome.topic_id,
        num_partitions=outcome.num_partitions,
        replication_factor=outcome.replication_factor,
        configs=[
            CreatableTopicConfigs(
                name=each.name,
                value=each.value,
                read_only=each.read_only,
                config_source=int(each.source),
                is_sensitive=each.sensitive,
            )
            for each in described
        ],
    )
