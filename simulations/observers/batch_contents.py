"""The contents of a batch, decoded without the code of brokers and clients.

The cleaner leaves gaps in offset deltas, which still ascend.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from raftka.model import compression
from raftka.model.crc import crc32c
from raftka.model.errors import KafkaError

_CRC: Final = struct.Struct(">I")
_CRC_AT: Final = 17
_ATTRIBUTES: Final = struct.Struct(">hi")
"""Attributes and last offset delta."""
_ATTRIBUTES_AT: Final = 21
_COUNT: Final = struct.Struct(">i")
_COUNT_AT: Final = 57
_RECORDS_AT: Final = 61
_BASE_OFFSET: Final = struct.Struct(">q")
_FIRST_TIME: Final = struct.Struct(">q")
_FIRST_TIME_AT: Final = 27
_MARKER_KEY: Final = struct.Struct(">hh")
"""Version; 0 for an abort, 1 for a commit."""
_MARKER_VALUE: Final = struct.Struct(">hi")
"""Version, the coordinator's epoch."""
_CODEC_MASK: Final = 7
_STAMPED: Final = 8
TRANSACTIONAL: Final = 16
CONTROL: Final = 32
DELETE_HORIZON: Final = 64
"""The first timestamp is the time from which tombstones and markers may go (KIP-534)."""


class Entry(NamedTuple):
    """One record."""

    offset: int
    timestamp: int
    """ms since 1970; -1 where the batch's timestamp applies to all records."""
    key: bytes | None
    value: bytes | None


def unreadable(batch: bytes | bytearray) -> str | None:
    """What is wrong with the records of a whole batch; None when nothing is."""
    attributes, last_delta = _ATTRIBUTES.unpack_from(batch, _ATTRIBUTES_AT)
    (count,) = _COUNT.unpack_from(batch, _COUNT_AT)
    codec = attributes & _CODEC_MASK
    if codec >= len(compression.NAMES):
        return f"there is no codec {codec}"
    try:
        data = _records(batch, codec)
    except KafkaError as error:
        return f"its {compression.NAMES[codec]} cannot be decompressed: {error.message}"
    position, before = 0, -1
    try:
        for index in range(count):
            size, start = _varint(data, position)
            position = start + size
            if size < 0 or position > len(data):
                return f"record {index} of {count} ends behind the batch"
            _, at = _varint(data, start + 1)
            delta, at = _varint(data, at)
            if not before < delta <= last_delta:
                return f"record {index} has offset delta {delta} after {before}, up to {last_delta}"
            before = delta
            if (end := _end_of_fields(data, at)) != position:
                return f"record {index} ends at byte {end}, and says {position}"
    except IndexError:
        return f"it has fewer than {count} records"
    if position != len(data):
        return f"{len(data) - position} bytes follow its {count} records"
    return None


class Marker(NamedTuple):
    """How a transaction has ended."""

    commits: bool
    coordinator_epoch: int


def marker_of(batch: bytes | bytearray) -> Marker | None:
    """The end of a transaction that a control batch marks; None for any other control batch."""
    for entry in entries(batch):
        if entry.key is None or entry.value is None or len(entry.value) < _MARKER_VALUE.size:
            continue
        _, kind = _MARKER_KEY.unpack_from(entry.key)
        _, epoch = _MARKER_VALUE.unpack_from(entry.value)
        if kind in (0, 1):
            return Marker(bool(kind), epoch)
    return None


def entries(batch: bytes | bytearray) -> Iterator[Entry]:
    """The records of a batch; none if a disk has damaged it."""
    (crc,) = _CRC.unpack_from(batch, _CRC_AT)
    if crc32c(bytes(batch[_ATTRIBUTES_AT:])) != crc:
        return
    (base,) = _BASE_OFFSET.unpack_from(batch)
    attributes, _ = _ATTRIBUTES.unpack_from(batch, _ATTRIBUTES_AT)
    (first_ms,) = _FIRST_TIME.unpack_from(batch, _FIRST_TIME_AT)
    (count,) = _COUNT.unpack_from(batch, _COUNT_AT)
    data = _records(batch, attributes & _CODEC_MASK)
    position = 0
    for _ in range(count):
        size, start = _varint(data, position)
        position = start + size
        delta_ms, at = _varint(data, start + 1)
        delta, at = _varint(data, at)
        key, at = _field(data, at)
        value, at = _field(data, at)
        timestamp = -1 if attributes & _STAMPED else first_ms + delta_ms
        yield Entry(base + delta, timestamp, key, value)


def _records(batch: bytes | bytearray, codec: int) -> bytes:
    data = bytes(batch[_RECORDS_AT:])
    if not codec or not data:
        return data
    return bytes(compression.decompress(compression.NAMES[codec], memoryview(data)))


def _field(data: bytes, at: int) -> tuple[bytes | None, int]:
    size, at = _varint(data, at)
    return (None, at) if size < 0 else (data[at : at + size], at + size)


def _end_of_fields(data: bytes, at: int) -> int:
    """Where a record ends by its key, value and headers, which begin at `at`."""
    for _ in range(2):
        size, at = _varint(data, at)
        at += max(0, size)
    headers, at = _varint(data, at)
    for _ in range(2 * headers):
        size, at = _varint(data, at)
        at += max(0, size)
    return at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(a zigzag varint, where it ends). Raises IndexError when the data ends inside it."""
    found = shift = 0
    while (byte := data[at]) & 0x80:
        found |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    found |= byte << shift
    return (found >> 1) ^ -(found & 1), at + 1
