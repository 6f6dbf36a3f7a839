"""The operating system, as far as trio and pysyncobj need one for their import and for the start
and end of a loop.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

_FLAGS: Final = {
    "EPOLLIN": 1,
    "EPOLLPRI": 2,
    "EPOLLOUT": 4,
    "EPOLLERR": 8,
    "EPOLLHUP": 16,
    "EPOLLEXCLUSIVE": 1 << 28,
    "EPOLLONESHOT": 1 << 30,
    "EPOLLET": 1 << 31,
}
"""The constants of Linux's <sys/epoll.h>."""
_NUMBERS: Final = count(1 << 20)
"""Numbers that no real file descriptor has."""


class Pair:
    """One end of trio's pair of sockets for waking itself up; a byte that is sent to one end can be
    received at the other."""

    def __init__(self) -> None:
        self._number = next(_NUMBERS)
        self.other = self
        self.waiting = 0

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def setsockopt(self, *_: object) -> None:
        """Accepts trio's call that shrinks its buffers."""

    def send(self, data: bytes) -> int:
        self.other.waiting += len(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        found = min(size, self.waiting)
        if not found:
            raise BlockingIOError("nothing was sent")
        self.waiting -= found
        return bytes(found)

    def fileno(self) -> int:
        return self._number

    def close(self) -> None:
        _OPEN.pop(self._number, None)


_OPEN: Final[dict[int, Pair]] = {}


def socketpair(*_: object, **__: object) -> tuple[Pair, Pair]:
    """Replaces socket.socketpair."""
    left, right = Pair(), Pair()
    left.other, right.other = right, left
    _OPEN.update({each.fileno(): each for each in (left, right)})
    return left, right


class Epoll:
    """Replaces select.epoll: only the pairs above ever become readable."""

    def __init__(self, *_: object) -> None:
        self._watched: dict[int, int] = {}

    def register(self, number: int, flags: int = 0) -> None:
        self._watched[number] = flags

    def modify(self, number: int, flags: int) -> None:
        self._watched[number] = flags

    def unregister(self, number: int) -> None:
        self._watched.pop(number, None)

    def poll(self, *_: object) -> list[tuple[int, int]]:
        """Returns at once: no real time passes in a simulation."""
        watched = ((number, _OPEN.get(number)) for number in self._watched)
        return [(number, 1) for number, pair in watched if pair is not None and pair.waiting]

    def fileno(self) -> int:
        return 0

    def close(self) -> None:
        self._watched.clear()


def take_place() -> None:
    """Stand in for what is missing here, and import the two libraries that ask for it."""
    _unless(select, "epoll", Epoll)
    for name, value in _FLAGS.items():
        _unless(select, name, value)
    if not _makes_pairs():
        _put(socket, "socketpair", socketpair)
        _put(signal, "set_wakeup_fd", _no_wakeup)
    _unless(os, "pidfd_open", _no_processes)
    with _linux():
        import trio  # noqa: F401
    with _a_clock():
        import raftka.kraft.raft.seams  # noqa: F401  (it imports pysyncobj)


def _makes_pairs() -> bool:
    """Python for WebAssembly has the function, but it fails."""
    try:
        for each in socket.socketpair():
            each.close()
    except (AttributeError, OSError):
        return False
    return True


def _no_wakeup(number: int, *, warn_on_full_buffer: bool = True) -> int:
    """Returns -1 as if none was set before; there are no signals."""
    return -1


def _no_processes(*_: object) -> int:
    raise OSError("there are no processes here")


@contextmanager
def _linux() -> Iterator[None]:
    """trio chooses its I/O manager by the platform's name."""
    platform = sys.platform
    sys.platform = "linux"
    try:
        yield
    finally:
        sys.platform = platform


@contextmanager
def _a_clock() -> Iterator[None]:
    """pysyncobj tries CLOCK_MONOTONIC_RAW, and loads a C library if that fails."""
    original: Callable[..., float] | None = getattr(time, "clock_gettime", None)
    added = _unless(time, "CLOCK_MONOTONIC_RAW", 4)
    time.clock_gettime = lambda _: time.monotonic()
    try:
        yield
    finally:
        if original is None:
            del time.clock_gettime
        else:
            time.clock_gettime = original
        if added:
            del time.CLOCK_MONOTONIC_RAW


def _unless(place: Any, name: str, value: object) -> bool:
    """Set the attribute if it is missing; returns whether it was."""
    if hasattr(place, name):
        return False
    _put(place, name, value)
    return True


def _put(place: Any, name: str, value: object) -> None:
    """The types of the real ones promise more than is needed here."""
    setattr(place, name, value)
