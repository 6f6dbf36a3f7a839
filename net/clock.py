"""The real clock and random source, behind the ports of model/ports.py."""

from __future__ import annotations

import abc
import heapq
import itertools
import math
import random
import time
from collections.abc import Callable
from typing import Final

import trio

from raftka.model.ports import Alarm, Clock, Dice


class _Timekeeper:
    """Calls back at times of trio's clock: one task for all alarms of a run."""

    def __init__(self) -> None:
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._sooner = trio.Event()

    def at(self, moment: float, action: Callable[[], None]) -> None:
        number = next(self._numbers)
        heapq.heappush(self._calls, (moment, number, action))
        if self._calls[0][1] == number:
            self._sooner.set()

    async def run(self) -> None:
        while True:
            self._sooner = trio.Event()
            while self._calls and self._calls[0][0] <= trio.current_time():
                heapq.heappop(self._calls)[2]()
            with trio.move_on_at(self._calls[0][0] if self._calls else math.inf):
                await self._sooner.wait()


_timekeeper: Final[trio.lowlevel.RunVar[_Timekeeper]] = trio.lowlevel.RunVar("timekeeper")


def _at(moment: float, action: Callable[[], None]) -> None:
    try:
        keeper = _timekeeper.get()
    except LookupError:
        keeper = _Timekeeper()
        _timekeeper.set(keeper)
        trio.lowlevel.spawn_system_task(keeper.run)
    keeper.at(moment, action)


class TaskAlarm(abc.ABC):
    """Wakes a waiting task: by a ring, or at the time until which it waits.

    A wait that ends early leaves its scheduled callback in place. The next wait usually ends later:
    the callback then reschedules itself, so that a wait needs neither a cancel scope nor an
    exception.
    """

    def __init__(self) -> None:
        self._rung = False
        self._task: trio.lowlevel.Task | None = None
        self._due = self._arranged = math.inf
        """By trio's clock: the end of the wait, and the time of the next check."""

    async def wait(self, until: float) -> bool:
        if self._rung:
            await trio.lowlevel.checkpoint()
        else:
            self._due = self._moment(until)
            self._arrange()
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)
            await self._woken()
        rung, self._rung = self._rung, False
        return not rung

    @abc.abstractmethod
    def _moment(self, until: float) -> float:
        """The time on trio's clock at which the alarm's own clock reaches `until`, at least now."""

    @abc.abstractmethod
    def _at(self, moment: float, action: Callable[[], None]) -> None:
        """Schedule `action` at `moment`."""

    @abc.abstractmethod
    async def _woken(self) -> None:
        """Called before the task learns why it was woken; may take time, but is no checkpoint."""

    def ring(self) -> None:
        self._rung = True
        self._wake()

    def _arrange(self) -> None:
        if self._due < self._arranged:
            self._arranged = self._due
            self._at(self._due, self._look)

    def _look(self) -> None:
        now = trio.current_time()
        if now < self._arranged:
            return  # A later wait, which ends sooner, has a callback of its own.
        self._arranged = math.inf
        if self._task is None:
            return
        if self._due <= now:
            self._wake()
        else:
            self._arrange()

    def _wake(self) -> None:
        if self._task is not None:
            task, self._task = self._task, None
            trio.lowlevel.reschedule(task)

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


class TrioAlarm(TaskAlarm):
    """An alarm of any clock with the same speed as trio's."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._monotonic = monotonic

    def _moment(self, until: float) -> float:
        return trio.current_time() + max(0.0, until - self._monotonic())

    async def _woken(self) -> None:
        """Does nothing."""

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        _at(moment, action)


class SystemClock:
    """The machine's clocks; waiting uses trio."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(max(0.0, seconds))

    def within(self, seconds: float) -> trio.CancelScope:
        return trio.move_on_after(max(0.0, seconds))

    def alarm(self) -> Alarm:
        return TrioAlarm(self.monotonic)


def system_clock() -> Clock:
    """The machine's clocks as a Clock."""
    return SystemClock()


def system_dice() -> Dice:
    """An unpredictable random source: ids and back-offs of real nodes must not repeat."""
    return random.SystemRandom()
