"""Record batch v2: its header, its checksum, its position in the log.

This module treats the records as opaque. A broker reads these 61 bytes, checks the CRC over
everything from the attributes on, and overwrites two fields before it: the base offset and the
partition leader epoch, which the CRC excludes for that purpose. model/records.py parses the
records.

    offset  0 base offset        int64    21 attributes          int16   43 producer id     int64
            8 batch length       int32    23 last offset delta   int32   51 producer epoch  int16
           12 leader epoch       int32    27 base timestamp      int64   53 base sequence   int32
           16 magic              int8     35 max timestamp       int64   57 record count    int32
           17 crc                uint32                                  61 records

Source: Kafka's protocol documentation, "Record Batch"; KIP-98.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from raftka.model.compression import NAMES as COMPRESSIONS
from raftka.model.crc import crc32c
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.named_tuple import NamedTuple

Buffer = bytes | bytearray | memoryview

HEADER: Final = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES: Final = HEADER.size
MAGIC: Final = 2
MAGIC_AT: Final = 16
CRC_AT: Final = 17
ATTRIBUTES_AT: Final = 21
RECORD_COUNT_AT: Final = 57
"""The position of the first byte that the CRC covers."""

LENGTH_OVERHEAD: Final = 12
"""The bytes that the batch length does not count: the base offset and the length itself."""

COMPRESSION_MASK: Final = 0x07
LOG_APPEND_TIME_BIT: Final = 0x08
TRANSACTIONAL_BIT: Final = 0x10
CONTROL_BIT: Final = 0x20
DELETE_HORIZON_BIT: Final = 0x40

CREATE_TIME: Final = "CreateTime"
LOG_APPEND_TIME: Final = "LogAppendTime"

MAX_SEQUENCE: Final = 2**31 - 1

# Base offset, length (unchanged, so that one call writes all) and leader epoch.
_PLACE: Final = struct.Struct(">qii")
_PREFIX: Final = struct.Struct(">qi")
_CRC: Final = struct.Struct(">I")


class BatchHeader(NamedTuple):
    """The fields of a batch's header, in the order of the bytes."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        """The size of the whole batch in bytes."""
        return self.length + LENGTH_OVERHEAD

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def compression(self) -> str:
        """The codec's name. Raises KafkaError CORRUPT_MESSAGE for an unknown number."""
        number = self.attributes & COMPRESSION_MASK
        if number >= len(COMPRESSIONS):
            raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"Unknown compression type id: {number}")
        return COMPRESSIONS[number]

    @property
    def timestamp_type(self) -> str:
        return LOG_APPEND_TIME if self.attributes & LOG_APPEND_TIME_BIT else CREATE_TIME

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL_BIT)

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & CONTROL_BIT)

    @property
    def delete_horizon_ms(self) -> int | None:
        """When its tombstones may be removed by compaction (KIP-534); stored as base timestamp."""
        return self.base_timestamp if self.attributes & DELETE_HORIZON_BIT else None

    @property
    def last_sequence(self) -> int:
        """The sequence of the last record; sequences wrap after 2**31 - 1. -1 without one."""
        if self.base_sequence < 0:
            return -1
        return advance_sequence(self.base_sequence, self.last_offset_delta)


def advance_sequence(sequence: int, increment: int) -> int:
    """`sequence` plus `increment`, wrapping from 2**31 - 1 to 0."""
    return (sequence + increment) & MAX_SEQUENCE


def parse_header(buffer: Buffer, offset: int = 0) -> BatchHeader:
    """Parse the header at `offset`. Raises KafkaError CORRUPT_MESSAGE for too few bytes."""
    try:
        return BatchHeader._make(HEADER.unpack_from(buffer, offset))
    except struct.error:
        raise KafkaError(
            ErrorCode.CORRUPT_MESSAGE,
            f"{len(buffer) - offset} bytes are too few for a batch header of {HEADER_BYTES}.",
        ) from None


def complete_size(buffer: Buffer, offset: int = 0) -> int:
    """The size of the batch at `offset`, or 0 if it is incomplete.

    Raises KafkaError CORRUPT_MESSAGE for an impossible length.
    """
    if len(buffer) - offset < LENGTH_OVERHEAD:
        return 0
    size: int = _PREFIX.unpack_from(buffer, offset)[1] + LENGTH_OVERHEAD
    if size < HEADER_BYTES:
        raise KafkaError(
            ErrorCode.CORRUPT_MESSAGE,
            f"A batch claims {size} bytes, fewer than its header of {HEADER_BYTES}.",
        )
    return size if offset + size <= len(buffer) else 0


def iter_batches(buffer: Buffer) -> Iterator[tuple[BatchHeader, memoryview]]:
    """Each complete batch of `buffer` with a view of its bytes; an incomplete last one is left out.

    Raises KafkaError CORRUPT_MESSAGE for an impossible length or magic. CRCs are not checked.
    """
    view = memoryview(buffer)
    position = 0
    while size := complete_size(view, position):
        header = parse_header(view, position)
        if header.magic != MAGIC:
            raise KafkaError(
                ErrorCode.CORRUPT_MESSAGE,
                f"A batch of message format {header.magic}; only {MAGIC} is known.",
            )
        yield header, view[position : position + size]
        position += size


def validate(batch: Buffer) -> BatchHeader:
    """The header of exactly one intact batch.

    Raises KafkaError CORRUPT_MESSAGE for a wrong size, magic or CRC.
    """
    view = memoryview(batch)
    header = parse_header(view)
    if header.magic != MAGIC:
        raise KafkaError(
            ErrorCode.CORRUPT_MESSAGE,
            f"A batch of message format {header.magic}; only {MAGIC} is known.",
        )
    if header.size != len(view):
        raise KafkaError(
            ErrorCode.CORRUPT_MESSAGE,
            f"A batch claims {header.size} bytes and has {len(view)}.",
        )
    computed = crc32c(view[ATTRIBUTES_AT:])
    if computed != header.crc:
        raise KafkaError(
            ErrorCode.CORRUPT_MESSAGE,
            f"Record is corrupt (stored crc = {header.crc}, computed crc = {computed})",
        )
    return header


def patch(batch: bytearray | memoryview, base_offset: int, leader_epoch: int) -> None:
    """Set a batch's offset and leader epoch, in place; the CRC stays valid."""
    _PLACE.pack_into(batch, 0, base_offset, len(batch) - LENGTH_OVERHEAD, leader_epoch)


def place_bytes(size: int, base_offset: int, leader_epoch: int) -> bytes:
    """The first 16 bytes of a batch of `size` bytes, if it cannot be patched in place."""
    return _PLACE.pack(base_offset, size - LENGTH_OVERHEAD, leader_epoch)


def restamp(batch: bytearray | memoryview, max_timestamp: int, timestamp_type: str) -> None:
    """Set a batch's largest timestamp (ms) and timestamp type, in place, and update the CRC.

    LOG_APPEND_TIME makes `max_timestamp` the time of all of its records.
    """
    view = memoryview(batch)
    attributes = int.from_bytes(view[21:23], "big") & ~LOG_APPEND_TIME_BIT
    if timestamp_type == LOG_APPEND_TIME:
        attributes |= LOG_APPEND_TIME_BIT
    view[21:23] = attributes.to_bytes(2, "big")
    view[35:43] = max_timestamp.to_bytes(8, "big", signed=True)
    _CRC.pack_into(batch, CRC_AT, crc32c(view[ATTRIBUTES_AT:]))
