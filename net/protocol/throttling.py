"""Reads and writes the throttle time in encoded frames, without decoding them.

Frames come from the hand-written answers to Fetch and Produce, and from the active controller. The
field is the first one, except in Produce, where it is the last, before the count of tagged fields,
which is 0 in hand-written answers. Answers with the field elsewhere (ApiVersions, OffsetDelete) are
never in that form.
"""

from __future__ import annotations

import struct
from typing import Final, cast

from raftka.model.ports import Buffer, Piece
from raftka.net.protocol.layout import shape_of
from raftka.net.protocol.message import Response

THROTTLE_TIME: Final = "throttle_time"
"""The field's name in all responses that have it; in milliseconds."""

_PRODUCE: Final = 0
_INT: Final = struct.Struct(">i")


_PLACES: Final[dict[tuple[type[Response], int], int | None]] = {}


def _place(cls: type[Response], version: int) -> int | None:
    """The field's position in a frame with its size; negative: from the end."""
    if (cls, version) not in _PLACES:
        _PLACES[cls, version] = _find_place(cls, version)
    return _PLACES[cls, version]


def _find_place(cls: type[Response], version: int) -> int | None:
    shape = shape_of(cls, version)
    names = [slot.name for slot in shape.plain]
    if names[0] == THROTTLE_TIME:
        return 9 if version >= cls.HEADER_FLEXIBLE_FROM else 8
    if cls.API_KEY == _PRODUCE:
        return -5 if shape.flexible else -4
    return None


def throttle_ms_in(cls: type[Response], version: int, frame: list[Piece]) -> int:
    """The throttle time in an answer of that class; 0 if it has no such field."""
    place = _place(cls, version)
    if place is None or not frame:
        return 0
    data = _joined(frame, place)
    (found,) = _INT.unpack_from(data, place if place >= 0 else len(data) + place)
    return int(found)


def put_throttle_ms(cls: type[Response], version: int, frame: list[Piece], time_ms: int) -> None:
    """Set the throttle time in an answer of that class, if it has the field."""
    place = _place(cls, version)
    if place is None or not frame:
        return
    data = _joined(frame, place)
    if not isinstance(data, bytearray):
        data = frame[0 if place >= 0 else -1] = bytearray(data)
    _INT.pack_into(data, place if place >= 0 else len(data) + place, time_ms)


def _joined(frame: list[Piece], place: int) -> Buffer:
    """The piece of a frame that contains the whole field; the first two are joined if it spans
    both.

    The controller's answer has its size in a separate piece.
    """
    if place < 0:
        return cast(Buffer, frame[-1])
    if len(cast(Buffer, frame[0])) < place + _INT.size:
        frame[:2] = [bytearray(cast(Buffer, frame[0])) + cast(Buffer, frame[1])]
    return cast(Buffer, frame[0])
