"""The answer to Produce for one partition that took the records, written by hand.

That is what nearly every answer of a busy broker is; all others are encoded from a ProduceResponse,
and a test compares the two over all versions.
"""

from __future__ import annotations

import struct
from typing import Final

from raftka.net.protocol.primitives import write_varint

SINCE_LOG_START: Final = 5
SINCE_RECORD_ERRORS: Final = 8
SINCE_FLEXIBLE: Final = 9

_HEAD: Final = struct.Struct(">iii")
"""Size, correlation id, one topic."""
_FLEXIBLE_HEAD: Final = struct.Struct(">iiBB")
"""Size, correlation id, no tags, one topic."""
_ONE: Final = struct.pack(">i", 1)
_FLEXIBLE_ONE: Final = b"\x02"
_SHORT: Final = tuple(bytes((length,)) for length in range(128))
"""Varints of one byte."""
_OLD: Final = struct.Struct(">ihqq")
"""Index, error code, base offset, log append time."""
_PART: Final = struct.Struct(">ihqqq")
"""The same, and the log start offset."""
_NO_ERRORS: Final = struct.pack(">ih", 0, -1)
"""No record errors, and null for the error message."""
_FLEXIBLE_NO_ERRORS: Final = b"\x01\x00\x00\x00"
"""The same; no tags in the partition and none in the topic."""
_NO_THROTTLE: Final = bytes(4)
_FLEXIBLE_NO_THROTTLE: Final = bytes(5)


def write_produced(
    version: int,
    correlation_id: int,
    topic: str | bytes,
    index: int,
    base_offset: int,
    log_append_time: int,
    log_start_offset: int,
) -> bytes:
    """A whole frame, its 4-byte size in front. `topic` is its id from version 13 on."""
    if version >= SINCE_FLEXIBLE:
        if isinstance(topic, str):
            name = topic.encode()
            length = len(name) + 1
            topic = (_SHORT[length] if length < 128 else write_varint(length)) + name
        body = b"".join(
            (
                topic,
                _FLEXIBLE_ONE,
                _PART.pack(index, 0, base_offset, log_append_time, log_start_offset),
                _FLEXIBLE_NO_ERRORS,
                _FLEXIBLE_NO_THROTTLE,
            )
        )
        return _FLEXIBLE_HEAD.pack(6 + len(body), correlation_id, 0, 2) + body
    name = topic.encode() if isinstance(topic, str) else topic
    if version >= SINCE_LOG_START:
        part = _PART.pack(index, 0, base_offset, log_append_time, log_start_offset)
        if version >= SINCE_RECORD_ERRORS:
            part += _NO_ERRORS
    else:
        part = _OLD.pack(index, 0, base_offset, log_append_time)
    body = b"".join((len(name).to_bytes(2, "big"), name, _ONE, part, _NO_THROTTLE))
    return _HEAD.pack(8 + len(body), correlation_id, 1) + body
