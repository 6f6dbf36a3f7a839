"""Committed offsets: the position of each group in each partition, with the client's metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from raftka.broker.coordinators.group import classic_log, records
from raftka.broker.coordinators.group.any_group import AnyGroup, Committing
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.kinds import PartitionFence, bury, kind
from raftka.broker.coordinators.group.pending import Position
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_OFFSET, ZERO_UUID
from raftka.model.rules import Rule
from raftka.net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue
from raftka.net.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from raftka.net.protocol.messages.offset_fetch import (
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)

FindPartition = Callable[[str, int], bytes | None]
"""(topic, partition) -> the topic's id, or None if the partition does not exist."""

_GROUP_ID_NOT_FOUND_FROM = 9


# ---- commit


def commit(
    core: Core, request: OffsetCommitRequest, version: int, find: FindPartition, now: Moment
) -> list[OffsetCommitResponseTopic]:
    """Store offsets; each partition has its own error in the answer.

    Raises KafkaError if all are refused: ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, ...
    """
    fence = _check_group(core, request, version, now)
    answers = []
    for topic in request.topics:
        partitions = []
        for wanted in topic.partitions:
            index = wanted.partition_index
            code = _check_partition(core, topic.name, wanted, find)
            if code is ErrorCode.NONE and fence is not None:
                code = fence(topic.name, index)
            if code is ErrorCode.NONE:
                if request.group_id not in core.groups:
                    classic_log.create_group(core, request.group_id, now.wall_ms)
                value = _value(request, wanted, find(topic.name, index) or bytes(16), now.wall_ms)
                commit_now(core, request.group_id, topic.name, index, value)
                key = records.offset_key(request.group_id, topic.name, index)
                core.outbox.records.append((key, records.offset_value(value)))
            partitions.append(OffsetCommitResponsePartition(partition_index=index, error_code=code))
        answers.append(
            OffsetCommitResponseTopic(
                name=topic.name, topic_id=topic.topic_id, partitions=partitions
            )
        )
    return answers


def _check_group(
    core: Core, request: OffsetCommitRequest, version: int, now: Moment
) -> PartitionFence | None:
    """Check whether that member may commit. The first offset of a simple group creates it."""
    generation_id = request.generation_id_or_member_epoch
    group = core.groups.get(request.group_id)
    if group is None:
        if generation_id < 0:
            return None
        raise KafkaError(
            ErrorCode.GROUP_ID_NOT_FOUND
            if version >= _GROUP_ID_NOT_FOUND_FROM
            else ErrorCode.ILLEGAL_GENERATION,
            f"there is no group {request.group_id!r}",
        )
    by = Committing(request.member_id, request.group_instance_id, generation_id, version)
    return kind(group.type).check_commit(core, group, by, now)


def _check_partition(
    core: Core, topic: str, wanted: OffsetCommitRequestPartition, find: FindPartition
) -> ErrorCode:
    if find(topic, wanted.partition_index) is None:
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if is_note_too_long(core, wanted.committed_metadata):
        return ErrorCode.OFFSET_METADATA_TOO_LARGE
    return ErrorCode.NONE


def is_note_too_long(core: Core, note: str | None) -> bool:
    """Whether a commit's metadata exceeds offset.metadata.max.bytes."""
    return note is not None and len(note.encode()) > core.config.offset_metadata_max_bytes


def _value(
    request: OffsetCommitRequest,
    wanted: OffsetCommitRequestPartition,
    topic_id: bytes,
    now_ms: int,
) -> OffsetCommitValue:
    # Up to version 4 a client could set how long to keep an offset; since KIP-211 the broker does.
    retention_ms = request.retention_time
    return OffsetCommitValue(
        offset=wanted.committed_offset,
        leader_epoch=wanted.committed_leader_epoch,
        metadata=wanted.committed_metadata or "",
        commit_timestamp=now_ms,
        expire_timestamp=now_ms + retention_ms if retention_ms >= 0 else -1,
        topic_id=topic_id,
    )


def commit_now(
    core: Core, group_id: str, topic: str, partition: int, value: OffsetCommitValue
) -> None:
    """Store a non-transactional offset, which overtakes pending ones of its partition."""
    core.pending.overtake(Position(group_id, topic, partition))
    store(core, group_id, topic, partition, value)


def store(core: Core, group_id: str, topic: str, partition: int, value: OffsetCommitValue) -> None:
    core.offsets.setdefault(group_id, {}).setdefault(topic, {})[partition] = value


# ---- fetch


def fetch(
    core: Core,
    group_id: str,
    topics: Iterable[tuple[str, Iterable[int]]] | None,
    find: FindPartition,
    *,
    stable: bool = False,
) -> list[OffsetFetchResponseTopics]:
    """The offsets of these partitions, or all that the group has; -1 if it has none.

    An offset of a deleted topic does not count for a newer topic of the same name: the coordinator
    may have failed before it deleted the offset. With `stable`, a partition is answered
    UNSTABLE_OFFSET_COMMIT if an open transaction may change its offset (KIP-447).
    """
    waits = stable and Rule.PENDING_OFFSETS_ARE_UNSTABLE not in core.rules_off
    stored = core.offsets.get(group_id, {})

    def found(name: str, index: int) -> OffsetCommitValue | None:
        value = stored.get(name, {}).get(index)
        return None if value is None or _is_of_another(value, find(name, index)) else value

    if topics is None:
        all_of_it = ((n, [i for i in indexes if found(n, i)]) for n, indexes in stored.items())
        topics = [(name, indexes) for name, indexes in all_of_it if indexes]
    return [
        OffsetFetchResponseTopics(
            name=name,
            partitions=[
                _unstable(index)
                if waits and Position(group_id, name, index) in core.pending
                else _fetched(found(name, index), index)
                for index in indexes
            ],
        )
        for name, indexes in topics
    ]


