"""What a leader checks in a batch before it appends, and what it changes on the way.

A batch stays opaque wherever the topic's settings allow it. Those that do not (a compression of
the topic's own, LogAppendTime, compacted topics, a bound on old timestamps) are handled here, away
from the path that everything else takes.

Codes and conditions are those of Apache Kafka's broker.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from raftka.model.crc import crc32c
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_OFFSET, NO_TIMESTAMP, TopicPartition
from raftka.model.ports import Buffer
from raftka.model.record_batch import (
    ATTRIBUTES_AT,
    HEADER_BYTES,
    LENGTH_OVERHEAD,
    LOG_APPEND_TIME,
    LOG_APPEND_TIME_BIT,
    MAGIC,
    BatchHeader,
    parse_header,
    stamp_log_append_time,
)
from raftka.model.records import iter_records, recompress
from raftka.storage.config import MAX_LONG, LogConfig

PLAIN_ATTRIBUTES: Final = frozenset(range(5))
"""Attributes that need no second look: a known compression and nothing else."""

_MIN_RECORD_BYTES: Final = 7
_LEGACY_OVERHEAD: Final = 14


class AppendInfo(NamedTuple):
    """What became of an append."""

    base_offset: int
    last_offset: int
    log_append_time: int
    """ms since 1970 where the topic says LogAppendTime, else -1."""
    log_start_offset: int
    duplicate: bool
    """The producer had sent this batch before; the offsets are those of that time."""
    bytes: int
    records: int


NOTHING_APPENDED: Final = AppendInfo(NO_OFFSET, NO_OFFSET, NO_TIMESTAMP, NO_OFFSET, False, 0, 0)


def check_shape(
    records: Buffer, config: LogConfig, topic_partition: TopicPartition, from_client: bool
) -> None:
    """Explain what is wrong with a batch by its header. Returns when nothing is.

    Raises KafkaError: INVALID_RECORD, CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE,
    INVALID_TIMESTAMP.
    """
    size = len(records)
    if size < HEADER_BYTES:
        raise _invalid("Produce requests must have at least one record batch per partition")
    header = parse_header(records)
    if header.length < _LEGACY_OVERHEAD or not 0 <= header.magic <= MAGIC:
        raise KafkaError(
            ErrorCode.CORRUPT_MESSAGE,
            f"A batch for {topic_partition} claims {header.length} bytes of message format "
            f"{header.magic}.",
        )
    if header.magic < MAGIC:
        raise _invalid("Only record batches with magic version 2 are allowed")
    if header.size > size:
        raise _invalid("Produce requests must have at least one record batch per partition")
    if header.length < HEADER_BYTES - LENGTH_OVERHEAD:
        raise KafkaError(
            ErrorCode.CORRUPT_MESSAGE,
            f"A batch for {topic_partition} is {header.size} bytes, less than its header.",
        )
    if header.size < size:
        raise _invalid("Only exactly one record batch is allowed per partition")
    if size > config.max_message_bytes:
        raise KafkaError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"The record batch size in the append to {topic_partition} is {size} bytes which "
            f"exceeds the maximum configured value of {config.max_message_bytes}.",
        )
    _check_size_of_segment(size, config, topic_partition)
    _check_fields(header, topic_partition, from_client)


def _check_size_of_segment(size: int, config: LogConfig, topic_partition: TopicPartition) -> None:
    if size > config.segment_bytes:
        raise KafkaError(
            ErrorCode.RECORD_LIST_TOO_LARGE,
            f"Message batch size is {size} bytes in append to partition {topic_partition}, which "
            f"exceeds the maximum configured segment size of {config.segment_bytes}.",
        )


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
    if from_client and header.is_transactional:
        raise KafkaError(
            ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            f"A transactional batch for {topic_partition}, but this cluster has no transactions.",
        )
    compression = header.compression
    if (
        compression == "none"
        and header.size < HEADER_BYTES + _MIN_RECORD_BYTES * header.record_count
    ):
        raise _invalid(f"{header.size} bytes cannot hold {header.record_count} records")
    if header.attributes & LOG_APPEND_TIME_BIT and from_client:
        raise KafkaError(
            ErrorCode.INVALID_TIMESTAMP,
            "Producers should not set timestamp type to LogAppendTime.",
        )


def check_replicated(
    batches: Iterable[tuple[BatchHeader, memoryview]],
    end_offset: int,
    topic_partition: TopicPartition,
) -> None:
    """Check batches that a leader sent, which continue a log that ends at `end_offset`.

    Raises KafkaError: CORRUPT_MESSAGE for a wrong CRC, INVALID_RECORD for a step back.
    """
    expected = end_offset
    for header, view in batches:
        computed = crc32c(view[ATTRIBUTES_AT:])
        if computed != header.crc:
            raise corrupt(header.crc, computed, topic_partition)
        if header.base_offset < expected or header.last_offset_delta < 0:
            raise KafkaError(
                ErrorCode.INVALID_RECORD,
                f"A batch of offsets {header.base_offset} to {header.last_offset} cannot follow "
                f"the end of {topic_partition} at {expected}.",
            )
        expected = header.next_offset


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


def out_of_range(timestamp: int, config: LogConfig, now_ms: int) -> KafkaError:
    """The error for a record that claims a time too far from the broker's."""
    earliest = max(0, now_ms - config.message_timestamp_before_max_ms)
    latest = now_ms + config.message_timestamp_after_max_ms
    return KafkaError(
        ErrorCode.INVALID_TIMESTAMP,
        f"Timestamp {timestamp} of a record is out of range. The timestamp should be within "
        f"[{earliest}, {latest}]",
    )


