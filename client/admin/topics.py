"""Topics: create, delete, list, describe, grow, and cut at the start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from client.admin.base import AdminBase
from client.admin.outcomes import checked, error_of
from client.metadata import Broker
from model.errors import RETRIABLE, ErrorCode, KafkaError
from model.ids import ZERO_UUID, TopicPartition
from model.world import BrokenConnection
from net.protocol.messages import (
    create_partitions,
    create_topics,
    delete_records,
    delete_topics,
    describe_topic_partitions,
)
from net.protocol.messages.create_partitions import CreatePartitionsRequest
from net.protocol.messages.create_topics import CreateTopicsRequest
from net.protocol.messages.delete_records import DeleteRecordsRequest
from net.protocol.messages.delete_topics import DeleteTopicsRequest
from net.protocol.messages.describe_topic_partitions import DescribeTopicPartitionsRequest
from net.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic to be made: so many partitions and replicas (-1: the cluster's default), or, by
    partition, the brokers that hold it, the preferred leader first."""

    name: str
    partitions: int = -1
    replication_factor: int = -1
    configs: Mapping[str, str | None] = field(default_factory=dict)
    assignments: Mapping[int, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreatedTopic:
    """What was made. Partitions and replicas are -1 when the broker does not tell."""

    name: str
    id: bytes
    partitions: int
    replication_factor: int
    configs: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicListing:
    name: str
    id: bytes
    internal: bool


@dataclass(frozen=True, slots=True)
class PartitionDescription:
    """One partition. `elr` and `last_known_elr` are None when the broker does not tell."""

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
    name: str
    id: bytes
    internal: bool
    partitions: tuple[PartitionDescription, ...]


class TopicOperations(AdminBase):
    """See the module."""

    async def create_topics(
        self, topics: Iterable[NewTopic], *, validate_only: bool = False
    ) -> dict[str, CreatedTopic]:
        """Make topics, or only check that they could be. Raises SomeFailed."""
        request = CreateTopicsRequest(
            topics=[_creatable(topic) for topic in topics],
            timeout=self._timeout_ms,
            validate_only=validate_only,
        )
        answer = await self._ask(request)
        outcomes: dict[str, CreatedTopic | KafkaError] = {}
        for told in answer.topics:
            outcomes[told.name] = error_of(told.error_code, told.error_message) or CreatedTopic(
                told.name,
                told.topic_id,
                told.num_partitions,
                told.replication_factor,
                {config.name: config.value for config in told.configs or ()},
            )
        return checked(outcomes)

    async def delete_topics(self, names: Iterable[str]) -> None:
        """Delete topics by name. Raises SomeFailed."""
        listed = list(names)
        request = DeleteTopicsRequest(
            topic_names=listed,
            topics=[delete_topics.DeleteTopicState(name=name) for name in listed],
            timeout=self._timeout_ms,
        )
        answer = await self._ask(request)
        checked(
            {
                told.name or "": error_of(told.error_code, told.error_message)
                for told in answer.responses
            }
        )

    async def delete_topics_by_id(self, ids: Iterable[bytes]) -> None:
        """Delete topics by id (KIP-516). Raises SomeFailed."""
        request = DeleteTopicsRequest(
            topics=[delete_topics.DeleteTopicState(name=None, topic_id=each) for each in ids],
            timeout=self._timeout_ms,
        )
        answer = await self._ask(request)
        checked(
            {
                told.topic_id: error_of(told.error_code, told.error_message)
                for told in answer.responses
            }
        )

    async def list_topics(self, *, internal: bool = True) -> dict[str, TopicListing]:
        """All topics, in order of their names."""
        answer = await self._ask(MetadataRequest(topics=None, allow_auto_topic_creation=False))
        found = {
            told.name: TopicListing(told.name, told.topic_id, told.is_internal)
            for told in answer.topics
            if told.name is not None and (internal or not told.is_internal)
        }
        return dict(sorted(found.items()))

    async def describe_topics(self, names: Iterable[str]) -> dict[str, TopicDescription]:
        """Partitions, leaders, replicas. Raises SomeFailed for topics that are not there."""
        listed = sorted(set(names))
        if not listed:
            return {}
        outcomes = await self._retrying(lambda: self._describe_by_pages(listed))
        return checked(outcomes)

    async def describe_topics_by_id(self, ids: Iterable[bytes]) -> dict[bytes, TopicDescription]:
        """The same for topics named by id. Raises SomeFailed."""
        listed = list(ids)
        answer = await self._ask(
            MetadataRequest(
                topics=[MetadataRequestTopic(name=None, topic_id=each) for each in listed],
                allow_auto_topic_creation=False,
            )
        )
        names = {told.topic_id: told.name for told in answer.topics if told.name}
        missing = KafkaError(ErrorCode.UNKNOWN_TOPIC_ID, "This server does not host this topic ID.")
        described = await self.describe_topics(names.values())
        return checked(
            {each: described[names[each]] if each in names else missing for each in listed}
        )

    async def create_partitions(
        self,
        counts: Mapping[str, int],
        *,
        assignments: Mapping[str, Sequence[Sequence[int]]] | None = None,
        validate_only: bool = False,
    ) -> None:
        """Let topics grow to so many partitions. Raises SomeFailed."""
        placed = assignments or {}
        request = CreatePartitionsRequest(
            topics=[
                create_partitions.CreatePartitionsTopic(
                    name=name,
                    count=count,
                    assignments=[
                        create_partitions.CreatePartitionsAssignment(broker_ids=list(brokers))
                        for brokers in placed[name]
                    ]
                    if name in placed
                    else None,
                )
                for name, count in counts.items()
            ],
            timeout=self._timeout_ms,
            validate_only=validate_only,
        )
        answer = await self._ask(request)
        checked(
            {told.name: error_of(told.error_code, told.error_message) for told in answer.results}
        )

    async def delete_records(
        self, offsets: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """Delete what is below each offset (-1: all that is committed); the new starts.

        Raises SomeFailed.
        """
        outcomes: dict[TopicPartition, int | KafkaError] = {}
        remaining = dict(offsets)
        topics = sorted({target.topic for target in offsets})

        async def attempt() -> None:
            await self._layout_of(topics)
            for target in list(remaining):
                if self._cluster.view.partition(*target) is None:
                    outcomes[target] = KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
                    del remaining[target]
            for node, targets in self._by_leader(remaining).items():
                await self._delete_records_on(node, targets, outcomes, remaining)

        await self._retrying(attempt)
        return checked({target: outcomes[target] for target in offsets})

    # How it is done

    async def _layout_of(self, topics: Sequence[str]) -> None:
        """Have the view hold these topics, as of now."""
        self._cluster.follow(topics, allow_creation=False)
        version = self._cluster.view.version
        while True:
            await self._cluster.refreshed(version)
            view = self._cluster.view
            if all(name in view.topics or name in view.errors for name in topics):
                return
            if self._cluster.last_error is not None:
                raise self._cluster.last_error
            version = view.version

    def _by_leader(
        self, values: Mapping[TopicPartition, int]
    ) -> dict[int, dict[TopicPartition, int]]:
        found: dict[int, dict[TopicPartition, int]] = {}
        for target, value in values.items():
            leader = self._cluster.view.leader(*target)
            if leader is None:
                raise KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, f"{target} has no leader")
            found.setdefault(leader.id, {})[target] = value
        return found

    async def _delete_records_on(
        self,
        node: int,
        targets: Mapping[TopicPartition, int],
        outcomes: dict[TopicPartition, int | KafkaError],
        remaining: dict[TopicPartition, int],
    ) -> None:
        topics: dict[str, delete_records.DeleteRecordsTopic] = {}
        for target, offset in targets.items():
            topic = topics.setdefault(
                target.topic, delete_records.DeleteRecordsTopic(name=target.topic, partitions=[])
            )
            topic.partitions.append(
                delete_records.DeleteRecordsPartition(
                    partition_index=target.partition, offset=offset
                )
            )
        channel = await self._cluster.channel_to(node)
        answer = await self._cluster.ask(
            channel,
            DeleteRecordsRequest(topics=list(topics.values()), timeout=self._timeout_ms),
        )
        passing: KafkaError | None = None
        for told in answer.topics:
            for part in told.partitions:
                target = TopicPartition(told.name, part.partition_index)
                error = error_of(part.error_code)
                if error is not None and error.code in RETRIABLE:
                    passing = error
                    continue
                outcomes[target] = error or part.low_watermark
                del remaining[target]
        if passing is not None:
            raise BrokenConnection(str(passing))

    async def _describe_by_pages(
        self, names: list[str]
    ) -> dict[str, TopicDescription | KafkaError]:
        channel = await self._cluster.any_channel()
        await self._know_brokers()
        if DescribeTopicPartitionsRequest.API_KEY not in channel.versions:
            return await self._describe_by_metadata(names)
        found: dict[str, TopicDescription | KafkaError] = {}
        cursor: describe_topic_partitions.Cursor | None = None
        while True:
            request = DescribeTopicPartitionsRequest(
                topics=[describe_topic_partitions.TopicRequest(name=name) for name in names],
                cursor=cursor,
            )
            answer = await self._cluster.ask(channel, request)
            for told in answer.topics:
                name = told.name or ""
                error = error_of(told.error_code)
                if error is not None:
                    found[name] = error
                    continue
                before = found.get(name)
                earlier = before.partitions if isinstance(before, TopicDescription) else ()
                found[name] = TopicDescription(
                    name,
                    told.topic_id,
                    told.is_internal,
                    earlier + tuple(self._partition(part) for part in told.partitions),
                )
            cursor = answer.next_cursor
            if cursor is None:
                return found
            names = [name for name in names if name >= cursor.topic_name]

    def _partition(
        self, part: describe_topic_partitions.DescribeTopicPartitionsResponsePartition
    ) -> PartitionDescription:
        elr, last_known = part.eligible_leader_replicas, part.last_known_elr
        return PartitionDescription(
            part.partition_index,
            self._cluster.view.brokers.get(part.leader_id),
            part.leader_epoch,
            tuple(part.replica_nodes),
            tuple(part.isr_nodes),
            None if elr is None else tuple(elr),
            None if last_known is None else tuple(last_known),
            tuple(part.offline_replicas),
        )

    async def _describe_by_metadata(
        self, names: Sequence[str]
    ) -> dict[str, TopicDescription | KafkaError]:
        await self._layout_of(names)
        view = self._cluster.view
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


def _creatable(topic: NewTopic) -> create_topics.CreatableTopic:
    placed = bool(topic.assignments)
    return create_topics.CreatableTopic(
        name=topic.name,
        num_partitions=-1 if placed else topic.partitions,
        replication_factor=-1 if placed else topic.replication_factor,
        assignments=[
            create_topics.CreatableReplicaAssignment(
                partition_index=index, broker_ids=list(brokers)
            )
            for index, brokers in sorted(topic.assignments.items())
        ],
        configs=[
            create_topics.CreatableTopicConfig(name=name, value=value)
            for name, value in topic.configs.items()
        ],
    )
