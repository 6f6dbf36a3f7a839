"""Messages of the formats before batches (magic 0 and 1), for tools that read old segments.

Layout of one entry of a message set:

    0 offset int64 | 8 length int32 | 12 crc uint32 | 16 magic int8 | 17 attributes int8
    18 timestamp int64 (magic 1 only) | key (int32 length, bytes) | value (int32 length, bytes)

The CRC is the CRC-32 of what follows it. The value of a compressed message is a message set: its
offsets are absolute with magic 0, relative with magic 1, where the wrapper has that of the last.

Source: the message set section of Kafka's protocol documentation; KIP-31, KIP-32.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from raftka.model import compression
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.record_batch import (
    COMPRESSION_MASK,
    CREATE_TIME,
    LENGTH_OVERHEAD,
    LOG_APPEND_TIME,
    LOG_APPEND_TIME_BIT,
    MAGIC_AT,
)

MIN_LENGTH: Final = 14
"""The minimal length field of any entry, in all formats: magic 0 without key and value."""

_HEADER: Final = struct.Struct(">qiIbb")
_INT64: Final = struct.Struct(">q")
_INT32: Final = struct.Struct(">i")


class Message(NamedTuple):
    """One message; the timestamp is in ms since 1970, -1 with magic 0."""

    offset: int
    length: int
    crc: int
    magic: int
    attributes: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    is_valid: bool
    """Whether the CRC matches."""

    @property
    def size(self) -> int:
        """The size of the whole entry in bytes."""
        return self.length + LENGTH_OVERHEAD

    @property
    def codec(self) -> int:
        return self.attributes & COMPRESSION_MASK

    @property
    def timestamp_type(self) -> str:
        if self.magic == 0:
            return "NoTimestampType"
        return LOG_APPEND_TIME if self.attributes & LOG_APPEND_TIME_BIT else CREATE_TIME


def parse_message(data: bytes) -> Message:
    """Parse the message at the start of `data`. Raises KafkaError CORRUPT_MESSAGE."""
    try:
        offset, length, crc, magic, attributes = _HEADER.unpack_from(data)
        end = length + LENGTH_OVERHEAD
        if magic not in (0, 1) or length < MIN_LENGTH or end > len(data):
            raise _corrupt(f"{length} bytes with magic {magic} are no message")
        position, timestamp = _HEADER.size, -1
        if magic == 1:
            (timestamp,) = _INT64.unpack_from(data, position)
            position += _INT64.size
        key, position = _field(data, position, end)
        value, position = _field(data, position, end)
    except struct.error as error:
        raise _corrupt(f"a message is cut off ({error})") from error
    is_valid = zlib.crc32(memoryview(data)[MAGIC_AT:end]) == crc
    return Message(offset, length, crc, magic, attributes, timestamp, key, value, is_valid)


def iter_messages(message: Message, limit: int = compression.LIMIT_BYTES) -> Iterator[Message]:
    """The message itself, or those within a compressed one with their absolute offsets.

    Raises KafkaError: CORRUPT_MESSAGE if there are none or they do not have the wrapper's format,
    RECORD_LIST_TOO_LARGE above `limit` bytes.
    """
    if not message.codec:
        yield message
        return
    if message.codec >= len(compression.NAMES):
        raise _corrupt(f"Unknown compression type id: {message.codec}")
    codec = compression.NAMES[message.codec]
    data = bytes(compression.decompress(codec, message.value or b"", limit))
    inner = []
    position = 0
    while position < len(data):
        found = parse_message(data[position : position + _size_at(data, position)])
        if found.magic != message.magic or found.codec:
            raise _corrupt(
                f"a compressed message of magic {message.magic} holds one of magic "
                f"{found.magic} and compression {found.codec}"
            )
        inner.append(found)
        position += found.size
    if not inner:
        raise _corrupt("a compressed message holds no messages")
    shift = message.offset - inner[-1].offset if message.magic == 1 else 0
    is_stamped = message.timestamp_type == LOG_APPEND_TIME
    for found in inner:
        timestamp = message.timestamp if is_stamped else found.timestamp
        yield found._replace(offset=found.offset + shift, timestamp=timestamp)


def _size_at(data: bytes, position: int) -> int:
    """The size of the entry at a position, by its length field."""
    length = int.from_bytes(data[position + 8 : position + LENGTH_OVERHEAD], "big", signed=True)
    return max(0, length) + LENGTH_OVERHEAD


def _field(data: bytes, position: int, end: int) -> tuple[bytes | None, int]:
    """(bytes or None, position after them) of a length-prefixed field."""
    (length,) = _INT32.unpack_from(data, position)
    position += _INT32.size
    if length < 0:
        return None, position
    if position + length > end:
        raise _corrupt(f"a key or value of {length} bytes reaches past its message")
    return data[position : position + length], position + length


def _corrupt(what: str) -> KafkaError:
    return KafkaError(ErrorCode.CORRUPT_MESSAGE, what)
