"""The partitions' logs as they are on the disks: which batch is where, on every replica.

A cleaning removes batches from a compacted log, or records from a batch. `find`, and the batches
that checkers receive, are those first written (origins.py), cleaned or not. `batches` and
`contents` have what is in the files; checkers/compaction.py judges the cleaning.
"""

from __future__ import annotations

import enum
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile

from raftka.simulations.observers.batch_contents import entries
from raftka.simulations.observers.origins import Batch, Key, Origin, Origins
from raftka.simulations.observers.segment_mirror import FUTURE, PATH, Owner, SegmentMirror

__all__ = ["Batch", "CleaningStep", "Key", "PartitionLogs", "ReplicaMirror", "SegmentMirror"]


class CleaningStep(enum.Enum):
    """How far a cleaning has come with a segment."""

    BEGUN = "its file is there"
    PREPARED = "it is complete, and waits to replace others"
    SWAPPED = "it has replaced others"


class ReplicaMirror:
    """The log of one partition on one machine."""

    def __init__(self, host: str, key: Key, logs: PartitionLogs) -> None:
        self.host = host
        self.key = key
        self._logs = logs
        self._segments: dict[int, SegmentMirror] = {}
        self._order: list[int] = []
        self.swap: SegmentMirror | None = None
        """The cleaned segment that is about to replace others."""
        self.replaced: list[SegmentMirror] = []
        """The segments that it replaces."""
        self.never_had: set[int] = set()
        """Offsets that cleanings elsewhere had removed before this replica copied them."""

    @property
    def start_offset(self) -> int:
        return self._order[0] if self._order else 0

    @property
    def end_offset(self) -> int:
        return self._segments[self._order[-1]].end_offset if self._order else 0

    def find(self, offset: int) -> Batch | None:
        """The batch that holds an offset, or did when it was written."""
        found, origins = self._on_disk(offset), self._logs.origins.get(self.key)
        if origins is None:
            return found
        if found is not None:
            return origins.first_written(found)
        if not self.start_offset <= offset < self.end_offset:
            return None
        for origin in origins.back_from(self._next(offset)):
            if origin.batch.base_offset <= offset:
                return origin.batch if offset <= origin.batch.last_offset else None
        return None

    def _next(self, offset: int) -> Batch:
        """The first batch after an offset that no batch has."""
        for base in self._order[max(0, bisect_right(self._order, offset) - 1) :]:
            batches = self._segments[base].batches
            place = bisect_right(batches, offset, key=lambda batch: batch.base_offset)
            if place < len(batches):
                return batches[place]
        return self.last_batch

    @property
    def last_batch(self) -> Batch:
        """The last batch on the disk; an empty one where there is none."""
        for base in reversed(self._order):
            if batches := self._segments[base].batches:
                return batches[-1]
        return Batch(0, self.start_offset, self.start_offset - 1, -1, 0, 0, -1)

    def stands_for(self) -> list[Origin]:
        """The batches of a compacted log as they were first written, the last one first."""
        origins, start = self._logs.origins.get(self.key), self.start_offset
        if origins is None:
            return []
        back = origins.back_from(self.last_batch)
        return list(takewhile(lambda origin: origin.batch.last_offset >= start, back))

    def contents(self, start: int = 0) -> Iterator[tuple[Batch, bytes]]:
        """The batches in the files from an offset on, and their bytes."""
        for base in self._order[max(0, bisect_right(self._order, start) - 1) :]:
            segment = self._segments[base]
            for batch in segment.batches:
                if batch.base_offset >= start:
                    yield batch, segment.content(batch)

    def end_of(self, segment: SegmentMirror) -> int:
        """The end offset of a segment."""
        place = bisect_right(self._order, segment.base_offset)
        return self._order[place] if place < len(self._order) else self.end_offset

    def _on_disk(self, offset: int) -> Batch | None:
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

    def cleaning(self, base_offset: int, path: str) -> SegmentMirror:
        """The cleaner begins to write a segment's replacement."""
        self._logs.cleaning(self, CleaningStep.BEGUN)
        return SegmentMirror(self, base_offset, path, is_cleaned=True)

    def segment(self, base_offset: int, path: str) -> SegmentMirror:
        made = self._segments[base_offset] = SegmentMirror(self, base_offset, path)
        self._order = sorted(self._segments)
        return made

    def adopt(self, segment: SegmentMirror) -> ReplicaMirror:
        """A file of this log was renamed; returns the mirror that it belongs to now."""
        home = self._logs.home(self)
        home._shrunk()
        if home._segments.get(segment.base_offset) is not segment:
            home._segments[segment.base_offset] = segment
            home._order = sorted(home._segments)
        return home

    def future(self) -> Owner:
        """The owner of a copy of this log that moves to another directory."""
        return FutureCopy(self.host, self.key, self._logs)

    def cleaned(self, segment: SegmentMirror) -> None:
        """A cleaned segment has replaced its originals."""
        replaced, self.swap, self.replaced = self.replaced, None, []
        self._logs.on_cleaned(self, segment, replaced)
        self._logs.cleaning(self, CleaningStep.SWAPPED)

    def about_to_swap(self, segment: SegmentMirror) -> None:
        """A cleaned segment is complete."""
        self.swap, self.replaced = segment, []
        self._logs.cleaning(self, CleaningStep.PREPARED)

    def _shrunk(self) -> None:
        for told in self._logs.on_shrink:
            told(self)

    def drop(self, segment: SegmentMirror) -> None:
        if self.swap is segment:
            self.swap, self.replaced = None, []
        if self._segments.get(segment.base_offset) is segment:
            if self.swap is not None:
                self.replaced.append(segment)
            self._shrunk()
            del self._segments[segment.base_offset]
            self._order = sorted(self._segments)
            if not self._order:
                self._logs.gone(self)

    def retired(self, segment: SegmentMirror) -> None:
        """A segment was marked for removal. A truncation removes the last one first, so a segment
        with a successor is removed at the log's start.
        """
        if self.swap is None and self._order and self._order[-1] > segment.base_offset:
            self._logs.on_retired(self, segment)

    def appended(self, segment: SegmentMirror, batches: list[Batch]) -> None:
        origins = self._logs.origins_of(self.key)
        if origins is not None:
            batches = [self._first_written(origins, segment, batch) for batch in batches]
        for told in self._logs.on_append:
            told(self, batches)

    def _first_written(self, origins: Origins, segment: SegmentMirror, batch: Batch) -> Batch:
        before = segment.before(batch)
        if before is None:
            place = bisect_left(self._order, segment.base_offset)
            for base in reversed(self._order[:place]):
                if batches := self._segments[base].batches:
                    before = batches[-1]
                    break
        data = segment.content(batch)
        known = origins.note(batch, before, data)
        if before is not None:
            self.never_had.update(range(before.last_offset + 1, batch.base_offset))
        if known.crc != batch.crc:
            self.never_had.update(range(batch.base_offset, batch.last_offset + 1))
            self.never_had.difference_update(entry.offset for entry in entries(data))
        return known

    def cut(self, batches: list[Batch]) -> None:
        self._shrunk()
        if (origins := self._logs.origins.get(self.key)) is not None:
            batches = [origins.first_written(batch) for batch in batches]
        for told in tuple(self._logs.on_truncate):
            told(self, batches)

    def lost(self, batches: list[Batch]) -> None:
        self._shrunk()
        self._logs.on_loss(self, batches)

    def wrote_corrupt(self, batch: Batch) -> None:
        self._logs.on_corrupt(self, [batch])

    def wrote_unreadable(self, batch: Batch, words: str) -> None:
        self._logs.on_unreadable(self, batch, words)


