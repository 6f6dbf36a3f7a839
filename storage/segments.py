"""The segments of one log: lookup by offset, adding, and deletion at either end.

Offsets ascend within a log, and a segment's name is the first offset that it may have. A deleted
segment's files are renamed first and removed later, so that a deletion is atomic for the process
that starts after a crash.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import overload

from raftka.model.ports import Disk
from raftka.storage.cleaning import swap
from raftka.storage.config import LogConfig
from raftka.storage.segment import Segment


def open_segment(
    disk: Disk,
    directory: str,
    base_offset: int,
    config: LogConfig,
    *,
    created_ms: int,
    create: bool,
) -> Segment:
    """A segment with the sizes in a topic's settings. Raises OSError."""
    return Segment(
        disk,
        directory,
        base_offset,
        created_ms=created_ms,
        index_interval_bytes=config.index_interval_bytes,
        index_bytes=config.segment_index_bytes,
        create=create,
    )


class Segments(Sequence[Segment]):
    """At least one segment, ascending; the last one is active: batches are appended to it."""

    __slots__ = (
        "_bases",
        "_directory",
        "_disk",
        "_doomed",
        "changes",
        "is_new",
        "listed",
        "names_changed",
        "prepared",
    )

    def __init__(
        self, disk: Disk, directory: str, listed: list[Segment], *, is_durable: bool
    ) -> None:
        self._disk = disk
        self._directory = directory
        self.listed = listed
        """Read-only for others."""
        self._bases = [segment.base_offset for segment in listed]
        self._doomed: list[tuple[int, str]] = []
        """(time of removal, path) of deleted segments' files."""
        self.names_changed = not is_durable
        """Whether names in the log's directory are not durable yet: a crash may undo them."""
        self.is_new = not is_durable
        """Whether the name of the directory itself is not durable yet."""
        self.prepared: int | None = None
        """The base offset of a cleaned segment that waits for `replace`."""
        self.changes = 0
        """How often segments were removed: a cleaning that has read them is invalid then."""

    def __len__(self) -> int:
        return len(self.listed)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.listed)

    @overload
    def __getitem__(self, place: int) -> Segment: ...
    @overload
    def __getitem__(self, place: slice) -> list[Segment]: ...
    def __getitem__(self, place: int | slice) -> Segment | list[Segment]:
        return self.listed[place]

    @property
    def size(self) -> int:
        """The size of all batches in bytes."""
        return sum(segment.size for segment in self.listed)

    def place_of(self, offset: int) -> int:
        """The index of the segment that has `offset`, or would have it."""
        return max(0, bisect_right(self._bases, offset) - 1)

    def add(self, base_offset: int, config: LogConfig, created_ms: int) -> Segment:
        """Begin a segment, which becomes the active one."""
        segment = open_segment(
            self._disk, self._directory, base_offset, config, created_ms=created_ms, create=True
        )
        self.listed.append(segment)
        self._bases.append(base_offset)
        self.names_changed = True
        return segment

    # ---- replacement by cleaned segments (storage/cleaning/swap.py)

    def prepare(self, base_offset: int) -> None:
        """A cleaned segment is ready to replace the one of that name, and others after it."""
        self.prepared = base_offset
        swap.prepare(self._disk, self._directory, base_offset)

    def replace(self, bases: Sequence[int], config: LogConfig, due_ms: int) -> None:
        """Replace the segments that begin at `bases` with the prepared one."""
        first, count = self.place_of(bases[0]), len(bases)
        replaced = self.listed[first : first + count]
        for segment in replaced:
            self._doomed += [(due_ms, path) for path in segment.mark_deleted()]
        swap.finish(self._disk, self._directory, bases[0])
        self.prepared = None
        self.listed[first : first + count] = [
            open_segment(
                self._disk,
                self._directory,
                bases[0],
                config,
                created_ms=replaced[-1].created_ms,
                create=False,
            )
        ]
        del self._bases[first + 1 : first + count]
        self.names_changed = True

    def holds(self, bases: Sequence[int]) -> bool:
        """Whether those are adjacent closed segments."""
        first = self.place_of(bases[0])
        return self._bases[first : first + len(bases)] == list(bases) and first + len(bases) < len(
            self._bases
        )

    def _abandon_prepared(self) -> None:
        """The source segments have changed: no restart may use the prepared one."""
        self.changes += 1
        if self.prepared is not None:
            swap.abandon(self._disk, self._directory, self.prepared)
            self.prepared = None

    # ---- deletion

    def drop_from(self, first: int) -> None:
        """Delete the segments from index `first` on, durably.

        Others with the same names may follow, and must not be replaced by the old ones after a
        crash.
        """
        dropped = self.listed[first:]
        if dropped:
            self._abandon_prepared()
        del self.listed[first:]
        del self._bases[first:]
        for segment in reversed(dropped):
            for path in segment.mark_deleted():
                self._disk.remove(path)
        if dropped:
            self._disk.sync_dir(self._directory)

    def retire(self, count: int, due_ms: int) -> None:
        """Delete the first `count` segments; their files are removed from `due_ms` on.

        One must remain.
        """
        self._abandon_prepared()
        for segment in self.listed[:count]:
            self._doomed += [(due_ms, path) for path in segment.mark_deleted()]
        del self.listed[:count]
        del self._bases[:count]

    def remove_doomed(self, now_ms: int) -> int:
        """Remove the files of retired segments whose delay has passed; return the number."""
        due = [path for due_ms, path in self._doomed if due_ms <= now_ms]
        self._doomed = [entry for entry in self._doomed if entry[0] > now_ms]
        for path in due:
            if self._disk.exists(path):
                self._disk.remove(path)
        return len(due)

    def rest(self) -> None:
        """Write pending index entries, and drop the indexes of closed segments from memory."""
        for segment in self.listed[:-1]:
            segment.offset_index.release()
            segment.time_index.release()
            segment.transaction_index.release()
        self.listed[-1].make_indexes()
