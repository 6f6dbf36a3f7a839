"""Faults of processes."""

from __future__ import annotations

from random import Random

import trio

from raftka.simulations.faults.registry import fault
from raftka.simulations.machines.machine import Machine
from raftka.simulations.world import World


def pick(world: World, dice: Random, *, brokers: bool = False) -> Machine | None:
    """A running machine; leaders are picked more often than others."""
    running = world.machines(brokers=brokers)
    if not running:
        return None
    leaders = [world.controller]
    leaders += [world.leader_of(topic.name, 0) for topic in world.plan.topics]
    leading = [machine for machine in leaders if machine in running]
    if leading and dice.random() < 0.5:
        return dice.choice(leading)
    return dice.choice(running)


def down_time_s(dice: Random) -> float:
    """Mostly short, as with a supervisor; sometimes longer than every timeout."""
    return dice.choice([dice.uniform(0, 0.3), dice.uniform(0.3, 3), dice.uniform(3, 15)])


@fault("kill", "process", chance=0.7, rate=3)
async def kill(world: World, dice: Random, cause: int) -> None:
    """a process is killed and started again after a while"""
    machine = pick(world, dice)
    if machine is not None:
        world.cluster.kill(machine, cause)
        await trio.sleep(down_time_s(dice))
        world.start(machine, cause)


@fault("stop", "process", chance=0.4, rate=1.5)
async def stop(world: World, dice: Random, cause: int) -> None:
    """a process ends cleanly, and its leadership moves; its machine may be off for a while"""
    machine = pick(world, dice)
    if machine is not None:
        await world.cluster.stop(machine, cause)
        if machine.process is None and dice.random() < 0.4:
            world.cluster.unplug(machine, cause)
        await trio.sleep(down_time_s(dice))
        world.start(machine, cause)


@fault("pause", "process", chance=0.5, rate=2)
async def pause(world: World, dice: Random, cause: int) -> None:
    """a process is paused and goes on later, believing what it believed: a zombie returns"""
    machine = pick(world, dice)
    if machine is None:
        return
    process = machine.process
    world.cluster.pause(machine, cause)
    await trio.sleep(dice.choice([dice.uniform(0.1, 2), dice.uniform(2, 14)]))
    if machine.process is process:
        world.resume(machine, cause)


@fault("crash-in-recovery", "process", chance=0.3, rate=1.5)
async def crash_in_recovery(world: World, dice: Random, cause: int) -> None:
    """a process is killed, and killed again while it starts"""
    machine = pick(world, dice)
    if machine is None:
        return
    world.cluster.kill(machine, cause)
    for _ in range(dice.randrange(1, 4)):
        await trio.sleep(dice.uniform(0, 1))
        world.start(machine, cause)
        await trio.sleep(dice.choice([dice.uniform(0, 0.02), dice.uniform(0, 0.3)]))
        if machine.is_up:
            world.note("crash while recovering")
            if dice.random() < 0.3:
                world.cluster.lose_power(machine, cause)
            else:
                world.cluster.kill(machine, cause)
    await trio.sleep(dice.uniform(0, 1))
    world.start(machine, cause)


@fault("restart-all", "process", chance=0.2, rate=0.7, at_least_once=True)
async def restart_all(world: World, dice: Random, cause: int) -> None:
    """all processes are killed at once and come back one after the other"""
    machines = world.machines()
    for machine in machines:
        world.cluster.kill(machine, cause)
    dice.shuffle(machines)
    for machine in machines:
        await trio.sleep(dice.uniform(0, 2))
        world.start(machine, cause)


@fault("rolling-restart", "process", chance=0.15, rate=0.5, at_least_once=True)
async def rolling_restart(world: World, dice: Random, cause: int) -> None:
    """every process in turn is stopped and started"""
    for machine in list(world.cluster.machines.values()):
        if machine.is_running:
            await world.cluster.stop(machine, cause)
            await trio.sleep(dice.uniform(0, 1))
            world.start(machine, cause)
            await trio.sleep(dice.uniform(0.5, 3))
