"""Where partitions are: leaders, reassignments, log directories, offsets."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from raftka.client.admin.calls import Calls
from raftka.client.admin.outcomes import checked, error_of, raise_for
from raftka.client.consumer.group_messages import by_topic
from raftka.client.consumer.offsets import OffsetAndTimestamp, list_offsets_for
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition
from raftka.net.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from raftka.net.protocol.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from raftka.net.protocol.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
)
from raftka.net.protocol.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from raftka.net.protocol.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)


class ElectionType(enum.IntEnum):
    """Elect the preferred replica, or any live one at the cost of records (KIP-460)."""

    PREFERRED = 0
    UNCLEAN = 1


@dataclass(frozen=True, slots=True)
class Reassignment:
    """A reassignment in progress: all replicas, those being added and those being removed."""

    replicas: tuple[int, ...]
    adding: tuple[int, ...]
    removing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CleanerInfo:
    """The state of a compacted topic's replica in its broker's log cleaner."""

    dirty_bytes: int
    """Bytes in closed segments that may be cleaned now."""
    blocked_bytes: int
    """Bytes in closed segments that may not be cleaned yet."""
    dirty_percent: int
    """The dirty share of the bytes to clean; min.cleanable.dirty.ratio is its threshold."""
    cleaned_to: int
    """The offset that the last cleaning reached; -1 before the first one."""
    last_run_ms: int
    """When the last cleaning ended, ms since 1970; -1 when none has since the broker started."""
    blocked_by: str
    """A sentence about what prevents a cleaning; empty when nothing does."""
    uncleanable: str
    """Why the cleaner has given up on the replica; empty while it has not."""


@dataclass(frozen=True, slots=True)
class ReplicaInfo:
    """A replica in a log directory: its size in bytes, and its lag in records."""

    size: int
    offset_lag: int
    is_future: bool
    cleaner: CleanerInfo | None = None
    """For a compacted topic, once checked by the broker's cleaner; only raftka brokers report it.
    """


@dataclass(frozen=True, slots=True)
class LogDirDescription:
    """One log directory; total and usable bytes are -1 when the broker does not report them."""

    path: str
    error: KafkaError | None
    replicas: Mapping[TopicPartition, ReplicaInfo]
    total_bytes: int = -1
    usable_bytes: int = -1
    is_cordoned: bool = False
    """Whether it gets no new replicas (KIP-1066)."""


def _cleaner(part: DescribeLogDirsPartition) -> CleanerInfo | None:
    for item in part.cleaner:
        return CleanerInfo(
            item.dirty_bytes,
            item.blocked_bytes,
            item.dirty_percent,
            item.cleaned_to,
            item.last_run,
            item.blocked_by,
            item.uncleanable,
        )
    return None


async def elect_leaders(
    admin: Calls, election: ElectionType, partitions: Iterable[TopicPartition] | None = None
) -> dict[TopicPartition, KafkaError | None]:
    """Hold elections in these partitions, or in all; returns the errors by partition."""
    wanted = (
        None
        if partitions is None
        else [
            TopicPartitions(topic=topic, partitions=indexes)
            for topic, indexes in by_topic(partitions).items()
        ]
    )
    answer = await admin.ask(
        ElectLeadersRequest(
            election_type=election, topic_partitions=wanted, timeout=admin.timeout_ms
        )
    )
    raise_for(answer.error_code)
    return {
        TopicPartition(item.topic, part.partition_id): error_of(part.error_code, part.error_message)
        for item in answer.replica_election_results
        for part in item.partition_result
    }


async def alter_partition_reassignments(
    admin: Calls,
    targets: Mapping[TopicPartition, Sequence[int] | None],
    *,
    keep_replication_factor: bool = False,
) -> None:
    """Move partitions to these brokers; None cancels a reassignment. Raises SomeFailed.

    With `keep_replication_factor` the controller refuses to change the number of replicas
    (KIP-860).
    """
    topics: dict[str, ReassignableTopic] = {}
    for target, replicas in targets.items():
        topic = topics.setdefault(
            target.topic,
            ReassignableTopic(name=target.topic, partitions=[]),
        )
        topic.partitions.append(
            ReassignablePartition(
                partition_index=target.partition,
                replicas=None if replicas is None else list(replicas),
            )
        )
    answer = await admin.ask(
        AlterPartitionReassignmentsRequest(
            timeout=admin.timeout_ms,
            topics=list(topics.values()),
            allow_replication_factor_change=not keep_replication_factor,
        )
    )
    raise_for(answer.error_code, answer.error_message)
    checked(
        {
            TopicPartition(item.name, part.partition_index): error_of(
                part.error_code, part.error_message
            )
            for item in answer.responses
            for part in item.partitions
        }
    )


async def list_partition_reassignments(
    admin: Calls, partitions: Iterable[TopicPartition] | None = None
) -> dict[TopicPartition, Reassignment]:
    """The reassignments in progress, of these partitions or of all."""
    wanted = (
        None
        if partitions is None
        else [
            ListPartitionReassignmentsTopics(name=topic, partition_indexes=indexes)
            for topic, indexes in by_topic(partitions).items()
        ]
    )
    answer = await admin.ask(
        ListPartitionReassignmentsRequest(timeout=admin.timeout_ms, topics=wanted)
    )
    raise_for(answer.error_code, answer.error_message)
    return {
        TopicPartition(item.name, part.partition_index): Reassignment(
            tuple(part.replicas), tuple(part.adding_replicas), tuple(part.removing_replicas)
        )
        for item in answer.topics
        for part in item.partitions
    }


async def alter_replica_log_dirs(
    admin: Calls, moves: Mapping[tuple[int, TopicPartition], str]
) -> dict[tuple[int, TopicPartition], KafkaError | None]:
    """Begin to move replicas to other log directories of their brokers (KIP-113). `moves`: by
    broker and partition, the path of the target directory. Returns the outcome of each request;
    describe_log_dirs shows the progress of moves.
    """
    by_broker: dict[int, dict[str, list[TopicPartition]]] = {}
    for (broker, target), path in moves.items():
        by_broker.setdefault(broker, {}).setdefault(path, []).append(target)
    outcomes: dict[tuple[int, TopicPartition], KafkaError | None] = {}
    for broker, directories in by_broker.items():
        request = AlterReplicaLogDirsRequest(
            dirs=[
                AlterReplicaLogDir(
                    path=path,
                    topics=[
                        AlterReplicaLogDirTopic(name=topic, partitions=indexes)
                        for topic, indexes in by_topic(targets).items()
                    ],
                )
                for path, targets in directories.items()
            ]
        )
        answer = await admin.ask_broker(broker, request)
        for topic in answer.results:
            for part in topic.partitions:
                target = TopicPartition(topic.topic_name, part.partition_index)
                outcomes[broker, target] = error_of(part.error_code)
    return outcomes


async def describe_log_dirs(
    admin: Calls,
    brokers: Iterable[int],
    partitions: Iterable[TopicPartition] | None = None,
) -> dict[int, list[LogDirDescription]]:
    """The log directories of brokers, and the replicas in them."""
    wanted = (
        None
        if partitions is None
        else [
            DescribableLogDirTopic(topic=topic, partitions=indexes)
            for topic, indexes in by_topic(partitions).items()
        ]
    )
    found: dict[int, list[LogDirDescription]] = {}
    for broker in brokers:
        answer = await admin.ask_broker(broker, DescribeLogDirsRequest(topics=wanted))
        raise_for(answer.error_code)
        found[broker] = [
            LogDirDescription(
                item.log_dir,
                error_of(item.error_code),
                {
                    TopicPartition(topic.name, part.partition_index): ReplicaInfo(
                        part.partition_size,
                        part.offset_lag,
                        part.is_future_key,
                        _cleaner(part),
                    )
                    for topic in item.topics
                    for part in topic.partitions
                },
                item.total_bytes,
                item.usable_bytes,
                item.is_cordoned,
            )
            for item in answer.results
        ]
    return found


async def list_offsets(
    admin: Calls, timestamps: Mapping[TopicPartition, int], *, committed_only: bool = False
) -> dict[TopicPartition, OffsetAndTimestamp]:
    """Offsets by timestamp; EARLIEST, LATEST, MAX_TIMESTAMP and others are special values.

    Raises SomeFailed; KafkaError UNSUPPORTED_VERSION, REQUEST_TIMED_OUT.
    """
    return checked(
        await list_offsets_for(
            admin.cluster, timestamps, admin.api_timeout_s, committed_only=committed_only
        )
    )
