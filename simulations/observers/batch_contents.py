"""Whether a consumer can read a batch, checked without the code that brokers and clients use.

The cleaner leaves gaps in offset deltas; they ascend all the same.
"""

from __future__ import annotations

import struct
from typing import Final

from raftka.model import compression
from raftka.model.errors import KafkaError

_ATTRIBUTES: Final = struct.Struct(">hi")
"""Attributes and last offset delta."""
_ATTRIBUTES_AT: Final = 21
_COUNT: Final = struct.Struct(">i")
_COUNT_AT: Final = 57
_RECORDS_AT: Final = 61
_CODEC_MASK: Final = 7


def unreadable(batch: bytes | bytearray) -> str | None:
    """What is wrong with the records of a whole batch, in words; None when nothing is."""
    attributes, last_delta = _ATTRIBUTES.unpack_from(batch, _ATTRIBUTES_AT)
    (count,) = _COUNT.unpack_from(batch, _COUNT_AT)
    data = bytes(batch[_RECORDS_AT:])
    codec = attributes & _CODEC_MASK
    if codec >= len(compression.NAMES):
        return f"there is no codec {codec}"
    if codec:
        try:
            data = bytes(compression.decompress(compression.NAMES[codec], memoryview(data)))
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
    """(a zigzag varint, where it ends). Raises IndexError when the data end before."""
    found = shift = 0
    while (byte := data[at]) & 0x80:
        found |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    found |= byte << shift
    return (found >> 1) ^ -(found & 1), at + 1
