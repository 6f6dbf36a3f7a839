"""One node's clock: virtual time, seen through an offset and a drift of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import inf, nextafter

import trio

from raftka.model.ports import Alarm
from raftka.net.clock import TaskAlarm, TrioAlarm
from raftka.simulations.machines.determinism import current_clock, sleep, virtual_clock
from raftka.simulations.machines.life import Life

EPOCH_MS = 1_767_225_600_000
"""Virtual time starts on 2026-01-01, so that timestamps look like timestamps."""


class SimClock:
    """`rate`: how fast this node's seconds pass. `wall_offset_ms`: faults make it jump."""

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

    @contextmanager
    def within(self, seconds: float) -> Iterator[trio.CancelScope]:
        clock = virtual_clock()
        if clock is None:
            with trio.move_on_after(max(0.0, seconds / self.rate)) as scope:
                yield scope
            return
        with trio.CancelScope() as scope:
            # A process notices the end of a wait, like anything else, only while it runs.
            due = clock.now + max(0.0, seconds / self.rate)
            clock.at(due, partial(self.life.when_running, scope.cancel))
            yield scope

    def alarm(self) -> Alarm:
        return SimAlarm(self) if virtual_clock() is not None else TrioAlarm(self.monotonic)


class SimAlarm(TaskAlarm):
    """An alarm on a node's clock, which has a rate of its own and may be paused."""

    def __init__(self, clock: SimClock) -> None:
        super().__init__()
        self._clock = clock

    def _moment(self, until: float) -> float:
        rate = self._clock.rate
        due = max(trio.current_time(), until / rate)
        while due * rate < until:
            due = nextafter(due, inf)  # Otherwise the clock would not have reached that time yet.
        return due

    async def _woken(self) -> None:
        await self._clock.life.passage()

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        current_clock().at(moment, action)
