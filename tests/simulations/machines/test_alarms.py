"""Alarms and limits of time, on a simulated clock and a real one."""

from __future__ import annotations

import trio

from raftka.net.clock import system_clock
from raftka.simulations.machines import determinism
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.life import Life


def test_a_ring_ends_the_wait_and_so_does_the_time() -> None:
    async def main() -> list[tuple[bool, float]]:
        clock = SimClock()
        alarm = clock.alarm()
        found = []
        for until, rung_at in ((2.0, 9.0), (8.0, 3.0), (8.0, 4.0), (5.0, 9.0)):
            determinism.current_clock().at(rung_at, alarm.ring)
            found.append((await alarm.wait(until), trio.current_time()))
        alarm.ring()
        found.append((await alarm.wait(60.0), trio.current_time()))
        return found

    told = determinism.run(main, 1)
    assert told == [(True, 2.0), (False, 3.0), (False, 4.0), (True, 5.0), (False, 5.0)]


def test_a_ring_at_the_moment_when_the_time_is_up_wakes_once() -> None:
    async def main() -> float:
        clock = SimClock()
        alarm = clock.alarm()
        determinism.current_clock().at(1.0, alarm.ring)
        await alarm.wait(1.0)
        await clock.sleep(1.0)
        return trio.current_time()

    assert determinism.run(main, 1) == 2.0


def test_the_time_of_a_wait_that_was_cancelled_does_not_end_the_next_one() -> None:
    async def main() -> float:
        alarm = SimClock().alarm()
        with trio.move_on_after(0.5):
            await alarm.wait(1.0)
        await alarm.wait(3.5)
        return trio.current_time()

    assert determinism.run(main, 1) == 3.5


def test_time_is_a_nodes_own_and_a_paused_process_does_not_notice_it() -> None:
    async def main() -> list[float]:
        life = Life()
        alarm = SimClock(rate=2.0, life=life).alarm()
        await alarm.wait(1.0)
        moments = [trio.current_time()]
        life.pause()
        determinism.current_clock().at(4.0, life.resume)
        await alarm.wait(2.0)
        return [*moments, trio.current_time()]

    assert determinism.run(main, 1) == [0.5, 4.0]


def test_within_is_a_nodes_own_time_and_a_paused_process_does_not_notice_its_end() -> None:
    async def main() -> list[tuple[bool, float]]:
        life = Life()
        clock = SimClock(rate=2.0, life=life)
        found: list[tuple[bool, float]] = []
        with clock.within(3.0) as limit:
            await trio.sleep_forever()
        found.append((limit.cancelled_caught, trio.current_time()))
        with clock.within(3.0) as limit:
            await clock.sleep(1.0)
        found.append((limit.cancelled_caught, trio.current_time()))
        life.pause()
        determinism.current_clock().at(7.0, life.resume)
        with clock.within(3.0) as limit:
            await trio.sleep_forever()
        found.append((limit.cancelled_caught, trio.current_time()))
        # The second's time was over long after its work: it cancels nothing else.
        await clock.sleep(10.0)
        return found

    assert determinism.run(main, 1) == [(True, 1.5), (False, 2.0), (True, 7.0)]


async def test_a_real_clock_ends_work_in_time() -> None:
    with system_clock().within(-1.0) as limit:
        await trio.sleep_forever()
    assert limit.cancelled_caught


async def test_a_real_alarm_waits_as_long() -> None:
    clock = system_clock()
    alarm = clock.alarm()
    assert await alarm.wait(clock.monotonic())
    alarm.ring()
    assert not await alarm.wait(clock.monotonic() + 3600.0)
