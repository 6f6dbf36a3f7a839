"""Where partitions are: leaders, reassignments, log directories, offsets."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from raftka.client.admin.base import AdminBase
from raftka.client.admin.outcomes import checked, error_of, raise_for
from raftka.client.consumer.group_messages import by_topic
from raftka.client.consumer.offsets import OffsetAndTimestamp, list_offsets_for
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition
from raftka.net.protocol.messages import (
    alter_partition_reassignments,
    alter_replica_log_dirs,
    describe_log_dirs,
    elect_leaders,
    list_partition_reassignments,
)
from raftka.net.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
)
from raftka.net.protocol.messages.alter_replica_log_dirs import AlterReplicaLogDirsRequest
from raftka.net.protocol.messages.describe_log_dirs import DescribeLogDirsRequest
from raftka.net.protocol.messages.elect_leaders import ElectLeadersRequest
from raftka.net.protocol.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
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
    """What a broker's log cleaner knows of a replica of a compacted topic."""

    dirty_bytes: int
    """In closed segments that may be cleaned now."""
    blocked_bytes: int
    """In closed segments that may not."""
    dirty_percent: int
    """The dirty share of what a cleaning would read; min.cleanable.dirty.ratio asks for one."""
    cleaned_to: int
    """The offset that the last cleaning reached; -1 without one."""
    last_run_ms: int
    """When that was, ms since 1970; -1 when none has been since the broker started."""
    blocked_by: str
    """What keeps records from being cleaned, in words; empty when nothing does."""
    uncleanable: str
    """Why the cleaner has given the replica up; empty while it has not."""


@dataclass(frozen=True, slots=True)
class ReplicaInfo:
    """A replica in a log directory: bytes, and how far its end is behind (records)."""

    size: int
    offset_lag: int
    is_future: bool
    cleaner: CleanerInfo | None = None
    """Of a compacted topic, once the broker's cleaner has looked; a raftka broker says so."""


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


def _cleaner(part: describe_log_dirs.DescribeLogDirsPartition) -> CleanerInfo | None:
    for told in part.cleaner:
        return CleanerInfo(
            told.dirty_bytes,
            told.blocked_bytes,
            told.dirty_percent,
            told.cleaned_to,
            told.last_run,
            told.blocked_by,
            told.uncleanable,
        )
    return None


