"""The two sparse indexes of a segment, in Kafka's file formats.

X.index maps offsets to positions in X.log, one entry per `index.interval.bytes` of log: (offset
relative to the segment's base int32, position int32). X.timeindex maps timestamps to offsets:
(timestamp int64, relative offset int32); an entry has the largest timestamp up to that offset. Both
columns of both indexes ascend.

Entries are kept in arrays and written to the file in groups: an index is a hint that can be rebuilt
from the log at any time, so a crash may lose the last entries. They are read when first needed: a
broker has many old segments and reads few.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from operator import le, lt
from typing import Final

from raftka.model.ports import Disk

_GROUP: Final = 128
"""Buffered entries per write: about one write per 512 KiB of log."""


class IndexDisagrees(Exception):
    """An index file is invalid; the message has the reason. Rebuild it from the log."""


class _Index:
    """Common to both types: two parallel columns and the file that follows them."""

    ENTRY: struct.Struct
    KEY_TYPE: str

    def __init__(self, disk: Disk, path: str, base_offset: int, max_bytes: int) -> None:
        self.path = path
        self.base_offset = base_offset
        self.max_entries = max(1, max_bytes // self.ENTRY.size)
        self._disk = disk
        self._loaded = True
        self._written = 0
        self._stale = True
        """Whether the file may be missing, or have other bytes after the known entries."""
        self.keys = array(self.KEY_TYPE)
        self.values = array("i")

    def lazily(self) -> None:
        """Read the entries from the file at the first lookup."""
        self._loaded = self._stale = False

    def load(self) -> None:
        """Read the entries from the file. Raises IndexDisagrees."""
        try:
            file = self._disk.open(self.path)
        except FileNotFoundError:
            raise IndexDisagrees(f"{self.path} is missing") from None
        try:
            data = file.read(file.size(), 0)
        finally:
            file.close()
        size = self.ENTRY.size
        if len(data) % size:
            raise IndexDisagrees(f"{self.path} has {len(data)} bytes, no multiple of {size}")
        keys = _column(self.KEY_TYPE, data, 0, size)
        values = _column("i", data, size - 4, size)
        if not all(map(lt, keys, keys[1:])) or not all(map(le, values, values[1:])):
            # That is also what Apache Kafka leaves when it is killed: it preallocates the file with
            # zeros.
            raise IndexDisagrees(f"{self.path} has entries out of order")
        self.keys, self.values = keys, values
        self._written = len(keys)
        self._loaded = True

    def need(self) -> None:
        if not self._loaded:
            self.load()

    def __len__(self) -> int:
        self.need()
        return len(self.keys)

    @property
    def is_full(self) -> bool:
        return len(self.keys) >= self.max_entries

    def _add(self, key: int, value: int) -> None:
        self.keys.append(key)
        self.values.append(value)
        if len(self.keys) - self._written >= _GROUP:
            self.write()

    def write(self) -> None:
        """Write the pending entries to the file."""
        if not self._loaded or (self._written == len(self.keys) and not self._stale):
            return
        start = self._written
        pack = self.ENTRY.pack
        data = b"".join(map(pack, self.keys[start:], self.values[start:]))
        file = self._disk.open(self.path, create=True)
        try:
            if self._stale:
                file.truncate(start * self.ENTRY.size)
            if data:
                file.write([data], start * self.ENTRY.size)
        finally:
            file.close()
        self._written = len(self.keys)
        self._stale = False

    def sync(self) -> None:
        self.write()
        file = self._disk.open(self.path, create=True)
        try:
            file.sync()
        finally:
            file.close()

    def reset(self) -> None:
        """Drop all entries, and rewrite the file with the next write."""
        self._loaded = self._stale = True
        self._written = 0
        self._keep(0)

    def _keep(self, count: int) -> None:
        """Drop all entries after the first `count`."""
        del self.keys[count:]
        del self.values[count:]
        if self._written > count:
            self._written = count
            self._stale = True

    def release(self) -> None:
        """Drop the entries from memory until they are needed again."""
        self.write()
        self.keys = array(self.KEY_TYPE)
        self.values = array("i")
        self._loaded = False


def _column(kind: str, data: bytes, start: int, stride: int) -> array[int]:
    """The big-endian numbers at `start` of each entry: a full index has 250,000."""
    column = array(kind)
    packed = bytearray(len(data) // stride * column.itemsize)
    for byte in range(column.itemsize):
        packed[byte :: column.itemsize] = data[start + byte :: stride]
    column.frombytes(packed)
    if sys.byteorder == "little":
        column.byteswap()
    return column


class OffsetIndex(_Index):
    """(relative offset of a batch's last record, position of the batch)."""

    ENTRY = struct.Struct(">ii")
    KEY_TYPE = "i"

    def append(self, last_offset: int, position: int) -> None:
        self._add(last_offset - self.base_offset, position)

    def lookup(self, offset: int) -> tuple[int, int]:
        """The last entry whose batch ends at or before `offset`, as (last offset, position)."""
        self.need()
        return self._entry(bisect_right(self.keys, offset - self.base_offset) - 1)

    def lookup_position(self, position: int) -> tuple[int, int]:
        """The last entry at or before `position`, as (last offset, position)."""
        self.need()
        return self._entry(bisect_right(self.values, position) - 1)

    def offset_behind(self, position: int) -> int:
        """An offset that no batch before `position` reaches; a large one if no entry bounds it."""
        self.need()
        slot = bisect_left(self.values, position)
        return self.base_offset + self.keys[slot] if slot < len(self.keys) else 2**63 - 1

    def _entry(self, slot: int) -> tuple[int, int]:
        if slot < 0:
            return self.base_offset, 0
        return self.base_offset + self.keys[slot], self.values[slot]

    def truncate_to(self, offset: int) -> None:
        """Drop entries of batches that reach `offset` or beyond."""
        self.need()
        self._keep(bisect_left(self.keys, offset - self.base_offset))

    def check(self, log_size: int) -> None:
        """Raises IndexDisagrees if an entry points outside the log."""
        self.need()
        if self.keys and (self.keys[0] < 0 or not self.values[0] >= 0):
            raise IndexDisagrees(f"{self.path} has a negative entry")
        if self.values and self.values[-1] >= log_size:
            raise IndexDisagrees(f"{self.path} points past the end of its log")

    def entries(self) -> Iterable[tuple[int, int]]:
        """(offset, position) of each entry."""
        self.need()
        return [
            (self.base_offset + key, at) for key, at in zip(self.keys, self.values, strict=True)
        ]


class TimeIndex(_Index):
    """(largest timestamp so far, relative offset of the last record of its batch)."""

    ENTRY = struct.Struct(">qi")
    KEY_TYPE = "q"

    def maybe_append(self, timestamp: int, offset: int) -> None:
        """Add an entry unless the time has not increased since the last one."""
        if timestamp >= 0 and (not self.keys or timestamp > self.keys[-1]):
            self._add(timestamp, offset - self.base_offset)

    def lookup(self, timestamp: int) -> int:
        """An offset before which no record has a timestamp >= `timestamp`."""
        self.need()
        slot = bisect_left(self.keys, timestamp)
        return self.base_offset + (self.values[slot - 1] if slot else 0)

    def last(self) -> tuple[int, int] | None:
        """(timestamp, offset) of the last entry."""
        self.need()
        return (self.keys[-1], self.base_offset + self.values[-1]) if self.keys else None

    def truncate_to(self, offset: int) -> None:
        """Drop entries for `offset` and beyond."""
        self.need()
        self._keep(bisect_left(self.values, offset - self.base_offset))

    def entries(self) -> Iterable[tuple[int, int]]:
        """(timestamp, offset) of each entry."""
        self.need()
        return [
            (key, self.base_offset + at) for key, at in zip(self.keys, self.values, strict=True)
        ]
