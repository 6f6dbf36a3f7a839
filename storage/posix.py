"""The disk of a real machine, behind the port in model/ports.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import trio

from raftka.model.ports import Disk, Values, Work
from raftka.storage.apart import ProcessWork
from raftka.storage.posix_files import PosixFiles

T = TypeVar("T")

_THREADS: Final = 8
"""Enough for the disk to reorder syncs; more would only compete for the GIL."""


class PosixDisk(PosixFiles):
    """The machine's file system."""

    def __init__(self) -> None:
        self._limiter: trio.CapacityLimiter | None = None

    async def offload(self, function: Callable[[], T]) -> T:
        if self._limiter is None:
            self._limiter = trio.CapacityLimiter(_THREADS)
        return await trio.to_thread.run_sync(function, limiter=self._limiter)

    def begin(self, steps: Callable[[Disk, Values], Iterator[Values]], arguments: Values) -> Work:
        return ProcessWork(steps, arguments)
