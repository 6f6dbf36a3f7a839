"""Alarms: the time or a ring, whichever comes first, and no ring is lost."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from raftka.model.ports import Clock
from raftka.simulations.machines import determinism
from raftka.simulations.machines.clock import SimClock
from tests.support.memory_network import VirtualClock

Under = Callable[[Callable[[Clock], Awaitable[None]]], None]


def under_trio(scenario: Callable[[Clock], Awaitable[None]]) -> None:
    trio.run(scenario, VirtualClock(), clock=trio.testing.MockClock(autojump_threshold=0))


def under_simulation(scenario: Callable[[Clock], Awaitable[None]]) -> None:
    determinism.run(lambda: scenario(SimClock(rate=1.0000123)), seed=1)


@pytest.fixture(params=[under_trio, under_simulation])
def under(request: pytest.FixtureRequest) -> Under:
    chosen: Under = request.param
    return chosen


def test_the_time_comes(under: Under) -> None:
    async def scenario(clock: Clock) -> None:
        alarm = clock.alarm()
        start = clock.monotonic()
        for step in range(1, 50):
            until = start + step / 7
            while clock.monotonic() < until:
                assert await alarm.wait(until)
            assert clock.monotonic() == pytest.approx(until)
        assert await alarm.wait(start), "a moment that is over"

    under(scenario)


def test_a_ring_ends_the_wait_or_the_next_one(under: Under) -> None:
    async def scenario(clock: Clock) -> None:
        alarm = clock.alarm()
        alarm.ring()
        alarm.ring()
        start = clock.monotonic()
        assert not await alarm.wait(math.inf)
        assert clock.monotonic() == start
        async with trio.open_nursery() as nursery:

            async def ring() -> None:
                await clock.sleep(2.0)
                alarm.ring()

            nursery.start_soon(ring)
            assert not await alarm.wait(start + 3600)
        assert clock.monotonic() == pytest.approx(start + 2.0)

    under(scenario)


def test_a_moment_that_moves_is_the_one_that_counts(under: Under) -> None:
    async def scenario(clock: Clock) -> None:
        alarm = clock.alarm()
        start, woken = clock.monotonic(), []
        for until in (5.0, 2.0, 9.0, 7.0):  # A ring ends each but the last at once.
            alarm.ring()
            assert not await alarm.wait(start + until)
            with trio.move_on_after(0.5):
                await alarm.wait(start + until)
        for until in (10.0, 3.0, 12.0):
            assert await alarm.wait(start + until)
            woken.append(round(clock.monotonic() - start, 3))
        assert woken == [10.0, 10.0, 12.0]

    under(scenario)


def test_a_paused_process_is_not_woken() -> None:
    async def scenario() -> None:
        clock = SimClock()
        alarm = clock.alarm()
        clock.life.pause()
        async with trio.open_nursery() as nursery:

            async def resume() -> None:
                await trio.sleep(5.0)
                clock.life.resume()

            nursery.start_soon(resume)
            assert await alarm.wait(1.0)
        assert clock.monotonic() == 5.0

    determinism.run(scenario, seed=1)
