"""One node's clock: virtual time, seen through an offset and a drift of its own."""

from __future__ import annotations

from math import inf, nextafter

import trio

from model.world import Alarm
from net.clock import TrioAlarm
from simulations.determinism import current_clock, sleep, virtual_clock
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

    def alarm(self) -> Alarm:
        return SimAlarm(self)


class SimAlarm:
    """Waits without a cancel scope. A moment that moves away leaves the event that was arranged
    for the earlier one: it then finds that there is more to wait, which costs less than taking
    it back each time.
    """

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._rung = False
        self._task: trio.lowlevel.Task | None = None
        self._due = self._arranged = inf
        """Virtual moments: when the wait is over, and the first at which `_look` is called."""
        self._elsewhere: TrioAlarm | None = None
        """In other tests' virtual time."""

    async def wait(self, until: float) -> bool:
        virtual = virtual_clock()
        if virtual is None:
            return await self._wait_elsewhere(until)
        if self._rung:
            await trio.lowlevel.checkpoint()
        else:
            rate = self._clock.rate
            due = max(virtual.now, until / rate)
            while due * rate < until:
                due = nextafter(due, inf)  # Or the clock would not show it yet.
            self._due = due
            if due < self._arranged:
                self._arranged = due
                virtual.at(due, self._look)
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)
            await self._clock.life.passage()
        rung, self._rung = self._rung, False
        return not rung

    async def _wait_elsewhere(self, until: float) -> bool:
        if self._elsewhere is None:
            self._elsewhere = TrioAlarm(self._clock.monotonic)
            if self._rung:
                self._elsewhere.ring()
        return await self._elsewhere.wait(until)

    def ring(self) -> None:
        self._rung = True
        if self._elsewhere is not None:
            self._elsewhere.ring()
        self._wake()

    def _look(self) -> None:
        virtual = current_clock()
        if virtual.now < self._arranged:
            return  # Of a wait that was over before its time; there is an event for this one.
        self._arranged = inf
        if self._task is None:
            return
        if self._due <= virtual.now:
            self._wake()
        elif self._due < inf:
            self._arranged = self._due
            virtual.at(self._due, self._look)

    def _wake(self) -> None:
        if self._task is not None:
            task, self._task = self._task, None
            trio.lowlevel.reschedule(task)

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED
