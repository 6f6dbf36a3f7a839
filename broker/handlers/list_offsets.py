"""ListOffsets (key 2): offsets by timestamp, and the special ones.

Consumers see committed records: the end is the high watermark, or with read_committed the last
stable offset (KIP-98), and a timestamp finds no record beyond it. Followers (replica id >= 0) see
the log end offset. A new leader whose high watermark is below the start of its epoch answers
OFFSET_NOT_AVAILABLE, so that the end never seems to move back (KIP-207).

Version notes: 2 has isolation levels. 4 fences by leader epoch. 7 can ask for the largest timestamp
(KIP-734), 8 for the start of the local log (KIP-405), 9 and 11 for offsets of tiered storage
(KIP-1005, KIP-1023), which raftka does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH, NO_OFFSET, NO_TIMESTAMP
from raftka.model.isolation import READ_COMMITTED, check_isolation_level
from raftka.model.offset_specs import (
    EARLIEST,
    EARLIEST_LOCAL,
    EARLIEST_PENDING_UPLOAD,
    LATEST,
    LATEST_TIERED,
    MAX_TIMESTAMP,
)
from raftka.net.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

if TYPE_CHECKING:
    from raftka.broker.replication.replica import Replica

_SINCE: Final = {
    LATEST: 1,
    EARLIEST: 1,
    MAX_TIMESTAMP: 7,
    EARLIEST_LOCAL: 8,
    LATEST_TIERED: 9,
    EARLIEST_PENDING_UPLOAD: 11,
}
"""The lowest version that allows each special timestamp."""

_CONSUMER: Final = -1
_DEBUGGING: Final = -2
"""The replica id of Kafka's debugging tools, which may ask any replica."""


@handles(ListOffsetsRequest, versions=(1, 11), access=PER_RESOURCE)
def list_offsets(context: Context, request: ListOffsetsRequest) -> ListOffsetsResponse:
    topics: dict[str, dict[int, ListOffsetsPartitionResponse]] = {}
    for topic in request.topics:
        allowed = context.may(Operation.DESCRIBE, ResourceType.TOPIC, topic.name)
        for wanted in topic.partitions:
            answers = topics.setdefault(topic.name, {})
            index = wanted.partition_index
            # A partition that is repeated in the request is answered with an error.
            if not allowed:
                answers[index] = _failed(index, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
            elif index in answers:
                answers[index] = _failed(index, ErrorCode.INVALID_REQUEST)
            else:
                answers[index] = _partition(context, request, topic.name, wanted)
    return ListOffsetsResponse(
        topics=[
            ListOffsetsTopicResponse(name=name, partitions=list(answers.values()))
            for name, answers in topics.items()
        ]
    )


def _failed(index: int, code: ErrorCode) -> ListOffsetsPartitionResponse:
    return ListOffsetsPartitionResponse(partition_index=index, error_code=int(code))


def _partition(
    context: Context, request: ListOffsetsRequest, topic: str, wanted: ListOffsetsPartition
) -> ListOffsetsPartitionResponse:
    node, replica_id = context.node, request.replica_id
    answer = ListOffsetsPartitionResponse(partition_index=wanted.partition_index)
    try:
        check_isolation_level(request.isolation_level)
        since = _SINCE.get(wanted.timestamp, 1)
        if wanted.timestamp < EARLIEST_PENDING_UPLOAD or context.api_version < since:
            raise KafkaError(
                ErrorCode.UNSUPPORTED_VERSION, f"there is no timestamp {wanted.timestamp}"
            )
        replica = node.replicas.find((topic, wanted.partition_index))
        if replica_id != _DEBUGGING:
            node.replicas.check_serving(replica, node.clock.monotonic())
            replica.state.check_leader(wanted.current_leader_epoch)
        else:
            replica.state.check_leader_epoch(wanted.current_leader_epoch)
        answer.timestamp, answer.offset, answer.leader_epoch = offset_for(
            replica,
            wanted.timestamp,
            from_client=replica_id == _CONSUMER,
            read_committed=request.isolation_level == READ_COMMITTED,
        )
    except KafkaError as error:
        code = error.code
        if code is ErrorCode.OFFSET_NOT_AVAILABLE and context.api_version < 5:
            code = ErrorCode.LEADER_NOT_AVAILABLE
        answer.error_code = int(code)
    return answer


def offset_for(
    replica: Replica, timestamp: int, *, from_client: bool, read_committed: bool = False
) -> tuple[int, int, int]:
    """(timestamp, offset, leader epoch) for a timestamp in ms or a special one.

    Offset and timestamp are -1 if there is no such record. Raises KafkaError OFFSET_NOT_AVAILABLE
    while a new leader does not know which records are committed.
    """
    log, state = replica.log, replica.state
    end = state.high_watermark if from_client else log.log_end_offset
    if read_committed and from_client:
        end = log.stable_offset(end)
    if timestamp == LATEST:
        _check_committed(replica, from_client)
        return NO_TIMESTAMP, end, state.view.leader_epoch
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        start = log.log_start_offset
        return NO_TIMESTAMP, start, log.epochs.epoch_at(start)
    if timestamp in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
        return NO_TIMESTAMP, NO_OFFSET, NO_EPOCH
    found = (
        log.max_timestamp_offset()
        if timestamp == MAX_TIMESTAMP
        else log.offset_for_timestamp(timestamp)
    )
    if found is None:
        return NO_TIMESTAMP, NO_OFFSET, NO_EPOCH
    if found[1] >= end:
        _check_committed(replica, from_client)
        return NO_TIMESTAMP, NO_OFFSET, NO_EPOCH
    return found


def _check_committed(replica: Replica, from_client: bool) -> None:
    """Raise OFFSET_NOT_AVAILABLE while a new leader does not know the committed offset."""
    state = replica.state
    if from_client and state.is_leader and state.high_watermark < state.leader_epoch_start_offset:
        raise KafkaError(
            ErrorCode.OFFSET_NOT_AVAILABLE,
            f"{replica.topic_partition} has a new leader, whose high watermark has got to "
            f"{state.high_watermark} so far",
        )