Told = Callable[[ReplicaMirror, list[Batch]], None]
OnCleaned = Callable[[ReplicaMirror, SegmentMirror, list[SegmentMirror]], None]


class FutureCopy:
    """A future log, which moves to another directory: it has no guarantees yet."""

    def __init__(self, host: str, key: Key, logs: PartitionLogs) -> None:
        self._host = host
        self._key = key
        self._logs = logs

    def adopt(self, segment: SegmentMirror) -> Owner:
        """It replaces the log that it is a copy of."""
        return self._logs.home(ReplicaMirror(self._host, self._key, self._logs)).adopt(segment)

    def future(self) -> Owner:
        return self

    def appended(self, segment: SegmentMirror, batches: list[Batch]) -> None: ...
    def cut(self, batches: list[Batch]) -> None: ...
    def lost(self, batches: list[Batch]) -> None: ...
    def wrote_corrupt(self, batch: Batch) -> None: ...
    def wrote_unreadable(self, batch: Batch, words: str) -> None: ...
    def drop(self, segment: SegmentMirror) -> None: ...
    def retired(self, segment: SegmentMirror) -> None: ...
    def about_to_swap(self, segment: SegmentMirror) -> None: ...
    def cleaned(self, segment: SegmentMirror) -> None: ...


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
        self.compacts: Callable[[str], bool] = lambda topic: False
        """Whether a topic is compacted."""
        self.origins: dict[Key, Origins] = {}
        """The original batches of compacted partitions."""
        self.on_cleaned: OnCleaned = lambda replica, segment, replaced: None
        """A cleaned segment has replaced others."""
        self._on_step: list[Callable[[str, CleaningStep], None]] = []
        self.on_append: list[Told] = []
        self.on_shrink: list[Callable[[ReplicaMirror], None]] = []
        """Batches are gone from a replica's log: truncated, lost, deleted, or cleaned."""
        self.on_truncate: list[Told] = []
        self.on_retired: Callable[[ReplicaMirror, SegmentMirror], None] = _ignore_segment
        """A broker has deleted a segment at the start of a log."""
        self.on_corrupt: Told = _ignore
        """A process has written a batch whose CRC is not what its header says."""
        self.on_unreadable: Callable[[ReplicaMirror, Batch, str], None] = _ignore_words
        """A process has written a batch whose records no consumer can read; with the reason."""
        self.on_loss: Told = _ignore
        """A power loss or a fault of the disk has removed batches."""

    def watch(self, host: str, path: str) -> SegmentMirror | None:
        """The watcher for a new file, if it is a partition's log."""
        match = PATH.fullmatch(path)
        if match is None:
            match = FUTURE.fullmatch(path)
            if match is None:
                return None
            copy = FutureCopy(host, (match[1], int(match[2])), self)
            return SegmentMirror(copy, int(match[3]), path)
        key = (match[1], int(match[2]))
        replica = self._replicas.get((host, key))
        if replica is None:
            replica = self._replicas[host, key] = ReplicaMirror(host, key, self)
        if match[4] is not None:
            return replica.cleaning(int(match[3]), path)
        return replica.segment(int(match[3]), path)

    @contextmanager
    def hearing_of_cleaning(self, told: Callable[[str, CleaningStep], None]) -> Iterator[None]:
        """Notify a fault of each step of any host's cleaner while this context lasts."""
        self._on_step.append(told)
        try:
            yield
        finally:
            self._on_step.remove(told)

    def cleaning(self, replica: ReplicaMirror, step: CleaningStep) -> None:
        """A cleaning has reached a step."""
        for told in tuple(self._on_step):
            told(replica.host, step)

    def origins_of(self, key: Key) -> Origins | None:
        """The original batches of a partition, if its topic is compacted."""
        found = self.origins.get(key)
        if found is None and self.compacts(key[0]):
            found = self.origins[key] = Origins()
        return found

    def forget(self, topic: str) -> None:
        """The topic was deleted."""
        for key in [key for key in self.origins if key[0] == topic]:
            del self.origins[key]

    def replica(self, host: str, key: Key) -> ReplicaMirror | None:
        return self._replicas.get((host, key))

    def replicas(self, key: Key) -> list[ReplicaMirror]:
        return [mirror for (_, each), mirror in sorted(self._replicas.items()) if each == key]

    def of_topic(self, topic: str) -> list[ReplicaMirror]:
        return [mirror for (_, key), mirror in sorted(self._replicas.items()) if key[0] == topic]

    def on(self, host: str) -> list[ReplicaMirror]:
        return [mirror for (where, _), mirror in sorted(self._replicas.items()) if where == host]

    def home(self, replica: ReplicaMirror) -> ReplicaMirror:
        """The current mirror of a log: the known one, otherwise this one again."""
        return self._replicas.setdefault((replica.host, replica.key), replica)

    def gone(self, replica: ReplicaMirror) -> None:
        if self._replicas.get((replica.host, replica.key)) is replica:
            del self._replicas[replica.host, replica.key]
