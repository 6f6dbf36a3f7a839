"""The partitions' logs as they are on the disks: which batch is where, on every replica."""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from crc32c import crc32c

from raftka.simulations.observers.batch_contents import unreadable

_HEAD = struct.Struct(">qiibIhiqq")
"""Base offset, size after these 12 bytes, leader epoch, magic, CRC32C, attributes, last delta,
first and largest timestamp."""
_CRC_FROM = 21
_SIZE_END = 12
_DELETED = ".log.deleted"
_PATH = re.compile(r".*/([^/]+)-(\d+)/(\d{20})\.log")


class Batch(NamedTuple):
    position: int
    base_offset: int
    last_offset: int
    epoch: int
    crc: int
    size: int
    max_timestamp: int


Key = tuple[str, int]
"""Topic and partition."""


class SegmentMirror:
    """One .log file, as processes see it."""

    def __init__(self, replica: ReplicaMirror, base_offset: int, path: str) -> None:
        self.replica = replica
        self.path = path
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
        if len(self.batches) != before:
            self.replica.appended(self.batches[before:])

    def _overwrote(self, offset: int, data: bytes) -> None:
        """Bytes in the middle were replaced; those behind them stay, as in a file system."""
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
        if gone := [each for each in before[kept:] if each not in self.batches]:
            self.replica.cut(gone)
        if new := [each for each in self.batches[kept:] if each not in before]:
            for batch in new:
                self._look(batch, content[batch.position : batch.position + batch.size])
            self.replica.appended(new)

    def _parse(self, data: bytes, *, written: bool) -> None:
        start = self.size - len(data)
        position = 0
        while len(data) - position >= _HEAD.size:
            base, size, epoch, magic, crc, _, delta, _, latest = _HEAD.unpack_from(data, position)
            end = position + _SIZE_END + size
            if magic != 2 or not position + _HEAD.size <= end <= len(data):
                break
            batch = Batch(
                start + position, base, base + delta, epoch, crc, _SIZE_END + size, latest
            )
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
        if gone:
            self.replica.cut(gone[::-1])

    def synced(self) -> None:
        """What is durable does not matter here: Kafka's promises rest on replication."""

    def replaced(self, data: bytes) -> None:
        before = list(self.batches)
        self._content[:] = data
        self.batches, self._rest, self.size = [], b"", len(data)
        self._parse(data, written=False)
        # What was truncated before may be back in the place of later writes.
        same = 0
        while same < min(len(before), len(self.batches)) and before[same] == self.batches[same]:
            same += 1
        gone = before[same:]
        if gone:
            self.replica.lost(gone)

    def renamed(self, path: str) -> None:
        self.path = path
        if _PATH.fullmatch(path) is None:
            self.replica.drop(self)
            if path.endswith(_DELETED):
                self.replica.retired(self)
        else:
            # Also back: a power loss undoes what was not durable, names included.
            self.replica = self.replica.adopt(self)

    def removed(self) -> None:
        self.replica.drop(self)


class ReplicaMirror:
    """The log of one partition on one machine."""

    def __init__(self, host: str, key: Key, logs: PartitionLogs) -> None:
        self.host = host
        self.key = key
        self._logs = logs
        self._segments: dict[int, SegmentMirror] = {}
        self._order: list[int] = []

    @property
    def start_offset(self) -> int:
        return self._order[0] if self._order else 0

    @property
    def end_offset(self) -> int:
        return self._segments[self._order[-1]].end_offset if self._order else 0

    def find(self, offset: int) -> Batch | None:
        """The batch that holds an offset."""
        place = bisect_right(self._order, offset) - 1
        if place < 0:
            return None
        batches = self._segments[self._order[place]].batches
        position = bisect_right(batches, offset, key=lambda batch: batch.base_offset) - 1
        if position < 0 or batches[position].last_offset < offset:
            return None
        return batches[position]

    def batches(self) -> list[Batch]:
        return [batch for base in self._order for batch in self._segments[base].batches]

    def segments(self) -> list[tuple[str, int, list[Batch]]]:
        """(path, base offset, batches) of each segment."""
        found = [self._segments[base] for base in self._order]
        return [(segment.path, segment.base_offset, segment.batches) for segment in found]

    @property
    def directory(self) -> str:
        """The path of its files."""
        return self._segments[self._order[0]].path.rpartition("/")[0] if self._order else ""

    @property
    def name(self) -> str:
        return f"{self.key[0]}-{self.key[1]}"

    # Called by segments.

    def segment(self, base_offset: int, path: str) -> SegmentMirror:
        made = self._segments[base_offset] = SegmentMirror(self, base_offset, path)
        self._order = sorted(self._segments)
        return made

    def adopt(self, segment: SegmentMirror) -> ReplicaMirror:
        """A file of this log has its name again; the mirror that it belongs to now."""
        home = self._logs.home(self)
        if home._segments.get(segment.base_offset) is not segment:
            home._segments[segment.base_offset] = segment
            home._order = sorted(home._segments)
        return home

    def drop(self, segment: SegmentMirror) -> None:
        if self._segments.get(segment.base_offset) is segment:
            del self._segments[segment.base_offset]
            self._order = sorted(self._segments)
            if not self._order:
                self._logs.gone(self)

    def retired(self, segment: SegmentMirror) -> None:
        """A segment was marked for removal. At the end the last one is cut first, so
        that only at the front another one follows."""
        if self._order and self._order[-1] > segment.base_offset:
            self._logs.on_retired(self, segment)

    def appended(self, batches: list[Batch]) -> None:
        for told in self._logs.on_append:
            told(self, batches)

    def cut(self, batches: list[Batch]) -> None:
        self._logs.on_truncate(self, batches)

    def lost(self, batches: list[Batch]) -> None:
        self._logs.on_loss(self, batches)

    def wrote_corrupt(self, batch: Batch) -> None:
        self._logs.on_corrupt(self, [batch])

    def wrote_unreadable(self, batch: Batch, words: str) -> None:
        self._logs.on_unreadable(self, batch, words)


Told = Callable[[ReplicaMirror, list[Batch]], None]


def _ignore(_: ReplicaMirror, __: list[Batch]) -> None:
    """The default: ignore."""


def _ignore_words(_: ReplicaMirror, __: Batch, ___: str) -> None:
    """The default: ignore."""


def _ignore_segment(_: ReplicaMirror, __: SegmentMirror) -> None:
    """The default: ignore."""


class PartitionLogs:
    """All replicas of all partitions."""

    def __init__(self) -> None:
        self._replicas: dict[tuple[str, Key], ReplicaMirror] = {}
        self.on_append: list[Told] = []
        self.on_truncate: Told = _ignore
        self.on_retired: Callable[[ReplicaMirror, SegmentMirror], None] = _ignore_segment
        """A broker has deleted a segment at the front of a log."""
        self.on_corrupt: Told = _ignore
        """A process has written a batch whose CRC is not what its header says."""
        self.on_unreadable: Callable[[ReplicaMirror, Batch, str], None] = _ignore_words
        """A process has written a batch whose records no consumer can read, and why."""
        self.on_loss: Told = _ignore
        """A power loss or a fault of the disk took batches away."""

    def watch(self, host: str, path: str) -> SegmentMirror | None:
        """The watcher for a new file, if it is a partition's log."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        key = (match[1], int(match[2]))
        replica = self._replicas.get((host, key))
        if replica is None:
            replica = self._replicas[host, key] = ReplicaMirror(host, key, self)
        return replica.segment(int(match[3]), path)

    def replica(self, host: str, key: Key) -> ReplicaMirror | None:
        return self._replicas.get((host, key))

    def replicas(self, key: Key) -> list[ReplicaMirror]:
        return [mirror for (_, each), mirror in sorted(self._replicas.items()) if each == key]

    def on(self, host: str) -> list[ReplicaMirror]:
        return [mirror for (where, _), mirror in sorted(self._replicas.items()) if where == host]

    def home(self, replica: ReplicaMirror) -> ReplicaMirror:
        """The mirror of a log now: the known one, else this one again."""
        return self._replicas.setdefault((replica.host, replica.key), replica)

    def gone(self, replica: ReplicaMirror) -> None:
        if self._replicas.get((replica.host, replica.key)) is replica:
            del self._replicas[replica.host, replica.key]
