"""X.txnindex: the aborted transactions whose end marker is in segment X, in Kafka's bytes.

A read_committed consumer gets the aborted transactions that overlap its fetch, and skips their
records itself (KIP-98). Each entry is version int16 = 0, producer id int64, first offset int64,
offset of the marker int64, and the last stable offset after it int64; entries are in the order of
their markers.

Unlike the other two indexes this one is not a hint: without an entry an aborted record looks
committed. An entry is written and synced with its marker, and recreated when a log is scanned. The
file is created with the first entry.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from raftka.model.named_tuple import NamedTuple
from raftka.model.ports import Disk, read_file
from raftka.storage.index import IndexDisagrees

SUFFIX: Final = ".txnindex"
ENTRY: Final = struct.Struct(">hqqqq")
_VERSION: Final = 0


class AbortedTransaction(NamedTuple):
    """One entry."""

    producer_id: int
    first_offset: int
    last_offset: int
    """The offset of the marker."""
    last_stable_offset: int
    """When this transaction ended, no other open one began before this offset: so no later entry,
    of a transaction that ended later, has a record before it."""


_last_offset: Final = attrgetter("last_offset")


def decode(data: bytes) -> list[AbortedTransaction]:
    """Decode the entries of a file; an incomplete last one is ignored."""
    whole = len(data) - len(data) % ENTRY.size
    return [AbortedTransaction(*fields[1:]) for fields in ENTRY.iter_unpack(data[:whole])]


def encode(entries: Iterable[AbortedTransaction]) -> bytes:
    """Encode entries."""
    return b"".join(ENTRY.pack(_VERSION, *entry) for entry in entries)


class TransactionIndex:
    """The aborted transactions of one segment. The file is read when it is first needed."""

    __slots__ = ("_base_offset", "_disk", "_entries", "_unsynced", "path")

    def __init__(self, disk: Disk, path: str, base_offset: int, *, is_new: bool) -> None:
        self.path = path
        self._disk = disk
        self._base_offset = base_offset
        self._entries: list[AbortedTransaction] | None = [] if is_new else None
        """None until the file is read."""
        self._unsynced = False

    @property
    def entries(self) -> list[AbortedTransaction]:
        """Ascending by the offset of the marker; read-only. Raises OSError."""
        if self._entries is None:
            self._entries = decode(self._read())
        return self._entries

    def _read(self) -> bytes:
        try:
            return read_file(self._disk, self.path)
        except FileNotFoundError:
            return b""

    def check(self) -> None:
        """Raises IndexDisagrees if the file is invalid, OSError if it is unreadable."""
        data = self._read()
        if len(data) % ENTRY.size:
            raise IndexDisagrees(f"{self.path} has {len(data)} bytes, no multiple of {ENTRY.size}")
        if any(fields[0] != _VERSION for fields in ENTRY.iter_unpack(data)):
            raise IndexDisagrees(f"{self.path} has entries of an unknown version")
        before = self._base_offset - 1
        for entry in decode(data):
            if not entry.last_offset > before or entry.first_offset > entry.last_offset:
                raise IndexDisagrees(f"{self.path} has entries out of order")
            before = entry.last_offset

    def append(self, transaction: AbortedTransaction) -> bool:
        """Add an ended transaction; return whether that created the file. Raises OSError."""
        entries = self.entries
        is_first = not entries
        self._write(encode([transaction]), len(entries) * ENTRY.size)
        entries.append(transaction)
        return is_first

    def _write(self, data: bytes, position: int) -> None:
        """Write `data` at `position` and end the file after it."""
        self._unsynced = True
        file = self._disk.open(self.path, create=True)
        try:
            if file.size() > position:
                file.truncate(position)
            if data:
                file.write([data], position)
        finally:
            file.close()

    def truncate_to(self, offset: int) -> None:
        """Remove transactions that end at `offset` or beyond. Raises OSError."""
        entries = self.entries
        kept = bisect_left(entries, offset, key=_last_offset)
        if kept < len(entries):
            del entries[kept:]
            self._write(b"", kept * ENTRY.size)

    def reset(self) -> None:
        """Remove all entries, even of an invalid file. Raises OSError."""
        self._entries = []
        self._write(b"", 0)

    def overlapping(self, offset: int, upper_offset: int) -> tuple[list[AbortedTransaction], bool]:
        """Those with records, or their marker, in [offset, upper_offset), and whether later
        segments can have none."""
        entries = self.entries
        found: list[AbortedTransaction] = []
        for entry in entries[bisect_left(entries, offset, key=_last_offset) :]:
            if entry.first_offset < upper_offset:
                found.append(entry)
            if entry.last_stable_offset >= upper_offset:
                return found, True
        return found, False

    def sync(self) -> None:
        """Make the entries durable; the caller syncs the directory of a new file."""
        if not self._unsynced:
            return
        self._unsynced = False
        file = self._disk.open(self.path, create=True)
        try:
            file.sync()
        finally:
            file.close()

    def release(self) -> None:
        """Drop the entries from memory until they are needed again."""
        if self._entries:
            self._entries = None
