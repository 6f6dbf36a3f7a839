"""Running trio so that one seed gives one history.

The private names of trio that this needs are in this file and nowhere else. trio shuffles the tasks
that become runnable together; here the shuffle comes from the seed. Its mock clock jumps to the
next deadline as soon as every task waits.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import trio
import trio._core._run as _trio_run
import trio.testing

T = TypeVar("T")

_run: Any = _trio_run
_REAL = ("time", "time_ns", "monotonic", "monotonic_ns")


class RealWorldTouched(AssertionError):
    """Code under simulation read the machine's clock or dice, or started a thread."""


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
        with _no_real_world():
            return trio.run(main, clock=clock)
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r = saved
        if collecting:
            gc.enable()
        gc.collect()


@contextmanager
def _no_real_world() -> Iterator[None]:
    """Make the ways around the ports fail loudly for as long as the simulation runs."""

    def refuse(name: str) -> Callable[..., None]:
        def touched(*_: object, **__: object) -> None:
            raise RealWorldTouched(f"{name} was called under simulation")

        return touched

    saved = {name: getattr(time, name) for name in _REAL}
    saved_thread = trio.to_thread.run_sync
    module_dice = {name: getattr(random, name) for name in ("random", "randrange", "getrandbits")}
    try:
        for name in _REAL:
            setattr(time, name, refuse(f"time.{name}"))
        for name in module_dice:
            setattr(random, name, refuse(f"random.{name}"))
        trio.to_thread.run_sync = refuse("trio.to_thread.run_sync")  # type: ignore[assignment]
        yield
    finally:
        for name, function in saved.items():
            setattr(time, name, function)
        for name, function in module_dice.items():
            setattr(random, name, function)
        trio.to_thread.run_sync = saved_thread
