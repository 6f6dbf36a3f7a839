"""Running trio so that one seed gives one history.

The private names of trio that this needs are in this file and nowhere else. trio shuffles the tasks
that become runnable together; here the shuffle comes from the seed. Its mock clock jumps to the
next deadline as soon as every task waits.

While a simulation runs, the ways around the ports fail loudly: the machine's clock, its dice, its
disk, sockets, threads and processes.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, TypeVar

import trio
import trio._core._run as _trio_run
import trio.testing

T = TypeVar("T")

_run: Any = _trio_run
_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "sleep", "perf_counter")
_DICE = ("random", "randrange", "getrandbits", "randint", "choice", "shuffle", "uniform")
_AUDITED = frozenset(
    {
        *("open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.truncate"),
        *("socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo"),
        *("subprocess.Popen", "os.fork", "os.posix_spawn", "os.system", "_thread.start_new_thread"),
    }
)
_IMPORTED = (".py", ".pyc", ".so")


class RealWorldTouched(AssertionError):
    """Code under simulation read the machine's clock or dice, or used its disk or a thread."""


class _Guard:
    """The audit hook, which Python never lets go of: installed once, armed by runs."""

    armed = False
    installed = False

    @classmethod
    def hook(cls, event: str, arguments: tuple[Any, ...]) -> None:
        if not cls.armed or event not in _AUDITED:
            return
        subject = arguments[0] if arguments else ""
        if event in ("open", "os.listdir", "os.scandir"):
            # Importing a module late reads the disk, and nothing else may.
            if isinstance(subject, str) and subject.endswith(_IMPORTED):
                return
            if isinstance(subject, str) and event != "open" and subject in sys.path_importer_cache:
                return
        raise RealWorldTouched(f"{event} {subject!r} under simulation")


def run(main: Callable[[], Awaitable[T]], seed: int) -> T:
    """Run `main` in virtual time, every choice drawn from `seed`."""
    saved = _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True
    _run._r = random.Random(seed)
    # A collection runs finalizers at a moment that depends on the process's past.
    collecting = gc.isenabled()
    gc.disable()
    try:
        clock = trio.testing.MockClock(autojump_threshold=0)
        return trio.run(_guarded, main, clock=clock)
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r = saved
        if collecting:
            gc.enable()


async def _guarded(main: Callable[[], Awaitable[T]]) -> T:
    with _no_real_world():
        return await main()


@contextmanager
def _no_real_world() -> Iterator[None]:
    """Make the ways around the ports fail loudly for as long as the simulation runs."""

    def refuse(name: str) -> Callable[..., None]:
        def touched(*_: object, **__: object) -> None:
            raise RealWorldTouched(f"{name} was called under simulation")

        return touched

    places: list[tuple[Any, str]] = [
        *((time, name) for name in _CLOCKS),
        *((random, name) for name in _DICE),
        (os, "urandom"),
        (trio.to_thread, "run_sync"),
    ]
    saved = [(place, name, getattr(place, name)) for place, name in places]
    if not _Guard.installed:
        sys.addaudithook(_Guard.hook)
        _Guard.installed = True
    stamps: Any = logging
    saved_stamps = stamps.time
    try:
        for place, name in places:
            setattr(place, name, refuse(f"{place.__name__}.{name}"))
        # Log records carry the time at which they were made, which nobody reads here.
        stamps.time = SimpleNamespace(time=lambda: 0.0)
        _Guard.armed = True
        yield
    finally:
        _Guard.armed = False
        stamps.time = saved_stamps
        for place, name, function in saved:
            setattr(place, name, function)
