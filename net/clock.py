"""The real clock and the real dice, behind the ports of model/world.py."""

from __future__ import annotations

import random
import time

import trio

from model.world import Clock, Dice, Event


class SystemClock:
    """The machine's clocks; waiting goes through trio."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(max(0.0, seconds))

    async def wait_for(self, event: Event, seconds: float) -> None:
        with trio.move_on_after(max(0.0, seconds)):
            await event.wait()


def system_clock() -> Clock:
    """The machine's clocks as a Clock."""
    return SystemClock()


def system_dice() -> Dice:
    """Chance that nobody can predict: ids and back-offs of real nodes must not repeat."""
    return random.SystemRandom()
