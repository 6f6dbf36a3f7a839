"""Deadlines: a waiter is notified when its time is up, once, and not after it has left."""

from __future__ import annotations

import trio
import trio.testing

from raftka.broker.replication.deadlines import Deadlines
from raftka.simulations.machines.clock import SimClock


class Waiter:
    def __init__(self, log: list[str], name: str) -> None:
        self.log = log
        self.name = name

    def expire(self) -> None:
        self.log.append(self.name)


async def test_they_end_in_order_and_in_time(autojump_clock: trio.testing.MockClock) -> None:
    log: list[str] = []
    clock = SimClock()
    deadlines = Deadlines(clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(deadlines.run, lambda work: work())
        start = clock.monotonic()
        deadlines.add(Waiter(log, "late"), start + 2.0)
        await trio.testing.wait_all_tasks_blocked()
        deadlines.add(Waiter(log, "early"), start + 0.5)
        leaving = Waiter(log, "gone")
        bucket = deadlines.add(leaving, start + 0.7)
        deadlines.remove(leaving, bucket)
        await trio.sleep(0.49)
        assert log == []
        await trio.sleep(0.02)
        assert log == ["early"]
        await trio.sleep(2.0)
        assert log == ["early", "late"]
        nursery.cancel_scope.cancel()


async def test_the_end_of_one_may_be_the_end_of_another(
    autojump_clock: trio.testing.MockClock,
) -> None:
    log: list[str] = []
    deadlines = Deadlines(SimClock())
    second = Waiter(log, "second")

    class First(Waiter):
        def expire(self) -> None:
            super().expire()
            deadlines.remove(second, bucket)

    deadlines.add(First(log, "first"), 1.0)
    bucket = deadlines.add(second, 1.0)
    deadlines.expire_through(bucket)
    assert log == ["first"]
    deadlines.remove(second, bucket)


def test_nobody_waits() -> None:
    deadlines = Deadlines(SimClock())
    waiter = Waiter([], "x")
    bucket = deadlines.add(waiter, 5.0)
    assert deadlines.next_bucket() == bucket
    deadlines.remove(waiter, bucket)
    assert deadlines.next_bucket() is None
