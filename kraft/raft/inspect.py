"""Reads a replica's log on disk without starting anything or changing a byte.

For tools, on the directory of a stopped node or a copy of a running node's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from raftka.kraft.raft import snapshots
from raftka.kraft.raft.engine import STAMP
from raftka.kraft.raft.journal import Journal, VotedFor
from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.seams import MEMBERSHIP, REGULAR
from raftka.kraft.raft.snapshots import Snapshot
from raftka.model.dataclass import dataclass
from raftka.model.ports import Buffer, Disk, File


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """One entry of the log. `payload` is a proposal, or an encoded voter set."""

    offset: int
    epoch: int
    kind: str
    """"proposal", "voters", or "leader" for the first entry of a leader."""
    payload: bytes
    committed: bool
    void: bool
    """Whether it is a proposal that did not get its expected offset, and is applied nowhere."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A replica's log directory, as a node would load it."""

    snapshot: Snapshot | None
    entries: tuple[LoggedEntry, ...]
    epoch: int
    voted_for: VotedFor
    committed: int
    """The last offset that this replica knows to be committed; the quorum may know more."""
    voters: VoterSet
    """The voter set at the end of the log; empty if controller.quorum.voters defines it."""
    problems: tuple[str, ...]

    def proposals(self) -> Iterator[tuple[int, int, bytes]]:
        """(offset, epoch, payload) of the proposals after the snapshot."""
        start = self.snapshot.index if self.snapshot is not None else 0
        for entry in self.entries:
            if entry.kind == "proposal" and not entry.void and entry.offset > start:
                yield entry.offset, entry.epoch, entry.payload


def inspect(disk: Disk, directory: str) -> Inspection:
    """Read <log dir>/__cluster_metadata-0.

    Raises FileNotFoundError, and CorruptJournal for a log with which a node would not start.
    """
    snapshot, problems = snapshots.load_latest(disk, directory)
    journal = Journal(cast(Disk, _Untouched(disk)), directory)
    committed = journal.getRaftCommitIndex()
    voters = snapshot.voters if snapshot is not None else VoterSet()
    entries = []
    for command, index, term in journal.entries(1, journal.last_index + 1):
        entries.append(logged_entry(command, index, term, committed))
        if entries[-1].kind == "voters" and (snapshot is None or index > snapshot.index):
            voters = VoterSet.decode(entries[-1].payload)
    return Inspection(
        snapshot=snapshot,
        entries=tuple(entries),
        epoch=journal.getCurrentTerm(),
        voted_for=journal.getVotedForNodeId(),
        committed=committed,
        voters=voters,
        problems=(*problems, *journal.repairs),
    )


def logged_entry(command: bytes, index: int, term: int, committed: int) -> LoggedEntry:
    """Decode an entry of the journal."""
    kind, known = command[:1], index <= committed
    if kind == REGULAR:
        _, epoch, expected = STAMP.unpack_from(command)
        void = epoch != term or expected not in (0, index)
        return LoggedEntry(index, term, "proposal", command[STAMP.size :], known, void)
    if kind == MEMBERSHIP:
        return LoggedEntry(index, term, "voters", command[1:], known, False)
    return LoggedEntry(index, term, "leader", b"", known, False)


class _UntouchedFile:
    """A file whose changes are discarded: a torn tail is skipped instead of truncated."""

    def __init__(self, file: File) -> None:
        self.path, self._file = file.path, file

    def size(self) -> int:
        return self._file.size()

    def read(self, size: int, offset: int) -> bytes:
        return self._file.read(size, offset)

    def write(self, buffers: Sequence[Buffer], offset: int) -> int:
        raise PermissionError(f"{self.path} is only looked at")

    def truncate(self, size: int) -> None:
        """Do nothing."""

    def sync(self) -> None:
        """Do nothing: nothing was changed."""

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self._file.close()


class _Untouched:
    """The subset of a disk that reading a journal needs."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def open(self, path: str, *, create: bool = False) -> File:
        return _UntouchedFile(self._disk.open(path))

    def list_dir(self, path: str) -> list[str]:
        return self._disk.list_dir(path)

    def sync_dir(self, path: str) -> None:
        """Do nothing: nothing was changed."""

    def remove(self, path: str) -> None:
        """Do nothing."""

    def rename(self, source: str, target: str) -> None:
        raise PermissionError(f"{source} is only looked at")