def _is_of_another(value: OffsetCommitValue, topic_id: bytes | None) -> bool:
    """Whether an offset was committed for an earlier topic of that name."""
    return topic_id is not None and value.topic_id not in (topic_id, ZERO_UUID)


def _unstable(index: int) -> OffsetFetchResponsePartitions:
    return OffsetFetchResponsePartitions(
        partition_index=index,
        committed_offset=NO_OFFSET,
        metadata="",
        error_code=ErrorCode.UNSTABLE_OFFSET_COMMIT,
    )


def _fetched(value: OffsetCommitValue | None, index: int) -> OffsetFetchResponsePartitions:
    if value is None:
        return OffsetFetchResponsePartitions(
            partition_index=index, committed_offset=NO_OFFSET, metadata=""
        )
    return OffsetFetchResponsePartitions(
        partition_index=index,
        committed_offset=value.offset,
        committed_leader_epoch=value.leader_epoch,
        metadata=value.metadata,
    )


# ---- delete


def delete(
    core: Core, request: OffsetDeleteRequest, find: FindPartition
) -> list[OffsetDeleteResponseTopic]:
    """Delete offsets of topics that the group is not subscribed to (KIP-496).

    Raises KafkaError GROUP_ID_NOT_FOUND, INVALID_GROUP_ID, or NON_EMPTY_GROUP for members other
    than consumers, whose subscriptions the coordinator cannot decode.
    """
    if not request.group_id:
        raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
    group = core.groups.get(request.group_id)
    if group is None:
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"there is no group {request.group_id!r}")
    group.check_deleting_offsets()
    answers = []
    for topic in request.topics:
        subscribed = group.is_subscribed_to(topic.name)
        partitions = []
        for index in (partition.partition_index for partition in topic.partitions):
            code = ErrorCode.NONE
            if find(topic.name, index) is None:
                code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            elif subscribed:
                code = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
            else:
                remove(core, request.group_id, topic.name, index)
            partitions.append(OffsetDeleteResponsePartition(partition_index=index, error_code=code))
        answers.append(OffsetDeleteResponseTopic(name=topic.name, partitions=partitions))
    return answers


def remove(core: Core, group_id: str, topic: str, partition: int) -> None:
    """Delete one offset, in memory and in the log, if it exists or is pending."""
    if drop(core, group_id, topic, partition):
        core.outbox.records.append((records.offset_key(group_id, topic, partition), None))


def drop(core: Core, group_id: str, topic: str, partition: int) -> bool:
    """Remove one offset from memory, and pending ones; return whether there was one."""
    was_pending = core.pending.drop(Position(group_id, topic, partition))
    topics = core.offsets.get(group_id, {})
    partitions = topics.get(topic, {})
    if partitions.pop(partition, None) is None:
        return was_pending
    if not partitions:
        del topics[topic]
    if not topics:
        del core.offsets[group_id]
    return True


def remove_all(core: Core, group_id: str) -> None:
    """Delete all offsets of a group."""
    for topic, partition in positions(core, group_id):
        remove(core, group_id, topic, partition)
    for position in core.pending.of_group(group_id):
        remove(core, *position)


def remove_topic(core: Core, topic: str) -> None:
    """Delete the offsets of a deleted topic in all groups."""
    for group_id, topics in list(core.offsets.items()):
        for partition in list(topics.get(topic, ())):
            remove(core, group_id, topic, partition)
    for position in core.pending.of_topic(topic):
        remove(core, *position)


def positions(core: Core, group_id: str) -> list[tuple[str, int]]:
    """The partitions in which a group has an offset."""
    topics = core.offsets.get(group_id, {})
    return [(topic, partition) for topic, found in topics.items() for partition in found]


# ---- expiry


def expire(core: Core, now_ms: int) -> None:
    """Delete offsets unused for offsets.retention.minutes (KIP-211), and empty groups.

    The group determines since when an offset counts as unused. Offsets that an open transaction may
    change are kept.
    """
    for group in list(core.groups.values()):
        for topic, partition in positions(core, group.group_id):
            value = core.offsets[group.group_id][topic][partition]
            if Position(group.group_id, topic, partition) in core.pending:
                continue
            if _has_expired(core, group, topic, value, now_ms):
                remove(core, group.group_id, topic, partition)
        has_offsets = group.group_id in core.offsets or core.pending.of_group(group.group_id)
        if group.is_unused and not has_offsets:
            bury(core, group)


def _has_expired(
    core: Core, group: AnyGroup, topic: str, value: OffsetCommitValue, now_ms: int
) -> bool:
    since_ms = group.offsets_unused_since_ms(topic, value.commit_timestamp)
    if since_ms is None:
        return False
    if value.expire_timestamp >= 0:
        return now_ms >= value.expire_timestamp
    return now_ms - since_ms >= core.config.offsets_retention_ms
