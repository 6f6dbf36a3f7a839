"""The log directory of one replica: keeps its journal and its snapshot consistent.

The snapshot file is durable before the journal forgets the entries that it replaces, so after a
crash either the entries or the snapshot exist. Everything else is refused with a message.
"""

from __future__ import annotations

from dataclasses import replace

from raftka.kraft.raft import snapshots
from raftka.kraft.raft.journal import UNKNOWN_TERM, CorruptJournal, Journal
from raftka.kraft.raft.snapshots import Snapshot
from raftka.model.ports import Disk, File


class Store:
    """Blocking; `sync` and `write_snapshot` may run in another thread while nothing else does."""

    def __init__(
        self, disk: Disk, directory: str, *, segment_bytes: int = 1 << 24, retained_bytes: int = 0
    ) -> None:
        """Read the directory, creating it if it is missing.

        Raises CorruptJournal if its files are damaged. `repairs` lists truncations; `loaded` is the
        snapshot to start from, `snapshot` the newest one without its payload.
        """
        self._disk, self._directory, self._retained_bytes = disk, directory, retained_bytes
        disk.make_dirs(directory)
        self.loaded, problems = snapshots.load_latest(disk, directory)
        self.snapshot = self.loaded and replace(self.loaded, payload=b"")
        self.journal = Journal(disk, directory, segment_bytes=segment_bytes)
        self.repairs = self.journal.repairs + [f"{problem}: left out" for problem in problems]
        self._installing: Snapshot | None = None
        self._obsolete_before = 0
        self._align(problems)

    @property
    def snapshot_index(self) -> int:
        """The last entry that the newest snapshot contains; 0 if there is none."""
        return self.snapshot.index if self.snapshot else 0

    @property
    def dirty(self) -> bool:
        return self.journal.dirty or self._installing is not None

    def sync(self) -> None:
        """Make all changes durable, in an order that is safe for a crash at any point."""
        if self._installing is not None:
            snapshots.write(self._disk, self._directory, self._installing)
            self._installing = None
        self.journal.sync()
        if self._obsolete_before:
            snapshots.remove_older(self._disk, self._directory, self._obsolete_before)
            self._obsolete_before = 0

    def install(self, snapshot: Snapshot) -> None:
        """Replace the whole log with a leader's snapshot, with the next `sync`."""
        self._installing = snapshot
        self.snapshot = replace(snapshot, payload=b"")
        self._obsolete_before = snapshot.index
        self.journal.reset(snapshot.index, snapshot.term)

    def write_snapshot(self, snapshot: Snapshot) -> None:
        """Make an own snapshot durable. Call `adopt` afterwards."""
        snapshots.write(self._disk, self._directory, snapshot)

    def adopt(self, snapshot: Snapshot) -> None:
        """Drop the entries that a durable snapshot contains, except those that slightly lagging
        followers may still need."""
        if snapshot.index <= self.snapshot_index:
            return
        self.snapshot = replace(snapshot, payload=b"")
        self._obsolete_before = snapshot.index
        keep, kept = snapshot.index, 0
        for command, index, _ in reversed(self.journal.entries(1, snapshot.index + 1)):
            kept += len(command)
            if kept > self._retained_bytes:
                break
            keep = index - 1
        self.journal.drop_before(keep)

    def open_snapshot(self) -> File | None:
        """Open the newest durable snapshot's file, to send it to a follower."""
        if self.snapshot is None or self._installing is not None:
            return None
        return self._disk.open(f"{self._directory}/{self.snapshot.name}")

    def close(self) -> None:
        self.journal.close()

    def _align(self, problems: list[str]) -> None:
        journal, index = self.journal, self.snapshot_index
        if journal.base_index > index:
            reason = "; ".join(problems) or "there is none"
            raise CorruptJournal(
                f"the log in {self._directory} starts after entry {journal.base_index}, "
                f"but the snapshot for what is before cannot be used: {reason}"
            )
        if self.snapshot is None:
            return
        term = journal.term_at(index)
        if term != self.snapshot.term:
            if term == UNKNOWN_TERM:
                journal.name_base(self.snapshot.term)
            else:  # A crash came between installing a leader's snapshot and dropping the old log.
                journal.reset(index, self.snapshot.term)
        elif journal.term_at(journal.base_index) == UNKNOWN_TERM:
            journal.drop_before(journal.base_index + 1)
        journal.setRaftCommitIndex(max(journal.getRaftCommitIndex(), index))
        journal.sync()
