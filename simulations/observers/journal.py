"""The metadata quorum's logs as they are on the disks, one mirror for each node.

A mirror follows every write of the node's journal files and keeps what is durable: the term, the
vote, the entries. After a power loss it is rebuilt from what the medium still has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from raftka.kraft.raft import records
from raftka.kraft.raft.records import INDEX, POSITION, STATE, Kind
from raftka.simulations.observers.voters import Voters, named_in


class LogEntry(NamedTuple):
    term: int
    command: bytes


class JournalMirror:
    """The quorum's state on one node's disk."""

    def __init__(self, host: str, on_change: Callable[[JournalMirror, int], None]) -> None:
        """`on_change` gets the first new index after each write that became durable,
        0 when only the term, vote or commit index changed."""
        self.host = host
        self.term = 0
        self.voted_for = -1
        self.base_index = 0
        self.base_term = 0
        self.entries: list[LogEntry] = []
        self.commit_index = 0
        self.voter_sets: list[tuple[int, Voters]] = []
        """The voter sets that entries of this log bring into force, by index."""
        self.installed = 0
        """How often a leader's snapshot has replaced the log."""
        self.truncated_entries: list[tuple[int, LogEntry]] = []
        """The entries that writes removed since the last `on_change`."""
        self._files: dict[str, _JournalFile] = {}
        self._on_change = on_change
        self._new_from = 0

    @property
    def last_index(self) -> int:
        return self.base_index + len(self.entries)

    def entry(self, index: int) -> LogEntry | None:
        position = index - self.base_index - 1
        return self.entries[position] if 0 <= position < len(self.entries) else None

    def term_at(self, index: int) -> int | None:
        if index == self.base_index:
            return self.base_term
        entry = self.entry(index)
        return None if entry is None else entry.term

    def holds(self, index: int, term: int) -> bool:
        """Whether the log has the entry, or a snapshot that replaced it."""
        return index < self.base_index or self.term_at(index) == term

    # Files.

    def watch(self, path: str) -> _JournalFile:
        file = self._files[path] = _JournalFile(self, path)
        return file

    def rebuild(self) -> None:
        """Read all files again, as the node itself will."""
        self.term, self.voted_for, self.commit_index = 0, -1, 0
        self.base_index, self.base_term, self.entries = 0, 0, []
        self.voter_sets = []
        for number, path in enumerate(sorted(self._files)):
            file = self._files[path]
            found = records.scan(bytes(file.data))
            file.parsed = found.end
            for record in found.records:
                self._apply(record.kind, record.body, first_file=number == 0)
        self.truncated_entries.clear()

    def take(self, file: _JournalFile) -> None:
        """An append to a file has become durable."""
        self._new_from = 0
        view = memoryview(bytes(file.data[file.parsed :]))
        offset = 0
        while (found := records.decode(view, offset)) is not None:
            self._apply(found[0].kind, found[0].body, first_file=False)
            offset = found[1]
        file.parsed += offset
        if offset:
            self._on_change(self, self._new_from)
            self.truncated_entries.clear()

    def drop(self, path: str) -> None:
        self._files.pop(path, None)

    def _apply(self, kind: int, body: memoryview, *, first_file: bool) -> None:
        if kind == Kind.ENTRY:
            index, term = POSITION.unpack_from(body)
            command = bytes(body[POSITION.size :])
            self.entries.append(LogEntry(term, command))
            if (voters := named_in(command)) is not None:
                self.voter_sets.append((index, voters))
            self._new_from = min(self._new_from or index, index)
        elif kind == Kind.TRUNCATE:
            (index,) = INDEX.unpack(body)
            if index <= self.base_index:
                self.base_index, self.base_term, self.entries = index - 1, -1, []
            position = index - self.base_index - 1
            gone = self.entries[position:]
            self.truncated_entries += [(index + n, entry) for n, entry in enumerate(gone)]
            del self.entries[position:]
            self.voter_sets = [each for each in self.voter_sets if each[0] < index]
        elif kind == Kind.STATE:
            self.term, self.voted_for, _ = STATE.unpack(body)
        elif kind == Kind.BASE or (kind == Kind.PREVIOUS and first_file):
            self.base_index, self.base_term = POSITION.unpack(body)
            self.entries, self.voter_sets = [], []
            self.installed += kind == Kind.BASE
        elif kind == Kind.COMMIT:
            (self.commit_index,) = INDEX.unpack(body)


class _JournalFile:
    """Watches one file of a journal."""

    def __init__(self, mirror: JournalMirror, path: str) -> None:
        self._mirror = mirror
        self._path = path
        self.data = bytearray()
        self.parsed = 0

    def wrote(self, offset: int, data: bytes) -> None:
        self.data[offset : offset + len(data)] = data

    def truncated(self, size: int) -> None:
        del self.data[size:]
        self.parsed = min(self.parsed, size)

    def synced(self) -> None:
        if len(self.data) > self.parsed:
            self._mirror.take(self)

    def replaced(self, data: bytes) -> None:
        if data != self.data:
            self.data[:] = data
            self._mirror.rebuild()

    def renamed(self, path: str) -> None:
        """Unused: journals are never renamed."""

    def removed(self) -> None:
        self._mirror.drop(self._path)
