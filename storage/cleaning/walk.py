"""Finds the records of a batch, parsing no more of them than needed.

A record consists of zigzag varints and bytes: its length, attributes, time and offset relative to
the batch's, key, value, headers (model/records.py). A cleaning reads the key of every record, so
varints of one and two bytes, the most frequent ones, are decoded inline.
"""

from __future__ import annotations

from raftka.model import compression as codecs
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.record_batch import HEADER_BYTES, BatchHeader
from raftka.model.records import read_varint
from raftka.storage.cleaning.offset_map import SHORT, fingerprint

Place = tuple[int, int, int, int, bytes | None, bool]
"""(start, end, offset, time relative to the batch's base, key, is a tombstone) of a record."""


def records_of(header: BatchHeader, batch: memoryview) -> bytes:
    """The decompressed records of a batch as bytes."""
    return bytes(codecs.decompress(header.compression, batch[HEADER_BYTES : header.size]))


def walk(header: BatchHeader, data: bytes) -> list[Place]:
    """The places of a batch's records in `data`, without parsing values and headers.

    Raises KafkaError CORRUPT_MESSAGE if the records do not fill `data` exactly.
    """
    found: list[Place] = []
    add = found.append
    base, position = header.base_offset, 0
    try:
        for _ in range(header.record_count):
            start = position
            size = data[position]
            if size < 0x80:
                position += 1
                end = position + (size >> 1)
            elif (more := data[position + 1]) < 0x80:
                position += 2
                end = position + ((size & 0x7F | more << 7) >> 1)
            else:
                size, position = read_varint(data, position)
                end = position + size
            time = data[position + 1]  # skip the attributes, of which none are defined
            if time < 0x80:
                time = (time >> 1) ^ -(time & 1)
                position += 2
            else:
                time, position = read_varint(data, position + 1)
            delta = data[position]
            if delta < 0x80:
                delta >>= 1
                position += 1
            else:
                delta, position = read_varint(data, position)
            size = data[position]
            if size < 0x80:
                size = (size >> 1) ^ -(size & 1)
                position += 1
            else:
                size, position = read_varint(data, position)
            key = None
            if size >= 0:
                key = data[position : position + size]
                position += size
            # A length of -1 is encoded as 1.
            add((start, end, base + delta, time, key, data[position] == 1))
            if position >= end:
                raise IndexError("a record is shorter than its key")
            position = end
    except IndexError as error:
        raise malformed(header) from error
    if position != len(data):
        raise malformed(header)
    return found


def note_keys(header: BatchHeader, data: bytes, offsets: dict[bytes, int]) -> bool:
    """Add the offset of each record with a key to `offsets`; return whether one has no value.

    The hottest loop of a cleaning: it processes every dirty record. Raises KafkaError
    CORRUPT_MESSAGE as `walk` does.
    """
    position, base, has_tombstone = 0, header.base_offset, False
    try:
        for _ in range(header.record_count):
            size = data[position]
            if size < 0x80:
                position += 1
                end = position + (size >> 1)
            elif (more := data[position + 1]) < 0x80:
                position += 2
                end = position + ((size & 0x7F | more << 7) >> 1)
            else:
                size, position = read_varint(data, position)
                end = position + size
            position += 1  # skip the attributes, of which none are defined
            while data[position] > 0x7F:
                position += 1
            delta = data[position + 1]
            if delta < 0x80:
                delta >>= 1
                position += 2
            else:
                delta, position = read_varint(data, position + 1)
            size = data[position]
            if size < 0x80:
                if size & 1:  # no key: only -1 is negative
                    position = end
                    continue
                start = position + 1
                position = start + (size >> 1)
            else:
                size, start = read_varint(data, position)
                position = start + size
            key = data[start:position]
            offsets[key if len(key) < SHORT else fingerprint(key)] = base + delta
            if data[position] == 1:
                has_tombstone = True
            if position >= end:
                raise IndexError("a record is shorter than its key")
            position = end
    except IndexError as error:
        raise malformed(header) from error
    if position != len(data):
        raise malformed(header)
    return has_tombstone


def malformed(header: BatchHeader) -> KafkaError:
    """The error for a batch whose records do not match its header."""
    return KafkaError(
        ErrorCode.CORRUPT_MESSAGE,
        f"The records of the batch at offset {header.base_offset} do not fill it exactly.",
    )