class PartitionOperations(AdminBase):
    """See the module."""

    async def elect_leaders(
        self, election: ElectionType, partitions: Iterable[TopicPartition] | None = None
    ) -> dict[TopicPartition, KafkaError | None]:
        """Hold elections in these partitions, or in all; the errors, by partition."""
        wanted = (
            None
            if partitions is None
            else [
                elect_leaders.TopicPartitions(topic=topic, partitions=indexes)
                for topic, indexes in by_topic(partitions).items()
            ]
        )
        answer = await self._ask(
            ElectLeadersRequest(
                election_type=election, topic_partitions=wanted, timeout=self._timeout_ms
            )
        )
        raise_for(answer.error_code)
        return {
            TopicPartition(told.topic, part.partition_id): error_of(
                part.error_code, part.error_message
            )
            for told in answer.replica_election_results
            for part in told.partition_result
        }

    async def alter_partition_reassignments(
        self,
        targets: Mapping[TopicPartition, Sequence[int] | None],
        *,
        keep_replication_factor: bool = False,
    ) -> None:
        """Move partitions to these brokers; None cancels a reassignment. Raises SomeFailed.

        With `keep_replication_factor` the controller refuses another number of replicas than there
        is (KIP-860).
        """
        topics: dict[str, alter_partition_reassignments.ReassignableTopic] = {}
        for target, replicas in targets.items():
            topic = topics.setdefault(
                target.topic,
                alter_partition_reassignments.ReassignableTopic(name=target.topic, partitions=[]),
            )
            topic.partitions.append(
                alter_partition_reassignments.ReassignablePartition(
                    partition_index=target.partition,
                    replicas=None if replicas is None else list(replicas),
                )
            )
        answer = await self._ask(
            AlterPartitionReassignmentsRequest(
                timeout=self._timeout_ms,
                topics=list(topics.values()),
                allow_replication_factor_change=not keep_replication_factor,
            )
        )
        raise_for(answer.error_code, answer.error_message)
        checked(
            {
                TopicPartition(told.name, part.partition_index): error_of(
                    part.error_code, part.error_message
                )
                for told in answer.responses
                for part in told.partitions
            }
        )

    async def list_partition_reassignments(
        self, partitions: Iterable[TopicPartition] | None = None
    ) -> dict[TopicPartition, Reassignment]:
        """The reassignments in progress, of these partitions or of all."""
        wanted = (
            None
            if partitions is None
            else [
                list_partition_reassignments.ListPartitionReassignmentsTopics(
                    name=topic, partition_indexes=indexes
                )
                for topic, indexes in by_topic(partitions).items()
            ]
        )
        answer = await self._ask(
            ListPartitionReassignmentsRequest(timeout=self._timeout_ms, topics=wanted)
        )
        raise_for(answer.error_code, answer.error_message)
        return {
            TopicPartition(told.name, part.partition_index): Reassignment(
                tuple(part.replicas), tuple(part.adding_replicas), tuple(part.removing_replicas)
            )
            for told in answer.topics
            for part in told.partitions
        }

    async def alter_replica_log_dirs(
        self, moves: Mapping[tuple[int, TopicPartition], str]
    ) -> dict[tuple[int, TopicPartition], KafkaError | None]:
        """Begin to move replicas to other log directories of their brokers (KIP-113).

        Each move is of a replica, by broker and partition, to the path of a directory. What became
        of each beginning; describe_log_dirs shows how far they are.
        """
        by_broker: dict[int, dict[str, list[TopicPartition]]] = {}
        for (broker, target), path in moves.items():
            by_broker.setdefault(broker, {}).setdefault(path, []).append(target)
        outcomes: dict[tuple[int, TopicPartition], KafkaError | None] = {}
        for broker, directories in by_broker.items():
            request = AlterReplicaLogDirsRequest(
                dirs=[
                    alter_replica_log_dirs.AlterReplicaLogDir(
                        path=path,
                        topics=[
                            alter_replica_log_dirs.AlterReplicaLogDirTopic(
                                name=topic, partitions=indexes
                            )
                            for topic, indexes in by_topic(targets).items()
                        ],
                    )
                    for path, targets in directories.items()
                ]
            )
            answer = await self._ask_broker(broker, request)
            for topic in answer.results:
                for part in topic.partitions:
                    target = TopicPartition(topic.topic_name, part.partition_index)
                    outcomes[broker, target] = error_of(part.error_code)
        return outcomes

    async def describe_log_dirs(
        self,
        brokers: Iterable[int],
        partitions: Iterable[TopicPartition] | None = None,
    ) -> dict[int, list[LogDirDescription]]:
        """By broker, its log directories and the replicas in them."""
        wanted = (
            None
            if partitions is None
            else [
                describe_log_dirs.DescribableLogDirTopic(topic=topic, partitions=indexes)
                for topic, indexes in by_topic(partitions).items()
            ]
        )
        found: dict[int, list[LogDirDescription]] = {}
        for broker in brokers:
            answer = await self._ask_broker(broker, DescribeLogDirsRequest(topics=wanted))
            raise_for(answer.error_code)
            found[broker] = [
                LogDirDescription(
                    told.log_dir,
                    error_of(told.error_code),
                    {
                        TopicPartition(topic.name, part.partition_index): ReplicaInfo(
                            part.partition_size,
                            part.offset_lag,
                            part.is_future_key,
                            _cleaner(part),
                        )
                        for topic in told.topics
                        for part in topic.partitions
                    },
                    told.total_bytes,
                    told.usable_bytes,
                    told.is_cordoned,
                )
                for told in answer.results
            ]
        return found

    async def list_offsets(
        self, timestamps: Mapping[TopicPartition, int], *, committed_only: bool = False
    ) -> dict[TopicPartition, OffsetAndTimestamp]:
        """Offsets by timestamp; EARLIEST, LATEST, MAX_TIMESTAMP and others are special values.

        Raises SomeFailed; KafkaError UNSUPPORTED_VERSION, REQUEST_TIMED_OUT.
        """
        return checked(
            await list_offsets_for(
                self._cluster, timestamps, self._api_timeout_s, committed_only=committed_only
            )
        )
