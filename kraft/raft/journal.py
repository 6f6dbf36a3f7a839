"""The Raft log of one node on disk, with the interface that pysyncobj expects of a journal.

Entries live in memory, from a base (the last entry that a snapshot replaced) to the end, and in
append-only files: a truncation, a new term or vote, and a snapshot that replaces the log are
records too (records.py). Changes are collected in memory; `sync` makes all of them durable in one
write. Until then no message that depends on them may be sent.

Files are numbered and roll by size. Each begins with the state at that point, so that earlier files
can be removed once a snapshot covers them.
"""

from __future__ import annotations

import re
from typing import Final, overload

from raftka.kraft.raft import records
from raftka.kraft.raft.codec import Entry
from raftka.kraft.raft.port import ReplicaKey
from raftka.kraft.raft.records import INDEX, POSITION, STATE, VERSION, Kind
from raftka.model.ids import ZERO_UUID
from raftka.model.named_tuple import NamedTuple
from raftka.model.ports import Disk, File, read_file

FORMAT: Final = 1
NO_OP: Final = b"\x01"
UNKNOWN_TERM: Final = -1
_NAME: Final = re.compile(r"(\d{20})\.journal")

VotedFor = int | ReplicaKey | None
"""The receiver of a vote: a voter by id, or a replica that this node does not know as a voter."""


class CorruptJournal(Exception):
    """The journal on disk is damaged; a start could break acknowledged writes or votes."""


class Segment(NamedTuple):
    """A journal file and the highest index of its entries, including truncated ones."""

    number: int
    last_index: int

    @property
    def name(self) -> str:
        return f"{self.number:020d}.journal"


