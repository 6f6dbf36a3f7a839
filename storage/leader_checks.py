"""A leader's checks of a batch before it appends it: it parses the header, computes the CRC and
inspects the records, once each.

The hot path: everything rare is behind a comparison that is usually false. storage/appending.py has
the errors in headers, storage/admission.py the errors in records and the conversions.
"""

from __future__ import annotations

import struct
from typing import Final

from raftka.model.crc import crc32c
from raftka.model.ids import NO_TIMESTAMP, TopicPartition
from raftka.model.ports import Buffer
from raftka.model.record_batch import (
    ATTRIBUTES_AT,
    HEADER,
    TRANSACTIONAL_BIT,
    BatchHeader,
)
from raftka.model.record_check import HEAD_BYTES, SHAPES, learn_shape, newest_delta
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.storage.admission import Admission
from raftka.storage.appending import PLAIN_ATTRIBUTES, bad_sequence, check_shape, corrupt
from raftka.storage.config import LogConfig

_WITH_HEAD: Final = struct.Struct(f"{HEADER.format}{HEAD_BYTES}s")
_unpack = _WITH_HEAD.unpack_from

_LOOKED_INTO = ~TRANSACTIONAL_BIT
"""Attributes that only `Admission` can judge."""

Accepted = tuple[memoryview, int, int, int, int, int, int, int, int, int]
"""(bytes to append, their size, attributes, last offset delta, largest timestamp, time of the
append or -1, producer id, its epoch, base sequence, number of records)"""


class LeaderChecks:
    """The checks of one partition, with its topic's settings."""

    __slots__ = (
        "_admission",
        "_config",
        "_max_message_bytes",
        "_rules_off",
        "_time_ahead_ms",
        "_topic_partition",
    )

    def __init__(
        self, topic_partition: TopicPartition, config: LogConfig, rules_off: RulesOff = ALL_HOLD
    ) -> None:
        self._rules_off = rules_off
        self._topic_partition = topic_partition
        self.configure(config)

    def configure(self, config: LogConfig) -> None:
        """Apply new settings of the topic."""
        self._config = config
        self._max_message_bytes = min(config.max_message_bytes, config.segment_bytes)
        self._time_ahead_ms = config.message_timestamp_after_max_ms
        self._admission = Admission(config, self._topic_partition, self._rules_off)

    def accept(self, records: Buffer, now_ms: int, from_client: bool) -> Accepted:
        """The form to append of exactly one batch. Raises KafkaError if it is refused."""
        view = records if type(records) is memoryview else memoryview(records)
        size = len(view)
        if size < _WITH_HEAD.size:
            view = check_shape(view, self._config, self._topic_partition, from_client)
            fields = _unpack(bytes(view) + bytes(HEAD_BYTES))
        else:
            fields = _unpack(view)
        (base, length, _, magic, crc, attributes, delta, base_timestamp, max_timestamp,
         producer_id, producer_epoch, base_sequence, count, head) = fields  # fmt: skip
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
            view = check_shape(view, self._config, self._topic_partition, from_client)
            size = len(view)
        computed = crc32c(view[ATTRIBUTES_AT:])
        if computed != crc:
            raise corrupt(crc, computed, self._topic_partition)
        if producer_id >= 0 and base_sequence < 0 and from_client:
            raise bad_sequence(base_sequence, producer_id)
        append_time = NO_TIMESTAMP
        if attributes & _LOOKED_INTO or not self._admission.is_plain:
            newest = -1
        elif count == 1:
            try:
                size_of_shape, newest, at, byte, after, byte_after = SHAPES[head]
            except KeyError:
                newest = learn_shape(view, size)
            else:
                if (
                    size_of_shape != size
                    or view[at] != byte
                    or view[after] != byte_after
                    or view[size - 1]
                ):
                    newest = newest_delta(view)
        else:
            newest = newest_delta(view)
        if (
            newest < 0
            or base_timestamp + newest != max_timestamp
            or not 0 <= base_timestamp <= max_timestamp <= now_ms + self._time_ahead_ms
        ):
            view, max_timestamp, append_time = self._admission.admit(
                view, BatchHeader._make(fields[:-1]), now_ms
            )
            size = len(view)
        return (
            view, size, attributes, delta, max_timestamp, append_time, producer_id, producer_epoch,
            base_sequence, count,
        )  # fmt: skip
