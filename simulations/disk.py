"""A machine's disk in memory: what was synced survives a power loss, the rest may or may not.

Two layers: what processes see (the page cache) and what the medium holds. A killed process leaves
the page cache as it is; a power loss leaves the medium, plus whatever part of the unsynced writes
the dice say had already reached it, independently for each file, the last one possibly torn.
Directory changes reach the medium in order, as a journaling file system does it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

import trio

from model.world import Buffer, FileLock

T = TypeVar("T")
SECTOR = 512


class Killed(BaseException):
    """The process that does this is dead: nothing it still tries may have an effect."""


@dataclass(frozen=True, slots=True)
class _Change:
    """One unsynced change of a file and how to take it back."""

    offset: int
    new: bytes
    old: bytes
    old_size: int


@dataclass(eq=False)
class _Inode:
    """One file: its bytes as processes see them, and what the medium may not have yet."""

    data: bytearray = field(default_factory=bytearray)
    unsynced: list[_Change] = field(default_factory=list)

    def write(self, offset: int, new: bytes) -> None:
        data = self.data
        size = len(data)
        self.unsynced.append(_Change(offset, new, bytes(data[offset : offset + len(new)]), size))
        if offset > size:
            data.extend(bytes(offset - size))
        data[offset : offset + len(new)] = new

    def truncate(self, size: int) -> None:
        data = self.data
        self.unsynced.append(_Change(size, b"", bytes(data[size:]), len(data)))
        if size <= len(data):
            del data[size:]
        else:
            data.extend(bytes(size - len(data)))

    def sync(self) -> None:
        self.unsynced.clear()

    def lose_power(self, dice: Random) -> None:
        """Keep a prefix of the unsynced changes, perhaps with a torn one at its end."""
        if not self.unsynced:
            return
        survivors = dice.randrange(len(self.unsynced) + 1)
        lost = self.unsynced[survivors:]
        for change in reversed(lost):
            self._undo(change)
        self.unsynced.clear()
        if lost and lost[0].new and dice.random() < 0.5:
            torn = lost[0].new
            sectors = dice.randrange(len(torn) // SECTOR + 1)
            self.write(lost[0].offset, torn[: sectors * SECTOR or dice.randrange(len(torn))])
            self.unsynced.clear()

    def _undo(self, change: _Change) -> None:
        data = self.data
        data[change.offset : change.offset + max(len(change.new), len(change.old))] = change.old
        if len(data) > change.old_size:
            del data[change.old_size :]
        elif len(data) < change.old_size:
            data.extend(bytes(change.old_size - len(data)))


@dataclass
class DiskFaults:
    """What goes wrong on one disk, as the fault injector sets it."""

    sync_latency_s: tuple[float, float] = (0.0001, 0.001)
    sync_error_rate: float = 0.0
    full: bool = False
    write_error_rate: float = 0.0


class Medium:
    """One machine's disk; outlives the processes that use it."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.faults = DiskFaults()
        self.files: dict[str, _Inode] = {}
        self.directories: set[str] = {"/"}
        self.locks: dict[str, object] = {}
        self._durable_names: dict[str, _Inode] = {}
        self._durable_directories: set[str] = {"/"}
        self._names_log: list[tuple[str, Callable[[dict[str, _Inode], set[str]], None]]] = []
        """Unsynced directory changes: the directory, and the change to replay on the medium."""

    def change_names(
        self, parent: str, change: Callable[[dict[str, _Inode], set[str]], None]
    ) -> None:
        change(self.files, self.directories)
        self._names_log.append((parent, change))

    def sync_names(self) -> None:
        for _, change in self._names_log:
            change(self._durable_names, self._durable_directories)
        self._names_log.clear()

    def lose_power(self) -> None:
        """What a reader finds after the machine comes back."""
        for _, change in self._names_log[: self.dice.randrange(len(self._names_log) + 1)]:
            change(self._durable_names, self._durable_directories)
        self._names_log.clear()
        self.files = dict(self._durable_names)
        self.directories = set(self._durable_directories)
        for path in sorted(self.files):
            self.files[path].lose_power(self.dice)
        self.locks.clear()

    def wipe(self) -> None:
        """A new, empty disk in place of the old one."""
        self.files.clear()
        self.directories = {"/"}
        self._durable_names.clear()
        self._durable_directories = {"/"}
        self._names_log.clear()
        self.locks.clear()

    def flip_bit(self, path: str, position: int, bit: int) -> None:
        """Silent corruption, on the medium and in what processes see."""
        inode = self.files[path]
        inode.data[position] ^= 1 << bit


class SimFile:
    """One process's handle."""

    def __init__(self, disk: SimDisk, path: str, inode: _Inode) -> None:
        self.path = path
        self._disk = disk
        self._inode = inode

    def size(self) -> int:
        return len(self._inode.data)

    def read(self, size: int, offset: int) -> bytes:
        self._disk.check_alive()
        return bytes(self._inode.data[offset : offset + size])

    def write(self, buffers: Sequence[Buffer], offset: int) -> int:
        self._disk.check_alive()
        data = b"".join(bytes(buffer) for buffer in buffers)
        faults, dice = self._disk.medium.faults, self._disk.medium.dice
        if faults.full or (faults.write_error_rate and dice.random() < faults.write_error_rate):
            # A part may have got there: nobody may rely on either outcome.
            data, code = data[: dice.randrange(len(data) + 1)], errno.ENOSPC
            if not faults.full:
                code = errno.EIO
            self._inode.write(offset, data)
            raise OSError(code, os.strerror(code), self.path)
        self._inode.write(offset, data)
        return len(data)

    def truncate(self, size: int) -> None:
        self._disk.check_alive()
        if size != len(self._inode.data):
            self._inode.truncate(size)

    def sync(self) -> None:
        self._disk.check_alive()
        medium = self._disk.medium
        rate = medium.faults.sync_error_rate
        if rate and medium.dice.random() < rate:
            raise OSError(errno.EIO, "fsync failed", self.path)
        self._inode.sync()
        medium.sync_names()

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        """Nothing to give back."""


