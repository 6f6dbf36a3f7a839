"""Topics: create, delete, list, describe, add partitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from raftka.client.admin.calls import Calls
from raftka.client.admin.outcomes import checked, error_of
from raftka.client.given import names_in
from raftka.client.metadata import Broker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import ZERO_UUID
from raftka.net.protocol.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from raftka.net.protocol.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from raftka.net.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from raftka.net.protocol.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponsePartition,
    TopicRequest,
)
from raftka.net.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic to create: numbers of partitions and replicas (-1: the cluster's default), or, by
    partition, the brokers of its replicas, the preferred leader first."""

    name: str
    partitions: int = -1
    replication_factor: int = -1
    configs: Mapping[str, str | None] = field(default_factory=dict)
    assignments: Mapping[int, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreatedTopic:
    """A created topic. Partitions and replicas are -1 when the broker does not report them."""

    name: str
    id: bytes
    partitions: int
    replication_factor: int
    configs: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicListing:
    """A topic by name; `id` is 16 bytes."""

    name: str
    id: bytes
    internal: bool


@dataclass(frozen=True, slots=True)
class PartitionDescription:
    """One partition. `elr` and `last_known_elr` are None when the broker does not report them."""

    index: int
    leader: Broker | None
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    elr: tuple[int, ...] | None = None
    last_known_elr: tuple[int, ...] | None = None
    offline: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """A topic and its partitions in order; `id` is 16 bytes."""

    name: str
    id: bytes
    internal: bool
    partitions: tuple[PartitionDescription, ...]


async def create_topics(
    admin: Calls, topics: Iterable[NewTopic], *, validate_only: bool = False
) -> dict[str, CreatedTopic]:
    """Create topics, or only check that they could be. Raises SomeFailed."""
    request = CreateTopicsRequest(
        topics=[_creatable(topic) for topic in _new_topics(topics)],
        timeout=admin.timeout_ms,
        validate_only=validate_only,
    )
    answer = await admin.ask(request)
    outcomes: dict[str, CreatedTopic | KafkaError] = {}
    for item in answer.topics:
        outcomes[item.name] = error_of(item.error_code, item.error_message) or CreatedTopic(
            item.name,
            item.topic_id,
            item.num_partitions,
            item.replication_factor,
            {config.name: config.value for config in item.configs or ()},
        )
    return checked(outcomes)


def _new_topics(given: Iterable[NewTopic]) -> list[NewTopic]:
    """Raises TypeError for anything but NewTopic, such as a name."""
    found = list(given) if isinstance(given, Iterable) else [given]
    for each in found:
        if not isinstance(each, NewTopic):
            raise TypeError(f'topics are a list of NewTopic("name"), and this is {each!r}')
    return found


async def delete_topics(admin: Calls, names: Iterable[str]) -> None:
    """Delete topics by name. Raises SomeFailed."""
    listed = names_in(names, "topics")
    request = DeleteTopicsRequest(
        topic_names=listed,
        topics=[DeleteTopicState(name=name) for name in listed],
        timeout=admin.timeout_ms,
    )
    answer = await admin.ask(request)
    checked(
        {
            item.name or "": error_of(item.error_code, item.error_message)
            for item in answer.responses
        }
    )


async def delete_topics_by_id(admin: Calls, ids: Iterable[bytes]) -> None:
    """Delete topics by id (KIP-516). Raises SomeFailed."""
    request = DeleteTopicsRequest(
        topics=[DeleteTopicState(name=None, topic_id=each) for each in ids],
        timeout=admin.timeout_ms,
    )
    answer = await admin.ask(request)
    checked(
        {item.topic_id: error_of(item.error_code, item.error_message) for item in answer.responses}
    )


async def list_topics(admin: Calls, *, internal: bool = True) -> dict[str, TopicListing]:
    """All topics, in order of their names."""
    answer = await admin.ask(MetadataRequest(topics=None, allow_auto_topic_creation=False))
    found = {
        item.name: TopicListing(item.name, item.topic_id, item.is_internal)
        for item in answer.topics
        if item.name is not None and (internal or not item.is_internal)
    }
    return dict(sorted(found.items()))


async def describe_topics(admin: Calls, names: Iterable[str]) -> dict[str, TopicDescription]:
    """Partitions, leaders, replicas. Raises SomeFailed for topics that do not exist."""
    listed = sorted(set(names_in(names, "topics")))
    if not listed:
        return {}
    outcomes = await admin.retrying(lambda: _describe_by_pages(admin, listed))
    return checked(outcomes)


async def describe_topics_by_id(
    admin: Calls, ids: Iterable[bytes]
) -> dict[bytes, TopicDescription]:
    """The same for topics given by id. Raises SomeFailed."""
    listed = list(ids)
    answer = await admin.ask(
        MetadataRequest(
            topics=[MetadataRequestTopic(name=None, topic_id=each) for each in listed],
            allow_auto_topic_creation=False,
        )
    )
    names = {item.topic_id: item.name for item in answer.topics if item.name}
    missing = KafkaError(ErrorCode.UNKNOWN_TOPIC_ID, "This server does not host this topic ID.")
    described = await describe_topics(admin, names.values())
    return checked({each: described[names[each]] if each in names else missing for each in listed})


async def create_partitions(
    admin: Calls,
    counts: Mapping[str, int],
    *,
    assignments: Mapping[str, Sequence[Sequence[int]]] | None = None,
    validate_only: bool = False,
) -> None:
    """Increase the numbers of partitions. Raises SomeFailed."""
    placed = assignments or {}
    request = CreatePartitionsRequest(
        topics=[
            CreatePartitionsTopic(
                name=name,
                count=count,
                assignments=[
                    CreatePartitionsAssignment(broker_ids=list(brokers)) for brokers in placed[name]
                ]
                if name in placed
                else None,
            )
            for name, count in counts.items()
        ],
        timeout=admin.timeout_ms,
        validate_only=validate_only,
    )
    answer = await admin.ask(request)
    checked({item.name: error_of(item.error_code, item.error_message) for item in answer.results})


async def _describe_by_pages(
    admin: Calls, names: list[str]
) -> dict[str, TopicDescription | KafkaError]:
    channel = await admin.cluster.any_channel()
    await admin.know_brokers()
    if DescribeTopicPartitionsRequest.API_KEY not in channel.versions:
        return await _describe_by_metadata(admin, names)
    found: dict[str, TopicDescription | KafkaError] = {}
    cursor: Cursor | None = None
    while True:
        request = DescribeTopicPartitionsRequest(
            topics=[TopicRequest(name=name) for name in names],
            cursor=cursor,
        )
        answer = await admin.cluster.ask(channel, request)
        for item in answer.topics:
            name = item.name or ""
            error = error_of(item.error_code)
            if error is not None:
                found[name] = error
                continue
            before = found.get(name)
            earlier = before.partitions if isinstance(before, TopicDescription) else ()
            found[name] = TopicDescription(
                name,
                item.topic_id,
                item.is_internal,
                earlier + tuple(_partition(admin, part) for part in item.partitions),
            )
        cursor = answer.next_cursor
        if cursor is None:
            return found
        names = [name for name in names if name >= cursor.topic_name]


def _partition(
    admin: Calls, part: DescribeTopicPartitionsResponsePartition
) -> PartitionDescription:
    elr, last_known = part.eligible_leader_replicas, part.last_known_elr
    return PartitionDescription(
        part.partition_index,
        admin.cluster.view.brokers.get(part.leader_id),
        part.leader_epoch,
        tuple(part.replica_nodes),
        tuple(part.isr_nodes),
        None if elr is None else tuple(elr),
        None if last_known is None else tuple(last_known),
        tuple(part.offline_replicas),
    )


async def _describe_by_metadata(
    admin: Calls, names: Sequence[str]
) -> dict[str, TopicDescription | KafkaError]:
    await admin.layout_of(names)
    view = admin.cluster.view
    found: dict[str, TopicDescription | KafkaError] = {}
    for name in names:
        topic = view.topics.get(name)
        if topic is None:
            found[name] = KafkaError(ErrorCode(view.errors[name]))
            continue
        found[name] = TopicDescription(
            name,
            topic.id or ZERO_UUID,
            topic.internal,
            tuple(
                PartitionDescription(
                    part.index,
                    view.brokers.get(part.leader),
                    part.leader_epoch,
                    part.replicas,
                    part.isr,
                    offline=part.offline,
                )
                for part in topic.partitions.values()
            ),
        )
    return found


def _creatable(topic: NewTopic) -> CreatableTopic:
    placed = bool(topic.assignments)
    return CreatableTopic(
        name=topic.name,
        num_partitions=-1 if placed else topic.partitions,
        replication_factor=-1 if placed else topic.replication_factor,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=list(brokers))
            for index, brokers in sorted(topic.assignments.items())
        ],
        configs=[
            CreatableTopicConfig(name=name, value=value) for name, value in topic.configs.items()
        ],
    )
