"""One node's clock: virtual time, seen through an offset and a drift of its own."""

from __future__ import annotations

import trio

from model.world import Event
from simulations.determinism import sleep, wait_for
from simulations.life import Life

EPOCH_MS = 1_767_225_600_000
"""Virtual time starts on 2026-01-01, so that timestamps look like timestamps."""


class SimClock:
    """`rate` is how fast this node's seconds pass; `wall_offset_ms` jumps when faults say so."""

    def __init__(
        self, *, rate: float = 1.0, wall_offset_ms: int = 0, life: Life | None = None
    ) -> None:
        self.life = life or Life()
        self.rate = rate
        self.wall_offset_ms = wall_offset_ms

    def monotonic(self) -> float:
        return trio.current_time() * self.rate

    def wall_ms(self) -> int:
        return EPOCH_MS + self.wall_offset_ms + int(trio.current_time() * self.rate * 1000)

    async def sleep(self, seconds: float) -> None:
        await sleep(seconds / self.rate)
        if self.life.is_paused:
            await self.life.passage()

    async def wait_for(self, event: Event, seconds: float) -> None:
        await wait_for(event, seconds / self.rate)
        if self.life.is_paused:
            await self.life.passage()
