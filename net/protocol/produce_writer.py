"""A hand-written encoder of successful answers to Produce for one partition.

Nearly all answers of a busy broker are like this; all others are encoded from a ProduceResponse,
and a test compares the two over all versions. The common part of all answers about a topic is
created once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from raftka.net.protocol.primitives import write_varint

SINCE_LOG_START: Final = 5
SINCE_RECORD_ERRORS: Final = 8
SINCE_FLEXIBLE: Final = 9

_ONE: Final = struct.pack(">i", 1)
_FLEXIBLE_ONE: Final = b"\x02"
_NO_TAGS: Final = b"\x00"
_NO_ERRORS: Final = struct.pack(">ih", 0, -1)
"""No record errors, and null for the error message."""
_FLEXIBLE_NO_ERRORS: Final = b"\x01\x00\x00\x00"
"""The same; no tags in the partition and none in the topic."""
_NO_THROTTLE: Final = bytes(4)
_FLEXIBLE_NO_THROTTLE: Final = bytes(5)

_FORMS: Final[dict[tuple[int, str | bytes], tuple[Callable[..., bytes], int, bytes, bytes]]] = {}
"""By version and topic: an answer's packer, size, and bytes before and after its numbers."""
_FORMS_MAX: Final = 10_000


def write_produced(
    version: int,
    correlation_id: int,
    topic: str | bytes,
    index: int,
    base_offset: int,
    log_append_time: int,
    log_start_offset: int,
) -> bytes:
    """A complete frame, preceded by its 4-byte size. `topic` is its id from version 13 on."""
    try:
        pack, size, before, behind = _FORMS[version, topic]
    except KeyError:
        pack, size, before, behind = _form(version, topic)
    if version >= SINCE_LOG_START:
        return pack(
            size, correlation_id, before, index, 0, base_offset, log_append_time,
            log_start_offset, behind,
        )  # fmt: skip
    return pack(size, correlation_id, before, index, 0, base_offset, log_append_time, behind)


def _form(version: int, topic: str | bytes) -> tuple[Callable[..., bytes], int, bytes, bytes]:
    name = topic.encode() if isinstance(topic, str) else topic
    if version >= SINCE_FLEXIBLE:
        named = name if isinstance(topic, bytes) else write_varint(len(name) + 1) + name
        before = _NO_TAGS + _FLEXIBLE_ONE + named + _FLEXIBLE_ONE
        behind = _FLEXIBLE_NO_ERRORS + _FLEXIBLE_NO_THROTTLE
    else:
        before = _ONE + len(name).to_bytes(2, "big") + name + _ONE
        behind = (_NO_ERRORS if version >= SINCE_RECORD_ERRORS else b"") + _NO_THROTTLE
    # Size and correlation id; index, error code, base offset, log append time, log start offset.
    numbers = "ihqqq" if version >= SINCE_LOG_START else "ihqq"
    packer = struct.Struct(f">ii{len(before)}s{numbers}{len(behind)}s")
    if len(_FORMS) >= _FORMS_MAX:
        _FORMS.clear()
    form = _FORMS[version, topic] = (packer.pack, packer.size - 4, before, behind)
    return form
