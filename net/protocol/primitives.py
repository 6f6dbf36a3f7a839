"""The helpers of compiled decoders and encoders: lengths, arrays of numbers, tags, record pieces.

Numbers are big-endian. A varint is 7 bits a byte, least significant first, the top bit set while
more follow (protocol guide, "Protocol Primitive Types"; KIP-482 for tagged fields).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from raftka.model.ports import Buffer, FileRegion, Piece

READ_ERRORS: Final = (struct.error, IndexError)
"""The exceptions of reading past the end."""

WRITE_ERRORS: Final = (struct.error, TypeError, AttributeError, UnicodeEncodeError, ValueError)
"""The exceptions of writing a value that does not fit its type."""

JOIN_BELOW_BYTES: Final = 512
"""Shorter record buffers are copied between the adjacent fields: that is cheaper than a piece."""

_SIZES: Final = {"b": 1, "h": 2, "H": 2, "i": 4, "I": 4, "q": 8, "d": 8}
_SHORT_RUN: Final = 16


class Flaw(ValueError):
    """A flaw of the bytes; the codec adds the message's name and raises MalformedMessage."""


def null(name: str) -> NoReturn:
    """A null length where the protocol allows no null."""
    raise Flaw(f"{name} is null")


def too_long(name: str, count: int, left: int) -> NoReturn:
    """An array's count exceeds the remaining bytes."""
    raise Flaw(f"{name} announces {count} elements with {left} bytes left")


def varint(b: Buffer, p: int, first: int) -> tuple[int, int]:
    """Continue reading a varint at p whose first byte was `first`, above 127; (value, position).

    Unrolled, since every long record set uses it.
    """
    byte = b[p]
    value = first & 0x7F | (byte & 0x7F) << 7
    if byte < 0x80:
        return value, p + 1
    byte = b[p + 1]
    value |= (byte & 0x7F) << 14
    if byte < 0x80:
        return value, p + 2
    byte = b[p + 2]
    value |= (byte & 0x7F) << 21
    if byte < 0x80:
        return value, p + 3
    byte = b[p + 3]
    if byte < 0x80:
        return value | byte << 28, p + 4
    raise Flaw("a varint is longer than 5 bytes")


def read_varint(b: Buffer, p: int) -> tuple[int, int]:
    """A varint at p; (value, position)."""
    byte = b[p]
    return (byte, p + 1) if byte < 0x80 else varint(b, p + 1, byte)


def skip_tags(b: Buffer, p: int, end: int, count: int) -> int:
    """Skip `count` tagged fields (a varint's first byte, if above 127); return the position."""
    if count > 127:
        count, p = varint(b, p, count)
    for _ in range(count):
        _, p = read_varint(b, p)
        size, p = read_varint(b, p)
        p += size
        if p > end:
            raise Flaw("a tagged field is longer than the message")
    return p


def _run(letter: str, count: int) -> struct.Struct:
    return struct.Struct(f">{count}{letter}")


_RUNS: Final = {letter: [_run(letter, n) for n in range(_SHORT_RUN)] for letter in "iq"}
"""Formats of short arrays of the common types (replicas, partition numbers), parsed once."""


def read_numbers(letter: str, b: Buffer, p: int, count: int) -> list[Any]:
    """`count` numbers at p. The caller has checked that there are enough bytes."""
    runs = _RUNS.get(letter)
    if runs is not None and count < _SHORT_RUN:
        return list(runs[count].unpack_from(b, p))
    stop = p + count * _SIZES[letter]
    return [value for (value,) in struct.iter_unpack(">" + letter, memoryview(b)[p:stop])]


def write_numbers(letter: str, values: Sequence[int]) -> bytes:
    """An array's elements."""
    runs = _RUNS.get(letter)
    count = len(values)
    run = runs[count] if runs is not None and count < _SHORT_RUN else _run(letter, count)
    return run.pack(*values)


_ONE_BYTE: Final = [bytes((value,)) for value in range(0x80)]


def write_varint(value: int) -> bytes:
    """An unsigned varint of up to 5 bytes."""
    if value < 0x80:
        return _ONE_BYTE[value]
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    if value < 0x20_0000:
        return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14))
    low = value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14 & 0x7F | 0x80
    if value < 0x1000_0000:
        return bytes((*low, value >> 21))
    return bytes((*low, value >> 21 & 0x7F | 0x80, value >> 28))


def size_of(pieces: Sequence[Piece]) -> int:
    """The size of pieces on the wire, in bytes."""
    return sum([piece.size if type(piece) is FileRegion else len(piece) for piece in pieces])


def place_records(
    w: bytearray, pieces: list[Piece], records: Buffer | list[Piece] | None, compact: bool
) -> bytearray:
    """Write a records field: its size into w, its bytes as separate pieces.

    `w` is added to `pieces` before them; returns the bytearray for the rest of the message.
    """
    if records is None:
        w += b"\0" if compact else b"\xff\xff\xff\xff"
        return w
    body: list[Piece] = records if isinstance(records, list) else [records]
    size = size_of(body)
    w += write_varint(size + 1) if compact else size.to_bytes(4, "big")
    if size < JOIN_BELOW_BYTES and not isinstance(records, list):
        w += records
        return w
    pieces.append(w)
    pieces += body
    return bytearray()
