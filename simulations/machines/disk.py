"""The disk port of one simulated process: its machine's files, while it lives.

What survives which fault: simulations/machines/medium.py. Errors have the numbers and words of
Linux, whatever runs the simulation, since log lines show them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from raftka.model.ports import Buffer, Disk, FileLock, Values
from raftka.simulations.machines.determinism import sleep
from raftka.simulations.machines.life import Killed, Life
from raftka.simulations.machines.medium import Inode, Medium

T = TypeVar("T")

_MISSING: Final = 2
_LOCKED: Final = 11
_IO_ERROR: Final = (5, "Input/output error")
_NO_SPACE: Final = (28, "No space left on device")


class SimFile:
    """One process's handle."""

    def __init__(self, disk: SimDisk, path: str, inode: Inode) -> None:
        self.path = path
        self._disk = disk
        self._inode = inode

    def size(self) -> int:
        return len(self._inode.data)

    def read(self, size: int, offset: int) -> bytes:
        self._disk.check_works(self.path)
        return bytes(self._inode.data[offset : offset + size])

    def write(self, buffers: Sequence[Buffer], offset: int) -> int:
        self._disk.check_works(self.path)
        data = b"".join(bytes(buffer) for buffer in buffers)
        faults, dice = self._disk.medium.faults, self._disk.medium.dice
        if faults.full or (faults.write_error_rate and dice.random() < faults.write_error_rate):
            # Some of the bytes may be written: no process may rely on either outcome.
            data, error = data[: dice.randrange(len(data) + 1)], _NO_SPACE
            if not faults.full:
                error = _IO_ERROR
            self._inode.write(offset, data)
            self._disk.medium.on_error(self.path)
            raise OSError(*error, self.path)
        self._inode.write(offset, data)
        return len(data)

    def truncate(self, size: int) -> None:
        self._disk.check_works(self.path)
        if size != len(self._inode.data):
            self._inode.truncate(size)

    def sync(self) -> None:
        self._disk.check_works(self.path)
        medium = self._disk.medium
        rate = medium.faults.sync_error_rate
        if rate and medium.dice.random() < rate:
            if medium.faults.loses_pages:
                medium.lose_pages(self._inode)
            medium.on_error(self.path)
            raise OSError(_IO_ERROR[0], "fsync failed", self.path)
        self._inode.sync()
        medium.sync_names()

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        """There is nothing to release."""


class _Lock:
    def __init__(self, locks: dict[str, object], path: str) -> None:
        self._locks = locks
        self._path = path

    def release(self) -> None:
        if self._locks.get(self._path) is self:
            del self._locks[self._path]


