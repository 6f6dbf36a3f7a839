"""The records of a journal file, and how to distinguish a torn tail from damage in the middle.

    marker (2) | size of the body (4) | CRC32C (4) | number of the write (8) | kind (1) | body

The checksum covers everything after itself, and the size. Records that become durable together
form one write: they share its number and end with an END record, and the next write begins only
when this one is durable. So after a bad record

- nothing of a later write: the crash hit this write, so its contents were never acknowledged. A
  torn tail, which is cut.
- something of a later write: this write was durable and has changed since. Damage, which is
  refused.
"""

from __future__ import annotations

import enum
import struct
from typing import Final

from raftka.model.crc import crc32c
from raftka.model.named_tuple import NamedTuple

MARKER: Final = b"\xafJ"
_HEAD: Final = struct.Struct(">2sII")
_KEY: Final = struct.Struct(">QB")
HEAD_SIZE: Final = _HEAD.size + _KEY.size


class Kind(enum.IntEnum):
    """The type of a record; the numbers are on disk and never reused."""

    FILE = 1
    """Format version: the first record of every file."""
    PREVIOUS = 2
    """(index, term) of the entry before this file."""
    STATE = 3
    """The current term and vote."""
    ENTRY = 4
    """(index, term) and command."""
    TRUNCATE = 5
    """Entries from this index on are truncated."""
    BASE = 6
    """A snapshot up to (index, term) replaces all entries."""
    COMMIT = 7
    """Entries up to this index are committed."""
    END = 8
    """The end of the write."""


INDEX: Final = struct.Struct(">Q")
POSITION: Final = struct.Struct(">QQ")
"""(index, term)"""
STATE: Final = struct.Struct(">Qi16s")
"""(term, id voted for or -1, its directory)"""
VERSION: Final = struct.Struct(">H")


class Record(NamedTuple):
    write: int
    kind: int
    body: memoryview


def encode(write: int, kind: Kind, *body: bytes) -> bytes:
    """Encode one record; the parts of the body are concatenated."""
    content = b"".join((_KEY.pack(write, kind), *body))
    size = len(content) - _KEY.size
    return _HEAD.pack(MARKER, size, crc32c(content, size)) + content


def decode(data: memoryview, offset: int) -> tuple[Record, int] | None:
    """The record at `offset` and the position of the next; None if there is no intact one."""
    if len(data) - offset < HEAD_SIZE:
        return None
    marker, size, checksum = _HEAD.unpack_from(data, offset)
    start, end = offset + _HEAD.size, offset + HEAD_SIZE + size
    if marker != MARKER or end > len(data):
        return None
    if crc32c(data[start:end], size) != checksum:
        return None
    write, kind = _KEY.unpack_from(data, start)
    return Record(write, kind, data[offset + HEAD_SIZE : end]), end


class Scan(NamedTuple):
    """A file's contents: intact records up to `end`, and the position of proven damage, if any."""

    records: list[Record]
    end: int
    damaged_at: int | None


def scan(data: bytes) -> Scan:
    """Read a file's records, up to the end or the first damaged one."""
    view = memoryview(data)
    records: list[Record] = []
    offset = 0
    while (found := decode(view, offset)) is not None:
        records.append(found[0])
        offset = found[1]
    if offset == len(data):
        return Scan(records, offset, None)
    unsound = 0
    if records:
        last = records[-1]
        unsound = last.write + 1 if last.kind == Kind.END else last.write
    return Scan(records, offset, offset if _later_write(data, offset + 1, unsound) else None)


def _later_write(data: bytes, offset: int, write: int) -> bool:
    """Whether there is an intact record of a write after `write` anywhere from `offset` on."""
    view = memoryview(data)
    while (offset := data.find(MARKER, offset)) >= 0:
        found = decode(view, offset)
        if found is not None and found[0].write > write:
            return True
        offset += 1
    return False
