"""Validates the records of a batch before it is appended, and converts it as the topic's settings
require.

Every batch is inspected before it is stored (model/record_check.py), including compressed ones: the
stored bytes are served and replicated unchanged. The largest timestamp is computed from the
records, and a wrong one in the header is corrected, because retention, rolling and offsets by time
depend on it.

Codes and conditions are those of Apache Kafka's broker (LogValidator; KIP-32 and KIP-937 for times,
KIP-467 for record errors).
"""

from __future__ import annotations

from typing import Final

from raftka.model import compression as codecs
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_TIMESTAMP, TopicPartition
from raftka.model.named_tuple import NamedTuple
from raftka.model.record_batch import (
    COMPRESSION_MASK,
    CREATE_TIME,
    HEADER_BYTES,
    LOG_APPEND_TIME,
    LOG_APPEND_TIME_BIT,
    BatchHeader,
    restamp,
)
from raftka.model.record_check import record_heads, survey
from raftka.model.records import seal
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.storage.config import MAX_LONG, LogConfig

MOST_BYTES: Final = codecs.LIMIT_BYTES
"""The maximal size of a batch after decompression: what raftka's own consumer would accept."""

_EARLIEST: Final = -(1 << 62)
"""Earlier timestamps would overflow Kafka's 64-bit arithmetic."""


class Admitted(NamedTuple):
    """The stored form of a batch."""

    view: memoryview
    max_timestamp: int
    """The largest timestamp of its records in ms since 1970, -1 if none has one."""
    log_append_time: int
    """The time of all records if the topic uses LogAppendTime, else -1."""


class RecordsRefused(KafkaError):
    """A batch is refused because of some of its records; producers may resend the others."""

    def __init__(self, code: ErrorCode, records: list[tuple[int, str]]) -> None:
        index, words = records[0]
        others = f" and {len(records) - 1} more" if len(records) > 1 else ""
        super().__init__(code, f"The batch was refused for record {index}{others}: {words}")
        self.records = records
        """(index in the batch, error message)"""


