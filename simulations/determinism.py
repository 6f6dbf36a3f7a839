"""Running trio so that one seed gives one history.

The private names of trio that this needs are in this file and nowhere else. trio shuffles the tasks
that become runnable together; here the shuffle comes from the seed. The clock jumps to the next
thing that happens as soon as every task waits.

While a simulation runs, the ways around the ports fail loudly: the machine's clock, its dice, its
disk, sockets, threads and processes.
"""

from __future__ import annotations

import gc
import heapq
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from math import inf
from types import SimpleNamespace
from typing import Any, TypeVar

import trio
import trio._core._run as _trio_run
import trio.abc

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
_STALLED_MAX = 1000
_IMPORTED = (".py", ".pyc", ".so")


class RealWorldTouched(AssertionError):
    """Code under simulation read the machine's clock or dice, or used its disk or a thread."""


class VirtualClock(trio.abc.Clock):
    """Jumps to the next deadline, or the next event, as soon as every task waits.

    Events are calls at a moment, made between the steps of tasks: what a network delivers needs no
    task of its own, which is most of what a simulation would otherwise spend its time on.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.stalled = 0
        self.is_deadlock = False
        self.scope = trio.CancelScope()
        """Of everything that runs; cancelled when nothing would ever happen again."""
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Call `action` at `moment`, not before the present step ends."""
        self._sequence += 1
        heapq.heappush(self._events, (moment, self._sequence, action))

    def start_clock(self) -> None:
        """It starts at 0."""

    def current_time(self) -> float:
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """trio asks when no task can run: the moment to go on to the next thing that happens."""
        moment, events = deadline, self._events
        if events and events[0][0] < moment:
            moment = events[0][0]
        if moment == inf:
            return self._wait_for_trio()
        self.stalled = 0
        if moment > self.now:
            self.now = moment
        while events and events[0][0] <= self.now:
            heapq.heappop(events)[2]()
        return 0.0

    def _wait_for_trio(self) -> float:
        """Only trio's own wakeups are left, as at its end; many turns of that are a deadlock."""
        self.stalled += 1
        if self.stalled > _STALLED_MAX and not self.is_deadlock:
            self.is_deadlock = True
            self.scope.cancel()
        return 0.0


def current_clock() -> VirtualClock:
    """The clock of the simulation that runs now."""
    clock = _run.GLOBAL_RUN_CONTEXT.runner.clock
    assert isinstance(clock, VirtualClock)
    return clock


class _Order:
    """The order in which tasks run that became runnable together."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def shuffle(self, batch: list[Any]) -> None:
        if len(batch) > 1:
            self._dice.shuffle(batch)


def _without_io(
    poll: Callable[[Any, float], Any], clock: VirtualClock
) -> Callable[[Any, float], Any]:
    """Nothing real is waited for; only an interrupt may come, and is looked for now and then."""
    turns = 0

    def get_events(manager: Any, timeout: float) -> Any:
        nonlocal turns
        turns += 1
        return poll(manager, 0) if clock.stalled or turns % 4096 == 0 else ()

    return get_events


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
    manager: Any = _run.TheIOManager
    poll = manager.get_events
    # A collection runs finalizers at a moment that depends on the process's past.
    collecting = gc.isenabled()
    gc.disable()
    try:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = True
        _run._r = _Order(seed)
        clock = VirtualClock()
        manager.get_events = _without_io(poll, clock)
        return trio.run(_guarded, main, clock=clock)
    finally:
        manager.get_events = poll
        _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r = saved
        if collecting:
            gc.enable()


async def _guarded(main: Callable[[], Awaitable[T]]) -> T:
    clock = current_clock()
    found: list[T] = []
    with _no_real_world(), clock.scope:
        found.append(await main())
    if not found:
        raise RuntimeError("nothing would ever happen again: every task waits for another")
    return found[0]


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
        (threading.Thread, "start"),
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
