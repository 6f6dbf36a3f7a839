"""One .log file, as its writing processes see it.

Bytes in, batches out: the log that the file belongs to is notified of each change. A file that a
cleaning writes joins the log when it is renamed.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from typing import Final, Protocol

from crc32c import crc32c

from raftka.simulations.observers.batch_contents import CONTROL, marker_of, unreadable
from raftka.simulations.observers.origins import Batch

_HEAD = struct.Struct(">qiibIhiqqqh")
"""Base offset, size after these 12 bytes, leader epoch, magic, CRC32C, attributes, last delta,
first and largest timestamp, producer id and epoch."""
_CRC_FROM = 21
_SIZE_END = 12
_DELETED = ".log.deleted"
_SWAP = ".log.swap"
PATH: Final = re.compile(r".*/([^/]+)-(\d+)/(\d{20})\.log(\.cleaned)?")
"""Topic, partition, base offset, and whether a cleaning writes it."""
FUTURE: Final = re.compile(r".*/([^/]+)-(\d+)\.[0-9a-f]{32}-future/(\d{20})\.log")
"""The file of a future log, which serves no reads."""


class Owner(Protocol):
    """The log that a file belongs to."""

    def appended(self, segment: SegmentMirror, batches: list[Batch]) -> None: ...
    def cut(self, batches: list[Batch]) -> None: ...
    def lost(self, batches: list[Batch]) -> None: ...
    def wrote_corrupt(self, batch: Batch) -> None: ...
    def wrote_unreadable(self, batch: Batch, words: str) -> None: ...
    def drop(self, segment: SegmentMirror) -> None: ...
    def retired(self, segment: SegmentMirror) -> None: ...
    def about_to_swap(self, segment: SegmentMirror) -> None: ...
    def cleaned(self, segment: SegmentMirror) -> None: ...

    def adopt(self, segment: SegmentMirror) -> Owner:
        """The log that a renamed file belongs to."""
        ...

    def future(self) -> Owner:
        """The owner of a copy of this log that moves to another directory."""
        ...


class SegmentMirror:
    """One .log file, as processes see it."""

    def __init__(
        self, replica: Owner, base_offset: int, path: str, *, is_cleaned: bool = False
    ) -> None:
        self.replica = replica
        self.path = path
        self._is_new_from_cleaning = is_cleaned
        self._in_place = not is_cleaned
        """Whether it is a segment of the log, not the unfinished output of a cleaning."""
        self.base_offset = base_offset
        self.batches: list[Batch] = []
        self.size = 0
        self._content = bytearray()
        self._rest = b""
        """Bytes after the last whole batch."""

    @property
    def end_offset(self) -> int:
        return self.batches[-1].last_offset + 1 if self.batches else self.base_offset

    def wrote(self, offset: int, data: bytes) -> None:
        if offset != self.size:
            self._overwrote(offset, data)
            return
        self._content += data
        self.size = offset + len(data)
        before = len(self.batches)
        self._parse(self._rest + data if self._rest else data, written=True)
        if len(self.batches) != before and self._in_place:
            self.replica.appended(self, self.batches[before:])

    def _overwrote(self, offset: int, data: bytes) -> None:
        """Bytes in the middle were replaced; those after them stay, as in a file system."""
        content, before = self._content, self.batches
        if offset > len(content):
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data
        self.size = len(content)
        kept = 0
        while kept < len(before) and before[kept].position + before[kept].size <= offset:
            kept += 1
        start = before[kept - 1].position + before[kept - 1].size if kept else 0
        self.batches = before[:kept]
        self._parse(bytes(content[start:]), written=False)
        if not self._in_place:
            return
        if gone := [each for each in before[kept:] if each not in self.batches]:
            self.replica.cut(gone)
        if new := [each for each in self.batches[kept:] if each not in before]:
            for batch in new:
                self._look(batch, content[batch.position : batch.position + batch.size])
            self.replica.appended(self, new)

    def content(self, batch: Batch) -> bytes:
        """The bytes of a batch."""
        return bytes(self._content[batch.position : batch.position + batch.size])

    def before(self, batch: Batch) -> Batch | None:
        """The batch before one of this segment's; None for the first."""
        place = bisect_left(self.batches, batch.position, key=lambda each: each.position)
        return self.batches[place - 1] if place else None

    def _parse(self, data: bytes, *, written: bool) -> None:
        start = self.size - len(data)
        position = 0
        while len(data) - position >= _HEAD.size:
            (base, size, epoch, magic, crc, attributes, delta, first, latest, producer,
             producer_epoch) = _HEAD.unpack_from(data, position)  # fmt: skip
            end = position + _SIZE_END + size
            if magic != 2 or not position + _HEAD.size <= end <= len(data):
                break
            size += _SIZE_END
            batch = Batch(
                start + position, base, base + delta, epoch, crc, size, latest, attributes, first,
                producer, producer_epoch,
                marker_of(data[position:end]) if attributes & CONTROL else None,
            )  # fmt: skip
            self.batches.append(batch)
            if written:
                self._look(batch, data[position:end])
            position = end
        self._rest = data[position:]

    def _look(self, batch: Batch, data: bytes | bytearray) -> None:
        """A process has written a batch."""
        if crc32c(data[_CRC_FROM:]) != batch.crc:
            self.replica.wrote_corrupt(batch)
        elif (words := unreadable(data)) is not None:
            self.replica.wrote_unreadable(batch, words)

    def truncated(self, size: int) -> None:
        del self._content[size:]
        self._content.extend(bytes(size - len(self._content)))
        gone = []
        while self.batches and self.batches[-1].position + self.batches[-1].size > size:
            gone.append(self.batches.pop())
        whole = self.batches[-1].position + self.batches[-1].size if self.batches else 0
        kept = self._rest if not gone else b""
        self._rest = kept[: max(0, size - whole)]
        self.size = size
        if gone and self._in_place:
            self.replica.cut(gone[::-1])

    def synced(self) -> None:
        """Durability does not matter here: Kafka's guarantees rest on replication."""

    def replaced(self, data: bytes) -> None:
        before = list(self.batches)
        self._content[:] = data
        self.batches, self._rest, self.size = [], b"", len(data)
        self._parse(data, written=False)
        # Truncated bytes may be back, where later writes had replaced them.
        same = 0
        while same < min(len(before), len(self.batches)) and before[same] == self.batches[same]:
            same += 1
        gone = before[same:]
        if gone and self._in_place:
            self.replica.lost(gone)

    def renamed(self, path: str) -> None:
        self.path = path
        match, was_in_place = PATH.fullmatch(path), self._in_place
        self._in_place = match is not None and match[4] is None
        if self._in_place:
            # Also back: a power loss undoes what was not durable, names included.
            self.replica = self.replica.adopt(self)
            if self._is_new_from_cleaning:
                self._is_new_from_cleaning = False
                self.replica.cleaned(self)
            return
        self.replica.drop(self)
        if FUTURE.fullmatch(path) is not None:
            self.replica = self.replica.future()
        elif path.endswith(_SWAP):
            self.replica.about_to_swap(self)
        elif was_in_place and path.endswith(_DELETED):
            self.replica.retired(self)

    def removed(self) -> None:
        self.replica.drop(self)
