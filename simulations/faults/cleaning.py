"""Crashes in the middle of a cleaning: while it writes, and around the swap of its segments."""

from __future__ import annotations

from random import Random
from typing import Final

import trio

from raftka.simulations.faults.process import down_time_s
from raftka.simulations.faults.registry import fault
from raftka.simulations.machines.determinism import current_clock
from raftka.simulations.machines.machine import Machine
from raftka.simulations.observers.partition_log import CleaningStep
from raftka.simulations.world import World

_PATIENCE_S: Final = 15.0
_MOMENT_S: Final = 0.002
"""Roughly the duration of one step's disk operation."""


async def power_lost_at(
    world: World, step: CleaningStep, within_s: float, after_s: float, cause: int | None = None
) -> Machine | None:
    """Cut the power of the next machine whose cleaner reaches a step, `after_s` later; the machine,
    or None when no cleaner reached it. Directory changes that were not durable are lost from some
    point on, which may lie between two renames of a swap or after the last.
    """
    lost: list[Machine] = []
    done = trio.Event()

    def reached(host: str, what: CleaningStep) -> None:
        machine = world.cluster.machines[int(host[1:])]
        if what is step and not lost and machine.is_running:
            lost.append(machine)
            clock = current_clock()
            clock.at(clock.now + after_s, lambda: crash(machine))

    def crash(machine: Machine) -> None:
        if machine.is_up:
            world.note(f"power lost while cleaning: {step.value}")
            world.cluster.lose_power(machine, cause)
        done.set()

    with world.logs.hearing_of_cleaning(reached), trio.move_on_after(within_s):
        await done.wait()
        return lost[0]
    return None


@fault("crash-while-cleaning", "disk", chance=0.6, rate=3, at_least_once=True)
async def crash_while_cleaning(world: World, dice: Random, cause: int) -> None:
    """a machine loses power while its cleaner writes, swaps, or has just swapped segments"""
    step = dice.choice(list(CleaningStep))
    machine = await power_lost_at(world, step, _PATIENCE_S, dice.uniform(0, _MOMENT_S), cause)
    if machine is not None:
        await trio.sleep(down_time_s(dice))
        world.start(machine, cause)