def _invalid(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_RECORD, message)


def is_opaque(config: LogConfig) -> bool:
    """Whether batches can be appended as they are, without a look at their records."""
    return (
        config.compression_type == "producer"
        and config.message_timestamp_type != LOG_APPEND_TIME
        and config.message_timestamp_before_max_ms == MAX_LONG
        and not config.compacts
    )


def convert(
    records: Buffer, config: LogConfig, topic_partition: TopicPartition, now_ms: int
) -> Buffer:
    """The batch as a topic with settings of its own wants it.

    Raises KafkaError: INVALID_RECORD, INVALID_TIMESTAMP, MESSAGE_TOO_LARGE after recompression.
    """
    header = parse_header(records)
    stamps = config.message_timestamp_type == LOG_APPEND_TIME
    if not header.is_control:
        _check_records(records, header, config, topic_partition, now_ms)
    wanted = config.compression_type
    if wanted == "uncompressed":
        wanted = "none"
    if wanted not in ("producer", header.compression) and not header.is_control:
        records = recompress(records, wanted, config.compression_level(wanted))
        if len(records) > config.max_message_bytes:
            raise KafkaError(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"The record batch size in the append to {topic_partition} is {len(records)} "
                f"bytes after recompression, which exceeds the maximum configured value of "
                f"{config.max_message_bytes}.",
            )
        _check_size_of_segment(len(records), config, topic_partition)
    if stamps:
        stamped = records if isinstance(records, bytearray) else bytearray(records)
        stamp_log_append_time(stamped, now_ms)
        return stamped
    return records


def _check_records(
    records: Buffer,
    header: BatchHeader,
    config: LogConfig,
    topic_partition: TopicPartition,
    now_ms: int,
) -> None:
    """What needs a look at every record: keys on compacted topics, and old timestamps."""
    stamps = config.message_timestamp_type == LOG_APPEND_TIME
    bounded = config.message_timestamp_before_max_ms != MAX_LONG and not stamps
    if not stamps and header.max_timestamp > now_ms + config.message_timestamp_after_max_ms:
        raise out_of_range(header.max_timestamp, config, now_ms)
    if not (config.compacts or bounded):
        return
    earliest = now_ms - config.message_timestamp_before_max_ms if bounded else NO_TIMESTAMP
    for record in iter_records(records):
        if config.compacts and record.key is None:
            raise _invalid(
                "Compacted topic cannot accept message without key in topic partition "
                f"{topic_partition}."
            )
        if bounded and NO_TIMESTAMP < record.timestamp < earliest:
            raise out_of_range(record.timestamp, config, now_ms)
