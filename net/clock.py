"""The real clock and the real dice, behind the ports of model/world.py."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

import trio

from model.world import Alarm, Clock, Dice


class TrioAlarm:
    """An alarm of any clock that runs as fast as trio's."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._rung = trio.Event()

    async def wait(self, until: float) -> bool:
        if until == math.inf or self._rung.is_set():
            await self._rung.wait()
        else:
            # An event within the scope, not a cancelled scope: an exception costs more than both.
            with trio.move_on_after(max(0.0, until - self._monotonic())):
                await self._rung.wait()
        if not self._rung.is_set():
            return True
        self._rung = trio.Event()
        return False

    def ring(self) -> None:
        self._rung.set()


class SystemClock:
    """The machine's clocks; waiting goes through trio."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(max(0.0, seconds))

    def alarm(self) -> Alarm:
        return TrioAlarm(self.monotonic)


def system_clock() -> Clock:
    """The machine's clocks as a Clock."""
    return SystemClock()


def system_dice() -> Dice:
    """Chance that nobody can predict: ids and back-offs of real nodes must not repeat."""
    return random.SystemRandom()