class SimDisk:
    """One process's view of its machine's medium."""

    def __init__(self, medium: Medium, life: Life | None = None) -> None:
        self.medium = medium
        self._life = life or Life()

    def kill(self) -> None:
        """From now on the process with this disk can do nothing."""
        self._life.end()
        self.medium.locks.clear()

    def check_alive(self) -> None:
        if not self._life.is_alive:
            raise Killed

    def check_works(self, path: str) -> None:
        """Raise OSError for a path on a disk that has failed."""
        self.check_alive()
        if self.medium.faults.is_dead(path):
            self.medium.on_error(path)
            raise OSError(*_IO_ERROR, path)

    def open(self, path: str, *, create: bool = False) -> SimFile:
        path = _clean(path)
        self.check_works(path)
        inode = self.medium.files.get(path)
        if inode is None:
            parent = _parent(path)
            if not create or parent not in self.medium.directories:
                raise FileNotFoundError(_MISSING, "No such file", path)
            if self.medium.faults.full:
                raise OSError(*_NO_SPACE, path)
            inode = self.medium.create(path)
        return SimFile(self, path, inode)

    def exists(self, path: str) -> bool:
        path = _clean(path)
        return path in self.medium.files or path in self.medium.directories

    def is_dir(self, path: str) -> bool:
        return _clean(path) in self.medium.directories

    def list_dir(self, path: str) -> list[str]:
        path = _clean(path)
        self.check_works(path)
        if path not in self.medium.directories:
            raise FileNotFoundError(_MISSING, "No such directory", path)
        prefix = path.rstrip("/") + "/"
        names = {
            known[len(prefix) :].partition("/")[0]
            for known in (*self.medium.files, *self.medium.directories)
            if known.startswith(prefix) and known != prefix
        }
        return sorted(names)

    def make_dirs(self, path: str) -> None:
        path = _clean(path)
        self.check_works(path)
        while path not in self.medium.directories:

            def change(_: dict[str, Inode], directories: set[str], made: str = path) -> None:
                directories.add(made)

            self.medium.change_names(change)
            path = _parent(path)

    def rename(self, source: str, target: str) -> None:
        source, target = _clean(source), _clean(target)
        self.check_works(source)
        if not self.exists(source):
            raise FileNotFoundError(_MISSING, "No such file", source)

        def moved(name: str) -> str:
            return target + name[len(source) :]

        def change(files: dict[str, Inode], directories: set[str]) -> None:
            if source in files:
                files[target] = files.pop(source)
                return
            for name in [n for n in files if n.startswith(source + "/")]:
                files[moved(name)] = files.pop(name)
            for name in [n for n in directories if n == source or n.startswith(source + "/")]:
                directories.remove(name)
                directories.add(moved(name))

        replaced = self.medium.files.get(target)
        self.medium.change_names(change)
        if replaced is not None and replaced.watcher is not None:
            replaced.watcher.removed()
        self.medium.renamed(target)

    def remove(self, path: str) -> None:
        self.check_alive()
        path = _clean(path)
        if path not in self.medium.files:
            raise FileNotFoundError(_MISSING, "No such file", path)

        def change(files: dict[str, Inode], _: set[str]) -> None:
            files.pop(path, None)

        removed = self.medium.files[path]
        self.medium.change_names(change)
        if removed.watcher is not None:
            removed.watcher.removed()

    def remove_tree(self, path: str) -> None:
        self.check_alive()
        path = _clean(path)
        if path not in self.medium.directories:
            raise FileNotFoundError(_MISSING, "No such directory", path)

        def change(files: dict[str, Inode], directories: set[str]) -> None:
            for name in [n for n in files if n.startswith(path + "/")]:
                del files[name]
            for name in [n for n in directories if n == path or n.startswith(path + "/")]:
                directories.remove(name)

        for name, inode in self.medium.files.items():
            if inode.watcher is not None and name.startswith(path + "/"):
                inode.watcher.removed()
        self.medium.change_names(change)

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
            raise BlockingIOError(_LOCKED, "the lock is held by another process", path)
        self.open(path, create=True)
        lock = _Lock(self.medium.locks, path)
        self.medium.locks[path] = lock
        return lock

    async def offload(self, function: Callable[[], T]) -> T:
        """Runs inline, after the disk's delay, in which the process may be killed."""
        await sleep(self.medium.dice.uniform(*self.medium.faults.sync_latency_s))
        await self._life.passage()
        self.check_alive()
        return function()

    def begin(
        self, steps: Callable[[Disk, Values], Iterator[Values]], arguments: Values
    ) -> SimWork:
        """As the port says: each step without interruption, after the disk's delay."""
        return SimWork(self, steps(self, arguments))


class SimWork:
    """Work of a process, which ends when the process is killed."""

    def __init__(self, disk: SimDisk, steps: Iterator[Values]) -> None:
        self._disk = disk
        self._steps = steps

    async def step(self) -> Values | None:
        """As the port says."""
        return await self._disk.offload(lambda: next(self._steps, None))

    async def close(self) -> None:
        """No other task runs between two steps."""


def _clean(path: str) -> str:
    return "/" + path.strip("/")


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"
