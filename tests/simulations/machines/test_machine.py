"""A machine's clock."""

from __future__ import annotations

from random import Random

import trio
import trio.testing

from raftka.simulations.machines.clock import EPOCH_MS, SimClock
from raftka.simulations.machines.life import Life
from raftka.simulations.machines.machine import Machine, Process
from raftka.simulations.machines.medium import Medium


async def test_a_clock_keeps_its_rate_until_the_next_start(
    autojump_clock: trio.testing.MockClock,
) -> None:
    dice = Random(1)
    machine = Machine(1, "broker", Medium(dice, lambda path: None), dice)
    machine.process = Process(1, Life(), SimClock())
    began_s = trio.current_time()
    machine.process.clock.wall_offset_ms = machine.wall_offset_ms = int(-began_s * 1000)
    machine.clock_rate = 0.5
    await trio.sleep(10)
    shown = EPOCH_MS + 10_000
    assert abs(machine.highest_wall_ms() - shown) <= 1
    machine.end_process()
    await trio.sleep(5)
    assert abs(machine.highest_wall_ms() - shown) <= 1, "it is not forgotten"
