"""Waiting for an event, but not for ever: on a simulated clock and on the real one."""

from __future__ import annotations

import trio

from net.clock import system_clock
from simulations import determinism
from simulations.clock import SimClock
from simulations.life import Life


def test_the_event_ends_the_wait_and_so_does_the_time() -> None:
    async def main() -> list[float]:
        clock, event = SimClock(), trio.Event()
        moments = []
        await clock.wait_for(event, 2.0)
        moments.append(trio.current_time())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.wait_for, event, 5.0)
            await clock.sleep(1.0)
            event.set()
        moments.append(trio.current_time())
        await clock.wait_for(event, 5.0)
        moments.append(trio.current_time())
        return moments

    assert determinism.run(main, 1) == [2.0, 3.0, 3.0]


def test_an_event_at_the_moment_when_the_time_is_up_wakes_once() -> None:
    async def main() -> int:
        clock, event, woken = SimClock(), trio.Event(), 0

        async def wait() -> None:
            nonlocal woken
            await clock.wait_for(event, 1.0)
            woken += 1
            await clock.sleep(1.0)

        determinism.current_clock().at(1.0, event.set)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
        assert trio.current_time() == 2.0
        return woken

    assert determinism.run(main, 1) == 1


def test_the_time_of_a_wait_that_was_cancelled_does_not_end_the_next_one() -> None:
    async def main() -> float:
        clock, event = SimClock(), trio.Event()
        with trio.move_on_after(0.5):
            await clock.wait_for(event, 1.0)
        await clock.wait_for(event, 3.0)
        return trio.current_time()

    assert determinism.run(main, 1) == 3.5


def test_time_is_a_nodes_own_and_a_paused_process_does_not_notice_it() -> None:
    async def main() -> list[float]:
        life = Life()
        clock = SimClock(rate=2.0, life=life)
        await clock.wait_for(trio.Event(), 1.0)
        moments = [trio.current_time()]
        life.pause()
        determinism.current_clock().at(4.0, life.resume)
        await clock.wait_for(trio.Event(), 1.0)
        return [*moments, trio.current_time()]

    assert determinism.run(main, 1) == [0.5, 4.0]


async def test_the_real_clock_waits_as_long() -> None:
    clock, event = system_clock(), trio.Event()
    before = trio.current_time()
    await clock.wait_for(event, 0.0)
    event.set()
    await clock.wait_for(event, 3600.0)
    assert trio.current_time() - before < 3600.0
