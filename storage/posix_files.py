"""The files of a real machine, without async methods: also for the child processes for long work
(storage/apart_process.py), which have no event loop."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Final

from raftka.model.ports import Buffer, File, FileLock

_MAX_BUFFERS: Final = 1024
"""IOV_MAX on Linux and macOS."""

_datasync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class PosixFile:
    """A file descriptor, which is closed with the last reference.

    So a segment can be deleted while a region of it is being sent to a consumer: the log drops its
    reference instead of closing the file, and the region keeps the descriptor alive.
    """

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def read(self, size: int, offset: int) -> bytes:
        data = os.pread(self._descriptor, size, offset)
        if len(data) == size or not data:
            return data
        return self._read_on(data, size, offset)

    def _read_on(self, data: bytes, size: int, offset: int) -> bytes:
        """Continue after a short read: only 0 bytes mean the end."""
        parts = [data]
        got = len(data)
        while got < size:
            data = os.pread(self._descriptor, size - got, offset + got)
            if not data:
                break
            parts.append(data)
            got += len(data)
        return b"".join(parts)

    def write(self, buffers: Sequence[Buffer], offset: int) -> int:
        if len(buffers) == 1:
            buffer = buffers[0]
            written = os.pwrite(self._descriptor, buffer, offset)
            if written == len(buffer):
                return written
        elif len(buffers) <= _MAX_BUFFERS:
            written = os.pwritev(self._descriptor, buffers, offset)
        else:
            written = 0
        return self._write_on(buffers, offset, written)

    def _write_on(self, buffers: Sequence[Buffer], offset: int, written: int) -> int:
        """Write the rest after the first `written` bytes (a short write, or too many buffers)."""
        start = 0
        for buffer in buffers:
            view = memoryview(buffer).cast("B")
            while start + len(view) > written:
                written += os.pwrite(self._descriptor, view[written - start :], offset + written)
                if written - start == len(view):
                    break
            start += len(view)
        return start

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        _datasync(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


class PosixLock:
    """A locked file. It takes both kinds of lock: fcntl's is visible to a JVM, flock's also
    excludes two nodes in one process."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise BlockingIOError(error.errno, f"another process has locked {path}") from error

    def release(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


class PosixFiles:
    """The machine's file system: the synchronous operations."""

    def open(self, path: str, *, create: bool = False) -> File:
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        return PosixFile(path, os.open(path, flags, 0o666))

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def is_dir(self, path: str) -> bool:
        return os.path.isdir(path)

    def list_dir(self, path: str) -> list[str]:
        return sorted(os.listdir(path))

    def make_dirs(self, path: str) -> None:
        try:
            os.mkdir(path)  # usually all but the last exist
        except FileExistsError:
            if not os.path.isdir(path):
                raise
        except FileNotFoundError:
            os.makedirs(path, exist_ok=True)

    def rename(self, source: str, target: str) -> None:
        os.replace(source, target)

    def remove(self, path: str) -> None:
        os.remove(path)

    def remove_tree(self, path: str) -> None:
        shutil.rmtree(path)

    def sync_dir(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self, path: str) -> tuple[int, int]:
        usage = os.statvfs(path)
        return usage.f_blocks * usage.f_frsize, usage.f_bavail * usage.f_frsize

    def lock(self, path: str) -> FileLock:
        return PosixLock(path)
