"""The producer snapshot files of one log: creation, lookup, removal.

A snapshot is taken at the start of each segment, and at the end of the log in a clean shutdown. It
has the state before its offset, so recovery only reads the batches after the newest readable one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from raftka.model.ports import Disk, read_file
from raftka.storage.checkpoints import replace_file
from raftka.storage.producer_snapshot import SUFFIX, SnapshotCorrupt, decode, encode
from raftka.storage.producer_state import ProducerState
from raftka.storage.segment import file_name


class ProducerSnapshots:
    """The offsets of the snapshots in a log's directory, ascending."""

    __slots__ = ("_directory", "_disk", "offsets")

    def __init__(self, disk: Disk, directory: str, offsets: list[int]) -> None:
        self._disk = disk
        self._directory = directory
        self.offsets = sorted(offsets)

    def path(self, offset: int) -> str:
        return f"{self._directory}/{file_name(offset, SUFFIX)}"

    def take(self, state: ProducerState, offset: int) -> None:
        """Write `state` as that before `offset`; not if there is one for that offset, nor for 0."""
        if offset <= (self.offsets[-1] if self.offsets else 0):
            return
        replace_file(self._disk, self.path(offset), encode(state.to_entries()))
        self.offsets.append(offset)

    def load_latest(self, state: ProducerState, first_offset: int) -> list[str]:
        """Load the newest readable snapshot into `state`; without one, reset it to a log that
        begins at `first_offset`.

        Removes unreadable snapshots, and returns a message for each.
        """
        removed: list[str] = []
        while self.offsets:
            offset = self.offsets[-1]
            path = self.path(offset)
            try:
                entries = decode(read_file(self._disk, path))
            except SnapshotCorrupt as error:
                removed.append(f"{path} is ignored: {error}")
                self._remove_from(len(self.offsets) - 1)
                continue
            state.from_entries(entries, offset)
            return removed
        state.clear(first_offset)
        return removed

    def drop_after(self, offset: int) -> None:
        """Remove snapshots that include records at `offset` or beyond."""
        self._remove_from(bisect_right(self.offsets, offset))

    def drop_at(self, offsets: Sequence[int]) -> None:
        """Remove the snapshots of segments that were merged into another one."""
        for offset in offsets:
            if offset in self.offsets:
                self._disk.remove(self.path(offset))
                self.offsets.remove(offset)

    def drop_before(self, offset: int) -> None:
        """Remove snapshots before the first segment."""
        count = sum(1 for known in self.offsets if known < offset)
        for known in self.offsets[:count]:
            self._disk.remove(self.path(known))
        del self.offsets[:count]

    def _remove_from(self, slot: int) -> None:
        for offset in self.offsets[slot:]:
            self._disk.remove(self.path(offset))
        del self.offsets[slot:]
