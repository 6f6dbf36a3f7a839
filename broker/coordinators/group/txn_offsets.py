"""TxnOffsetCommit: offsets that are part of a producer's transaction (KIP-98, KIP-447).

This module only decides: the runtime appends the records for the producer and applies them by
`replay`, since the log may refuse that producer alone.
"""

from __future__ import annotations

from raftka.broker.coordinators.group import offsets, records
from raftka.broker.coordinators.group.any_group import Committing
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.kinds import PartitionFence, kind
from raftka.broker.coordinators.group.offsets import FindPartition
from raftka.broker.coordinators.outbox import Record
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import ZERO_UUID
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue
from raftka.net.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)


def decide(
    core: Core, request: TxnOffsetCommitRequest, find: FindPartition, now: Moment
) -> tuple[list[Record], list[TxnOffsetCommitResponseTopic]]:
    """The records of the offsets, not applied yet, and each partition's answer.

    Raises KafkaError if all are refused: INVALID_GROUP_ID, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID,
    FENCED_INSTANCE_ID.
    """
    fence = _check_member(core, request, now)
    written: list[Record] = []
    answers = []
    for topic in request.topics:
        partitions = []
        for wanted in topic.partitions:
            index = wanted.partition_index
            code = _check_partition(core, topic.name, wanted, find)
            if code is ErrorCode.NONE and fence is not None:
                code = fence(topic.name, index)
            if code is ErrorCode.NONE:
                value = OffsetCommitValue(
                    offset=wanted.committed_offset,
                    leader_epoch=wanted.committed_leader_epoch,
                    metadata=wanted.committed_metadata or "",
                    commit_timestamp=now.wall_ms,
                    topic_id=find(topic.name, index) or ZERO_UUID,
                )
                key = records.offset_key(request.group_id, topic.name, index)
                written.append((key, records.offset_value(value)))
            partitions.append(
                TxnOffsetCommitResponsePartition(partition_index=index, error_code=code)
            )
        answers.append(
            TxnOffsetCommitResponseTopic(
                name=topic.name, topic_id=topic.topic_id, partitions=partitions
            )
        )
    return written, answers


def _check_member(
    core: Core, request: TxnOffsetCommitRequest, now: Moment
) -> PartitionFence | None:
    """A member id or generation that a producer names must be current (KIP-447).

    A producer that names none, as in versions before 3, may commit in any state of the group.
    """
    if not request.group_id:
        raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
    group = core.groups.get(request.group_id)
    generation_id = request.generation_id
    if group is None:
        if generation_id < 0:
            return None
        raise KafkaError(ErrorCode.ILLEGAL_GENERATION, f"there is no group {request.group_id!r}")
    by = Committing(request.member_id, request.group_instance_id, generation_id, transactional=True)
    return kind(group.type).check_commit(core, group, by, now)


def _check_partition(
    core: Core, topic: str, wanted: TxnOffsetCommitRequestPartition, find: FindPartition
) -> ErrorCode:
    if find(topic, wanted.partition_index) is None:
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if offsets.is_note_too_long(core, wanted.committed_metadata):
        return ErrorCode.OFFSET_METADATA_TOO_LARGE
    return ErrorCode.NONE