class Journal:
    """Must not be changed while `sync` runs in another thread."""

    def __init__(self, disk: Disk, directory: str, *, segment_bytes: int = 1 << 24) -> None:
        """Read the files.

        Raises CorruptJournal if they are damaged; a torn tail is truncated and listed in `repairs`.
        """
        self._disk, self._directory, self._segment_bytes = disk, directory, segment_bytes
        self._entries: list[Entry] = [(NO_OP, 0, 0)]
        self._term = 0
        self._voted_for: VotedFor = None
        self._commit_index = self._durable_commit = 0
        self._write, self._pending = 1, list[bytes]()
        self._segments, self._garbage = list[Segment](), list[Segment]()
        self._file: File | None = None
        self._file_end, self._file_is_done = 0, False
        self.forget_votes = False
        self.repairs: list[str] = []
        for name in disk.list_dir(directory):
            if match := _NAME.fullmatch(name):
                self._segments.append(Segment(int(match[1]), 0))
        for position in range(len(self._segments)):
            self._replay(position, is_last=position == len(self._segments) - 1)
        self.durable_index = self.last_index
        self._durable_start = self._start()

    # The interface for pysyncobj, by its names.

    def add(self, command: bytes, idx: int, term: int) -> None:
        self._entries.append((command, idx, term))
        self._remember(Kind.ENTRY, POSITION.pack(idx, term), command)

    def clear(self) -> None:
        self.reset(self.last_index, self.last_term)

    def deleteEntriesFrom(self, entryFrom: int) -> None:
        """Takes a position, not an index: pysyncobj counts from its first entry."""
        self.truncate_from(self.base_index + entryFrom)

    def deleteEntriesTo(self, entryTo: int) -> None:
        self.drop_before(self.base_index + entryTo)

    @overload
    def __getitem__(self, item: int) -> Entry: ...
    @overload
    def __getitem__(self, item: slice) -> list[Entry]: ...
    def __getitem__(self, item: int | slice) -> Entry | list[Entry]:
        return self._entries[item]

    def __len__(self) -> int:
        return len(self._entries)

    def setRaftCommitIndex(self, raftCommitIndex: int) -> None:
        """Written with the next write: losing it costs a message from the leader, not safety."""
        self._commit_index = raftCommitIndex

    def getRaftCommitIndex(self) -> int:
        return self._commit_index

    def setCurrentTerm(self, term: int, votedForNodeId: VotedFor) -> None:
        if (term, votedForNodeId) == (self._term, self._voted_for):
            return
        self._term, self._voted_for = term, votedForNodeId
        self._remember(Kind.STATE, self._state(term, votedForNodeId))

    def getCurrentTerm(self) -> int:
        return self._term

    def getVotedForNodeId(self) -> VotedFor:
        return self._voted_for

    def onOneSecondTimer(self) -> None:
        """Do nothing: pysyncobj would write its state file here; `sync` writes the journal's."""

    def _destroy(self) -> None:
        self.close()

    # The interface for the engine.

    @property
    def base_index(self) -> int:
        """The index before the first readable entry."""
        return self._entries[0][1]

    @property
    def last_index(self) -> int:
        return self._entries[-1][1]

    @property
    def last_term(self) -> int:
        return self._entries[-1][2]

    def term_at(self, index: int) -> int | None:
        """None if the entry is before the base or after the end."""
        position = index - self.base_index
        return self._entries[position][2] if 0 <= position < len(self._entries) else None

    def entries(self, first: int, end: int) -> list[Entry]:
        """The entries from `first` up to but excluding `end`, after the base."""
        base = self.base_index
        return self._entries[max(1, first - base) : max(1, end - base)]

    def truncate_from(self, index: int) -> None:
        del self._entries[max(1, index - self.base_index) :]
        self.durable_index = min(self.durable_index, index - 1)
        self._remember(Kind.TRUNCATE, INDEX.pack(index))

    def reset(self, index: int, term: int) -> None:
        """A snapshot up to (index, term) replaces every entry."""
        self._entries = [(NO_OP, index, term)]
        self._commit_index = index
        self.durable_index = min(self.durable_index, index)
        self._remember(Kind.BASE, POSITION.pack(index, term))

    def drop_before(self, index: int) -> None:
        """Make `index` the base: a snapshot covers it. The next write removes files.

        The next write begins a new file, so that the current one can be removed after the next
        snapshot: whatever the size of files, the log stays as short as snapshots are frequent.
        """
        position = index - self.base_index
        if position <= 0:
            return
        self._entries[:position] = []
        self._entries[0] = (NO_OP, index, self._entries[0][2])
        self._file_is_done = True
        while len(self._segments) > 1 and self._segments[0].last_index < index:
            self._garbage.append(self._segments.pop(0))

    def name_base(self, term: int) -> None:
        """Set the base's term, which only the snapshot knows."""
        self._entries[0] = (NO_OP, self.base_index, term)

    @property
    def dirty(self) -> bool:
        """Whether there are unsynced changes that others may have to rely on."""
        return bool(self._pending)

    def sync(self) -> None:
        """Make all changes durable. After an OSError the journal must not be used any more."""
        if self._pending:
            if self._commit_index != self._durable_commit:
                self._remember(Kind.COMMIT, INDEX.pack(self._commit_index))
            self._remember(Kind.END)
            pending, self._pending = self._pending, []
            full = self._file_is_done or self._file_end >= self._segment_bytes
            rolled = self._file is None or full
            if rolled:
                pending[:0] = self._open_next()
            assert self._file is not None
            self._file_end += self._file.write(pending, self._file_end)
            self._file.sync()
            if rolled:
                self._disk.sync_dir(self._directory)
            self._write += 1
            self._segments[-1] = self._segments[-1]._replace(
                last_index=max(self._segments[-1].last_index, self.last_index)
            )
            self._durable_commit = self._commit_index
            self._durable_start = self._start()
        self.durable_index = self.last_index
        while self._garbage:
            self._disk.remove(f"{self._directory}/{self._garbage.pop(0).name}")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _start(self) -> tuple[int, VotedFor, int, int]:
        """The first records of the next file."""
        return self._term, self._voted_for, self.last_index, self.last_term

    def _remember(self, kind: Kind, *body: bytes) -> None:
        self._pending.append(records.encode(self._write, kind, *body))

    def _state(self, term: int, voted_for: VotedFor) -> bytes:
        if voted_for is None or self.forget_votes:
            return STATE.pack(term, -1, ZERO_UUID)
        if isinstance(voted_for, ReplicaKey):
            return STATE.pack(term, voted_for.id, voted_for.directory_id)
        return STATE.pack(term, voted_for, ZERO_UUID)

    def _open_next(self) -> list[bytes]:
        """Begin a new file; its first records repeat the state before the pending ones."""
        if self._file is not None:
            self._file.close()
        number = self._segments[-1].number + 1 if self._segments else 1
        term, voted_for, last_index, last_term = self._durable_start
        self._segments.append(Segment(number, last_index))
        self._file = self._disk.open(f"{self._directory}/{self._segments[-1].name}", create=True)
        self._file.truncate(0)
        self._file_end, self._file_is_done = 0, False
        write = self._write
        return [
            records.encode(write, Kind.FILE, VERSION.pack(FORMAT)),
            records.encode(write, Kind.PREVIOUS, POSITION.pack(last_index, max(last_term, 0))),
            records.encode(write, Kind.STATE, self._state(term, voted_for)),
            records.encode(write, Kind.COMMIT, INDEX.pack(self._durable_commit)),
        ]

    # Reading the files.

    def _replay(self, position: int, *, is_last: bool) -> None:
        segment = self._segments[position]
        path = f"{self._directory}/{segment.name}"
        data = read_file(self._disk, path)
        found = records.scan(data)
        if found.end != len(data):
            self._judge_tail(path, found, len(data), is_last=is_last)
        highest = 0
        for record in found.records:
            try:
                self._apply(record, first_file=position == 0)
            except (CorruptJournal, ValueError) as error:
                raise CorruptJournal(f"{path}: {error}") from error
            highest = max(highest, self.last_index)
            self._write = record.write + 1
        self._segments[position] = segment._replace(last_index=highest)
        if is_last:
            self._continue(path, found.end, len(data))

    def _judge_tail(self, path: str, found: records.Scan, size: int, *, is_last: bool) -> None:
        if found.damaged_at is not None or not is_last:
            raise CorruptJournal(
                f"{path} is damaged at byte {found.end} of {size}: what is there was durable once "
                "and has changed since. Restore this directory, or remove the node from the quorum "
                "and let it join again with an empty one"
            )
        self.repairs.append(
            f"{path}: cut {size - found.end} bytes of an unfinished write at {found.end}"
        )

    def _apply(self, record: records.Record, *, first_file: bool) -> None:
        kind, body = record.kind, record.body
        if kind == Kind.ENTRY:
            index, term = POSITION.unpack_from(body)
            if index != self.last_index + 1:
                raise CorruptJournal(f"entry {index} follows entry {self.last_index}")
            self._entries.append((bytes(body[POSITION.size :]), index, term))
        elif kind == Kind.TRUNCATE:
            (index,) = INDEX.unpack(body)
            if (
                index <= self.base_index
            ):  # The preceding entries were in files that are removed now.
                self._entries = [(NO_OP, index - 1, UNKNOWN_TERM)]
            del self._entries[max(1, index - self.base_index) :]
        elif kind == Kind.STATE:
            self._term, voted, directory = STATE.unpack(body)
            known = voted if directory == ZERO_UUID else ReplicaKey(voted, directory)
            self._voted_for = None if voted < 0 else known
        elif kind == Kind.BASE or (kind == Kind.PREVIOUS and first_file):
            index, term = POSITION.unpack(body)
            self._entries = [(NO_OP, index, term)]
        elif kind == Kind.COMMIT:
            (self._commit_index,) = INDEX.unpack(body)
            self._durable_commit = self._commit_index
        elif kind == Kind.FILE:
            (version,) = VERSION.unpack(body)
            if version != FORMAT:
                raise CorruptJournal(f"it has format {version}; this version reads {FORMAT}")
        elif kind not in (Kind.END, Kind.PREVIOUS):
            raise CorruptJournal(f"a record of the unknown kind {kind}")

    def _continue(self, path: str, end: int, size: int) -> None:
        """Open the last file for appending.

        The data read may have been in the page cache only, and the node is about to promise it to
        others: make it durable first, including the truncation.
        """
        if end == 0:
            self._disk.remove(path)
            self._segments.pop()
        else:
            self._file, self._file_end = self._disk.open(path), end
            if end != size:
                self._file.truncate(end)
                self._write += 1  # A torn write must not share its number with the next one.
            self._file.sync()
        self._disk.sync_dir(self._directory)
