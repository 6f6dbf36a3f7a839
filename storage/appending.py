"""A leader's checks of a batch's header before it appends.

Codes, conditions and their order are those of Apache Kafka's broker (ProduceRequest, UnifiedLog,
LogValidator). storage/admission.py checks the records.
"""

from __future__ import annotations

import struct
from typing import Final

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_OFFSET, NO_TIMESTAMP, TopicPartition
from raftka.model.named_tuple import NamedTuple
from raftka.model.ports import Buffer
from raftka.model.record_batch import (
    HEADER_BYTES,
    LENGTH_OVERHEAD,
    MAGIC,
    MAGIC_AT,
    TRANSACTIONAL_BIT,
    BatchHeader,
    parse_header,
)
from raftka.storage.admission import check_size_of_segment
from raftka.storage.config import LogConfig

PLAIN_ATTRIBUTES: Final = frozenset(range(5)) | frozenset(
    TRANSACTIONAL_BIT | codec for codec in range(5)
)
"""Attributes that need no further check: a known compression, transactional or not."""

_MIN_RECORD_BYTES: Final = 7
_LEGACY_OVERHEAD: Final = 14
_LENGTH: Final = struct.Struct(">8xi")


class AppendInfo(NamedTuple):
    """The result of an append."""

    base_offset: int
    last_offset: int
    log_append_time: int
    """ms since 1970 if the topic uses LogAppendTime, else -1; for a duplicate the first append's
    time, as in Kafka, whatever the topic's type."""
    log_start_offset: int
    duplicate: bool
    """Whether the producer had sent this batch before; the offsets are those of that time."""
    bytes: int
    records: int


NOTHING_APPENDED: Final = AppendInfo(NO_OFFSET, NO_OFFSET, NO_TIMESTAMP, NO_OFFSET, False, 0, 0)


def check_shape(
    records: Buffer, config: LogConfig, topic_partition: TopicPartition, from_client: bool
) -> memoryview:
    """The one batch in `records`; an incomplete one after it is ignored.

    Raises KafkaError for errors in sizes and header: INVALID_RECORD, CORRUPT_MESSAGE,
    MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, UNKNOWN_SERVER_ERROR for an unknown compression.
    """
    view = memoryview(records)
    size = _batch_size(view, topic_partition)
    if size == 0:
        raise _invalid("Produce requests must have at least one record batch per partition")
    if view[MAGIC_AT] < MAGIC:
        raise _invalid("Only record batches with magic version 2 are allowed")
    if size < HEADER_BYTES:
        raise KafkaError(
            ErrorCode.CORRUPT_MESSAGE,
            f"A batch for {topic_partition} is {size} bytes, less than its header.",
        )
    if _batch_size(view[size:], topic_partition):
        raise _invalid("Only exactly one record batch is allowed per partition")
    if size > config.max_message_bytes:
        raise KafkaError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"The record batch size in the append to {topic_partition} is {size} bytes which "
            f"exceeds the maximum configured value of {config.max_message_bytes}.",
        )
    check_size_of_segment(size, config, topic_partition)
    _check_fields(parse_header(view), topic_partition, from_client)
    return view[:size]


def _batch_size(view: memoryview, topic_partition: TopicPartition) -> int:
    """The size in bytes of the batch at the start of `view`; 0 if there is no complete one."""
    if len(view) < LENGTH_OVERHEAD:
        return 0
    (length,) = _LENGTH.unpack_from(view)
    if length < _LEGACY_OVERHEAD:
        raise KafkaError(
            ErrorCode.CORRUPT_MESSAGE,
            f"A batch for {topic_partition} claims {length} bytes, less than any has.",
        )
    if len(view) <= MAGIC_AT:
        return 0
    if view[MAGIC_AT] > MAGIC:
        raise KafkaError(
            ErrorCode.CORRUPT_MESSAGE,
            f"A batch for {topic_partition} is of message format {view[MAGIC_AT]}; the newest is "
            f"{MAGIC}.",
        )
    size: int = length + LENGTH_OVERHEAD
    return size if size <= len(view) else 0


def _check_fields(header: BatchHeader, topic_partition: TopicPartition, from_client: bool) -> None:
    if from_client and header.base_offset != 0:
        raise _invalid(
            f"The baseOffset of the record batch in the append to {topic_partition} should be 0, "
            f"but it is {header.base_offset}"
        )
    if header.record_count <= 0 or header.last_offset_delta < 0:
        raise _invalid(f"Invalid reported count for record batch: {header.record_count}")
    if header.record_count != header.last_offset_delta + 1:
        raise _invalid(
            f"Inconsistent batch offset range [{header.base_offset}, {header.last_offset}] and "
            f"count of records {header.record_count}"
        )
    if from_client and header.is_control:
        raise _invalid("Clients are not allowed to write control records")
    try:
        compression = header.compression
    except KafkaError as error:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, error.message) from error
    if (
        compression == "none"
        and header.size < HEADER_BYTES + _MIN_RECORD_BYTES * header.record_count
    ):
        raise _invalid(f"{header.size} bytes cannot hold {header.record_count} records")


def corrupt(header_crc: int, computed: int, topic_partition: TopicPartition) -> KafkaError:
    """The error for a batch whose CRC is wrong."""
    return KafkaError(
        ErrorCode.CORRUPT_MESSAGE,
        f"Record is corrupt (stored crc = {header_crc}, computed crc = {computed}) in topic "
        f"partition {topic_partition}.",
    )


def bad_sequence(base_sequence: int, producer_id: int) -> KafkaError:
    """The error for an idempotent batch without a sequence."""
    return _invalid(
        f"Invalid sequence number {base_sequence} in record batch with producerId {producer_id}"
    )


def _invalid(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_RECORD, message)
