"""The contents of a machine's disk: files in two layers, the page cache and the medium under it.

A killed process leaves the page cache as it is. A power loss leaves the medium, plus those unsynced
writes that had already reached it: a prefix drawn for each file independently, the last write
possibly torn. Directory changes reach the medium in order, as in a journaling file system.

A sync that fails may also lose its data: the kernel marks the pages clean, keeps
showing them, and never writes them. No later sync brings them back; when the process has ended,
they are read from the medium, which does not have them.

Observers see every change through a `Watcher` on the file, from any writer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

SECTOR = 512


class Watcher(Protocol):
    """Notified of what happens to one file, in order."""

    def wrote(self, offset: int, data: bytes) -> None: ...
    def truncated(self, size: int) -> None: ...

    def synced(self) -> None:
        """All of it is durable."""
        ...

    def replaced(self, data: bytes) -> None:
        """By a power loss or a fault of the disk; all of it is durable."""
        ...

    def renamed(self, path: str) -> None: ...
    def removed(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Change:
    """One unsynced change of a file and how to take it back."""

    offset: int
    new: bytes
    old: bytes
    old_size: int
    cuts: bool = False
    """Whether it is a truncation."""

    def apply(self, data: bytearray) -> None:
        """Apply the change to another copy of the file."""
        if len(data) < self.offset:
            data.extend(bytes(self.offset - len(data)))
        if self.cuts:
            del data[self.offset :]
        else:
            data[self.offset : self.offset + len(self.new)] = self.new


@dataclass(eq=False)
class Inode:
    """One file: its bytes as processes see them, and what the medium may not have yet."""

    data: bytearray = field(default_factory=bytearray)
    unsynced: list[_Change] = field(default_factory=list)
    watcher: Watcher | None = None
    medium: bytearray | None = None
    """The disk's contents of a file that lost pages in a failed sync; None for any other."""

    def write(self, offset: int, new: bytes) -> None:
        data = self.data
        size = len(data)
        self.unsynced.append(_Change(offset, new, bytes(data[offset : offset + len(new)]), size))
        if offset > size:
            data.extend(bytes(offset - size))
        data[offset : offset + len(new)] = new
        if self.watcher is not None:
            self.watcher.wrote(offset, new)

    def truncate(self, size: int) -> None:
        data = self.data
        self.unsynced.append(_Change(size, b"", bytes(data[size:]), len(data), cuts=True))
        if size <= len(data):
            del data[size:]
        else:
            data.extend(bytes(size - len(data)))
        if self.watcher is not None:
            self.watcher.truncated(size)

    def sync(self) -> None:
        if self.medium is not None:
            # Only later writes are written now: the file has a hole that no process sees.
            for change in self.unsynced:
                change.apply(self.medium)
        self.unsynced.clear()
        if self.watcher is not None and self.medium is None:
            self.watcher.synced()

    def lose_pages(self) -> int:
        """A sync failed and its data will never be written; the number of lost changes."""
        if self.medium is None:
            self.medium = bytearray(self.data)
            for change in reversed(self.unsynced):
                _undo(self.medium, change)
        lost = len(self.unsynced)
        self.unsynced.clear()
        return lost

    def read_again(self) -> None:
        """The last process closed the file: from now on readers see what the medium has."""
        if self.medium is not None:
            for change in self.unsynced:
                change.apply(self.medium)
            left, self.medium = self.medium, None
            self.replace(left)

    def replace(self, data: bytes | bytearray) -> None:
        """The medium has these contents from now on; no process wrote them."""
        self.data[:] = data
        self.unsynced.clear()
        self.medium = None
        if self.watcher is not None:
            self.watcher.replaced(bytes(data))

    def lose_power(self, dice: Random) -> int:
        """Keep a prefix of the unsynced changes, the last perhaps torn; how many were lost."""
        survivors = dice.randrange(len(self.unsynced) + 1) if self.unsynced else 0
        lost = self.unsynced[survivors:]
        for change in reversed(lost):
            _undo(self.data, change)
        if self.medium is not None:
            for change in self.unsynced[:survivors]:
                change.apply(self.medium)
            self.replace(self.medium)
            return max(1, len(lost))
        if lost and lost[0].new and dice.random() < 0.5:
            torn = lost[0].new
            sectors = dice.randrange(len(torn) // SECTOR + 1)
            size = sectors * SECTOR or dice.randrange(len(torn))
            self.data[lost[0].offset : lost[0].offset + size] = torn[:size]
        self.replace(bytes(self.data))
        return len(lost)


def _undo(data: bytearray, change: _Change) -> None:
    data[change.offset : change.offset + max(len(change.new), len(change.old))] = change.old
    if len(data) > change.old_size:
        del data[change.old_size :]
    elif len(data) < change.old_size:
        data.extend(bytes(change.old_size - len(data)))


@dataclass
class DiskFaults:
    """The present faults of one disk, set by the fault injector."""

    sync_latency_s: tuple[float, float] = (0.0001, 0.001)
    sync_error_rate: float = 0.0
    loses_pages: bool = False
    """Whether a failed sync loses its data."""
    full: bool = False
    write_error_rate: float = 0.0
    dead: str = ""
    """A directory that is a disk of its own, and has failed."""

    def is_dead(self, path: str) -> bool:
        """Whether a path is on the disk that has failed."""
        return bool(self.dead) and (path == self.dead or path.startswith(self.dead + "/"))


NameChange = Callable[[dict[str, Inode], set[str]], None]


class Medium:
    """One machine's disk; outlives the processes that use it."""

    def __init__(
        self, dice: Random, watch: Callable[[str], Watcher | None] = lambda path: None
    ) -> None:
        self.dice = dice
        self.faults = DiskFaults()
        self.files: dict[str, Inode] = {}
        self.directories: set[str] = {"/"}
        self.locks: dict[str, object] = {}
        self.watch = watch
        """Returns a new file's watcher, if an observer wants one for that path."""
        self._durable_names: dict[str, Inode] = {}
        self._durable_directories: set[str] = {"/"}
        self.was_interrupted = False
        """Whether it ever lost power or pages: files that recovery does not read may be as they
        were then.
        """
        self.on_error: Callable[[str], None] = lambda path: None
        """Called with the path after the effects of a failed write or sync."""
        self._names_log: list[NameChange] = []
        """Unsynced directory changes, to replay on the medium."""

    def create(self, path: str) -> Inode:
        made = Inode(watcher=self.watch(path))

        def change(files: dict[str, Inode], _: set[str]) -> None:
            files[path] = made

        self.change_names(change)
        return made

    def change_names(self, change: NameChange) -> None:
        change(self.files, self.directories)
        self._names_log.append(change)

    def renamed(self, path: str) -> None:
        """Give the watchers of everything under `path` its new name."""
        for name, inode in self.files.items():
            if inode.watcher is not None and (name == path or name.startswith(path + "/")):
                inode.watcher.renamed(name)

    def sync_names(self) -> None:
        for change in self._names_log:
            change(self._durable_names, self._durable_directories)
        self._names_log.clear()

    def lose_power(self) -> int:
        """Reduce the files to what survives the power loss; the number of lost changes."""
        self.was_interrupted = True
        for change in self._names_log[: self.dice.randrange(len(self._names_log) + 1)]:
            change(self._durable_names, self._durable_directories)
        self._names_log.clear()
        before = self.files
        self.files = dict(self._durable_names)
        self.directories = set(self._durable_directories)
        kept = set(map(id, self.files.values()))
        for inode in before.values():
            if id(inode) not in kept and inode.watcher is not None:
                # Its name was not durable yet: its contents are lost with it.
                inode.watcher.replaced(b"")
                inode.watcher.removed()
        lost = 0
        for path in sorted(self.files):
            inode = self.files[path]
            if inode.watcher is not None:
                inode.watcher.renamed(path)
            lost += inode.lose_power(self.dice)
        self.locks.clear()
        return lost

    def lose_pages(self, inode: Inode) -> int:
        """A sync of this file failed and lost its data; the number of lost changes."""
        self.was_interrupted = True
        return inode.lose_pages()

    def process_ended(self) -> None:
        """Pages that the medium lacks disappear with the last process that saw them."""
        for inode in self.files.values():
            inode.read_again()

    def wipe(self, directory: str = "/") -> None:
        """A new, empty disk in place of the one mounted at `directory`."""
        prefix = directory.rstrip("/") + "/"
        self.sync_names()
        for path in [path for path in self.files if path.startswith(prefix)]:
            inode = self.files.pop(path)
            if inode.watcher is not None:
                inode.watcher.removed()
        self.directories = {d for d in self.directories if not (d + "/").startswith(prefix)} | {"/"}
        self._durable_names = dict(self.files)
        self._durable_directories = set(self.directories)
        self.locks.clear()

    def flip_bit(self, path: str, position: int, bit: int) -> None:
        """Silent corruption, on the medium and in what processes see."""
        inode = self.files[path]
        data = bytearray(inode.data)
        data[position] ^= 1 << bit
        inode.replace(data)

    def misdirect(self, path: str, source: int, target: int, size: int) -> None:
        """A write of `size` bytes, meant for `source`, went to `target` of the same file."""
        inode = self.files[path]
        data = bytearray(inode.data)
        data[target : target + size] = data[source : source + size]
        data[source : source + size] = bytes(size)
        inode.replace(data[: len(inode.data)])