class _Lock:
    def __init__(self, locks: dict[str, object], path: str) -> None:
        self._locks = locks
        self._path = path

    def release(self) -> None:
        if self._locks.get(self._path) is self:
            del self._locks[self._path]


class SimDisk:
    """One process's view of its machine's medium."""

    def __init__(self, medium: Medium) -> None:
        self.medium = medium
        self._alive = True

    def kill(self) -> None:
        """From now on the process that holds this can do nothing."""
        self._alive = False
        self.medium.locks.clear()

    def check_alive(self) -> None:
        if not self._alive:
            raise Killed

    def open(self, path: str, *, create: bool = False) -> SimFile:
        self.check_alive()
        path = _clean(path)
        inode = self.medium.files.get(path)
        if inode is None:
            parent = _parent(path)
            if not create or parent not in self.medium.directories:
                raise FileNotFoundError(errno.ENOENT, "No such file", path)
            if self.medium.faults.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
            made = inode = _Inode()

            def change(files: dict[str, _Inode], _: set[str]) -> None:
                files[path] = made

            self.medium.change_names(parent, change)
        return SimFile(self, path, inode)

    def exists(self, path: str) -> bool:
        path = _clean(path)
        return path in self.medium.files or path in self.medium.directories

    def is_dir(self, path: str) -> bool:
        return _clean(path) in self.medium.directories

    def list_dir(self, path: str) -> list[str]:
        self.check_alive()
        path = _clean(path)
        if path not in self.medium.directories:
            raise FileNotFoundError(errno.ENOENT, "No such directory", path)
        prefix = path.rstrip("/") + "/"
        names = {
            known[len(prefix) :].partition("/")[0]
            for known in (*self.medium.files, *self.medium.directories)
            if known.startswith(prefix) and known != prefix
        }
        return sorted(names)

    def make_dirs(self, path: str) -> None:
        self.check_alive()
        path = _clean(path)
        while path not in self.medium.directories:

            def change(_: dict[str, _Inode], directories: set[str], made: str = path) -> None:
                directories.add(made)

            self.medium.change_names(_parent(path), change)
            path = _parent(path)

    def rename(self, source: str, target: str) -> None:
        self.check_alive()
        source, target = _clean(source), _clean(target)
        if not self.exists(source):
            raise FileNotFoundError(errno.ENOENT, "No such file", source)

        def moved(name: str) -> str:
            return target + name[len(source) :]

        def change(files: dict[str, _Inode], directories: set[str]) -> None:
            for name in [n for n in files if n == source or n.startswith(source + "/")]:
                files[moved(name)] = files.pop(name)
            for name in [n for n in directories if n == source or n.startswith(source + "/")]:
                directories.remove(name)
                directories.add(moved(name))

        self.medium.change_names(_parent(target), change)

    def remove(self, path: str) -> None:
        self.check_alive()
        path = _clean(path)
        if path not in self.medium.files:
            raise FileNotFoundError(errno.ENOENT, "No such file", path)

        def change(files: dict[str, _Inode], _: set[str]) -> None:
            files.pop(path, None)

        self.medium.change_names(_parent(path), change)

    def remove_tree(self, path: str) -> None:
        self.check_alive()
        path = _clean(path)
        if path not in self.medium.directories:
            raise FileNotFoundError(errno.ENOENT, "No such directory", path)

        def change(files: dict[str, _Inode], directories: set[str]) -> None:
            for name in [n for n in files if n.startswith(path + "/")]:
                del files[name]
            for name in [n for n in directories if n == path or n.startswith(path + "/")]:
                directories.remove(name)

        self.medium.change_names(_parent(path), change)

    def sync_dir(self, path: str) -> None:
        self.check_alive()
        self.medium.sync_names()

    def free_bytes(self, path: str) -> tuple[int, int]:
        used = sum(len(inode.data) for inode in self.medium.files.values())
        total = 1 << 40
        return total, 0 if self.medium.faults.full else total - used

    def lock(self, path: str) -> FileLock:
        self.check_alive()
        path = _clean(path)
        if path in self.medium.locks:
            raise BlockingIOError(errno.EAGAIN, "the lock is held by another process", path)
        self.open(path, create=True)
        lock = _Lock(self.medium.locks, path)
        self.medium.locks[path] = lock
        return lock

    async def offload(self, function: Callable[[], T]) -> T:
        """Inline, after the time that the disk takes; a kill may come in between."""
        await trio.sleep(self.medium.dice.uniform(*self.medium.faults.sync_latency_s))
        self.check_alive()
        return function()


def _clean(path: str) -> str:
    return "/" + path.strip("/")


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"
