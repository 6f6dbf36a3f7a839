"""What a leader does with a batch before it appends it: one parse of the header, one CRC.

The hot path: everything rare is behind a comparison that is usually false. Why a batch is refused,
and what a topic's settings may ask to change in it, is in storage/appending.py.
"""

from __future__ import annotations

import struct

from raftka.model.crc import crc32c
from raftka.model.ids import NO_TIMESTAMP, TopicPartition
from raftka.model.ports import Buffer
from raftka.model.record_batch import ATTRIBUTES_AT, HEADER, LOG_APPEND_TIME
from raftka.storage.appending import (
    PLAIN_ATTRIBUTES,
    bad_sequence,
    check_shape,
    convert,
    corrupt,
    is_opaque,
    out_of_range,
)
from raftka.storage.config import LogConfig

_unpack = HEADER.unpack_from

Accepted = tuple[memoryview, int, int, int, int, int, int, int, int, int]
"""(bytes to append, how many, attributes, last offset delta, largest timestamp, time of the append
or -1, producer id, its epoch, base sequence, count of records)"""


class LeaderChecks:
    """The checks of one partition, under its topic's settings."""

    __slots__ = (
        "_config",
        "_max_message_bytes",
        "_opaque",
        "_stamps",
        "_time_ahead_ms",
        "_topic_partition",
    )

    def __init__(self, topic_partition: TopicPartition, config: LogConfig) -> None:
        self._topic_partition = topic_partition
        self.configure(config)

    def configure(self, config: LogConfig) -> None:
        """Let other settings of the topic take effect."""
        self._config = config
        self._max_message_bytes = min(config.max_message_bytes, config.segment_bytes)
        self._opaque = is_opaque(config)
        self._time_ahead_ms = config.message_timestamp_after_max_ms
        self._stamps = config.message_timestamp_type == LOG_APPEND_TIME

    def accept(self, records: Buffer, now_ms: int, from_client: bool) -> Accepted:
        """What to append of exactly one batch. Raises KafkaError for one that cannot be taken."""
        try:
            fields = _unpack(records)
        except struct.error:
            check_shape(records, self._config, self._topic_partition, from_client)
            raise
        size = len(records)
        (base, length, _, magic, crc, attributes, delta, _, max_timestamp, producer_id,
         producer_epoch, base_sequence, count) = fields  # fmt: skip
        if (
            length + 12 != size
            or base
            or magic != 2
            or count != delta + 1
            or count < 1
            or size > self._max_message_bytes
            or size < 61 + 7 * count
            or attributes not in PLAIN_ATTRIBUTES
        ):
            check_shape(records, self._config, self._topic_partition, from_client)
        view = records if type(records) is memoryview else memoryview(records)
        computed = crc32c(view[ATTRIBUTES_AT:])
        if computed != crc:
            raise corrupt(crc, computed, self._topic_partition)
        append_time = NO_TIMESTAMP
        if self._opaque:
            if max_timestamp > now_ms + self._time_ahead_ms:
                raise out_of_range(max_timestamp, self._config, now_ms)
        else:
            view = memoryview(convert(view, self._config, self._topic_partition, now_ms))
            size = len(view)
            if self._stamps:
                append_time = max_timestamp = now_ms
        if producer_id >= 0 and base_sequence < 0 and from_client:
            raise bad_sequence(base_sequence, producer_id)
        return (
            view, size, attributes, delta, max_timestamp, append_time, producer_id, producer_epoch,
            base_sequence, count,
        )  # fmt: skip