class Admission:
    """The rules of one topic's settings."""

    __slots__ = (
        "_config",
        "_earliest_ms",
        "_keeps",
        "_looks",
        "_stamps",
        "_wants_keys",
        "_where",
        "is_plain",
    )

    def __init__(
        self, config: LogConfig, where: TopicPartition, rules_off: RulesOff = ALL_HOLD
    ) -> None:
        self._config = config
        self._where = where
        self._looks = Rule.BATCHES_ARE_CHECKED not in rules_off
        self._wants_keys = config.compacts and Rule.KEYS_WHERE_COMPACTED not in rules_off
        self._stamps = config.message_timestamp_type == LOG_APPEND_TIME
        self._keeps = config.compression_type == "producer" and not self._stamps
        before_ms = config.message_timestamp_before_max_ms
        self._earliest_ms: int | None = None if before_ms == MAX_LONG else before_ms
        self.is_plain = (
            config.compression_type == "producer"
            and not self._stamps
            and not self._wants_keys
            and self._earliest_ms is None
        )
        """Whether uncompressed batches only need to be well-formed and not in the future."""

    def admit(self, view: memoryview, header: BatchHeader, now_ms: int) -> Admitted:
        """The batch in the form to store; its header and CRC must have been checked.

        Returns the same bytes if nothing must change. Raises KafkaError: INVALID_RECORD,
        UNKNOWN_SERVER_ERROR if it cannot be decompressed (as in Kafka), MESSAGE_TOO_LARGE, and
        RecordsRefused with INVALID_RECORD or INVALID_TIMESTAMP.
        """
        if not self._looks:
            return self._believed(view, header, now_ms)
        data, start = view, HEADER_BYTES
        if header.attributes & COMPRESSION_MASK:
            data, start = self._decompressed(view, header), 0
        found = survey(data, start, header.record_count)
        base, stamps = header.base_timestamp, self._stamps
        is_suspicious = header.attributes & LOG_APPEND_TIME_BIT or (
            self._wants_keys and not found.all_keyed
        )
        if not stamps:
            margin = self._earliest_ms
            earliest = _EARLIEST if margin is None else now_ms - margin
            latest = now_ms + self._config.message_timestamp_after_max_ms
            if base + found.oldest < earliest or base + found.newest > latest:
                is_suspicious = True
        if is_suspicious:
            self._check_each(bytes(data[start:]), header, now_ms)
        newest = now_ms if stamps else max(NO_TIMESTAMP, base + found.newest)
        if (
            self._keeps
            and newest == header.max_timestamp
            and not header.attributes & LOG_APPEND_TIME_BIT
        ):
            return Admitted(view, newest, NO_TIMESTAMP)
        return self._as_wanted(view, data, start, header, newest)

    def _believed(self, view: memoryview, header: BatchHeader, now_ms: int) -> Admitted:
        """The batch as the topic requires it, if its records match its header."""
        data, start = view, HEADER_BYTES
        if header.attributes & COMPRESSION_MASK and self._config.compression_type != "producer":
            data, start = self._decompressed(view, header), 0
        newest = now_ms if self._stamps else header.max_timestamp
        return self._as_wanted(view, data, start, header, newest)

    def _decompressed(self, view: memoryview, header: BatchHeader) -> memoryview:
        """The records of a compressed batch, within the topic's size limit."""
        try:
            codec = header.compression
            if codec == "lz4":
                codecs.check_lz4_frame(view[HEADER_BYTES:])
            limit = min(self._config.max_decompressed_message_bytes, MOST_BYTES)
            return memoryview(codecs.decompress(codec, view[HEADER_BYTES:], limit))
        except KafkaError as error:
            if error.code is ErrorCode.RECORD_LIST_TOO_LARGE:
                if limit < MOST_BYTES:
                    words = f"{error.message} (max.decompressed.message.bytes of {self._where})"
                    raise KafkaError(ErrorCode.INVALID_RECORD, words) from error
                raise KafkaError(ErrorCode.MESSAGE_TOO_LARGE, error.message) from error
            raise KafkaError(
                ErrorCode.UNKNOWN_SERVER_ERROR,
                f"The batch for {self._where} cannot be read: {error.message}",
            ) from error

    def _check_each(self, data: bytes, header: BatchHeader, now_ms: int) -> None:
        """Raise an error that lists the invalid records; return if there are none."""
        # From a producer that uses its own clock although the topic uses the broker's. If the topic
        # uses producers' times and the record has one, Kafka clears the flag; so does raftka.
        is_marked = bool(header.attributes & LOG_APPEND_TIME_BIT) and (
            self._stamps or header.max_timestamp == NO_TIMESTAMP
        )
        wrong: list[tuple[int, str]] = []
        code = ErrorCode.INVALID_RECORD
        for index, head in enumerate(record_heads(data, header.record_count)):
            timestamp = _long(header.base_timestamp + head.timestamp_delta)
            if self._wants_keys and not head.has_key:
                words = f"Compacted topic cannot accept message without key in {self._where}"
            elif is_marked:
                code = ErrorCode.INVALID_TIMESTAMP
                words = "Producers must not mark their timestamps as LogAppendTime"
            elif self._stamps or self._is_timely(timestamp, now_ms):
                continue
            else:
                code = ErrorCode.INVALID_TIMESTAMP
                words = (
                    f"Timestamp {timestamp} is out of range. It should be within "
                    f"[{now_ms - self._config.message_timestamp_before_max_ms}, "
                    f"{now_ms + self._config.message_timestamp_after_max_ms}]"
                )
            wrong.append((index, words))
        if wrong:
            raise RecordsRefused(code, wrong)

    def _is_timely(self, timestamp: int, now_ms: int) -> bool:
        """Whether a record's time is close enough to the broker's; always if it has none."""
        if timestamp == NO_TIMESTAMP:
            return True
        behind = _long(now_ms - timestamp)
        return (
            behind <= self._config.message_timestamp_before_max_ms
            and _long(-behind) <= self._config.message_timestamp_after_max_ms
        )

    def _as_wanted(
        self, view: memoryview, data: memoryview, start: int, header: BatchHeader, newest: int
    ) -> Admitted:
        """The batch with the topic's compression, and with the largest timestamp of its records."""
        kind = LOG_APPEND_TIME if self._stamps else CREATE_TIME
        log_append_time = newest if self._stamps else NO_TIMESTAMP
        wanted = self._config.compression_type
        if wanted == "uncompressed":
            wanted = "none"
        if wanted not in ("producer", header.compression) and not header.is_control:
            view = memoryview(self._recompressed(data[start:], header, wanted))
        elif newest == header.max_timestamp and kind == header.timestamp_type:
            return Admitted(view, newest, log_append_time)
        elif view.readonly:
            view = memoryview(bytearray(view))
        restamp(view, newest, kind)
        return Admitted(view, newest, log_append_time)

    def _recompressed(self, data: memoryview, header: BatchHeader, wanted: str) -> bytearray:
        config = self._config
        attributes = header.attributes & ~COMPRESSION_MASK | codecs.NAMES.index(wanted)
        body = codecs.compress(wanted, data, config.compression_level(wanted))
        batch = bytearray(seal(header._replace(attributes=attributes), body))
        if len(batch) > config.max_message_bytes:
            raise KafkaError(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"The record batch size in the append to {self._where} is {len(batch)} bytes "
                "after recompression, which exceeds the maximum configured value of "
                f"{config.max_message_bytes}.",
            )
        check_size_of_segment(len(batch), config, self._where)
        return batch


def check_size_of_segment(size: int, config: LogConfig, where: TopicPartition) -> None:
    """Raises KafkaError RECORD_LIST_TOO_LARGE for a batch that does not fit into a segment."""
    if size > config.segment_bytes:
        raise KafkaError(
            ErrorCode.RECORD_LIST_TOO_LARGE,
            f"Message batch size is {size} bytes in append to partition {where}, which exceeds "
            f"the maximum configured segment size of {config.segment_bytes}.",
        )


def _long(number: int) -> int:
    """The low 64 bits, signed, as in Java's arithmetic."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
