"""The controls: the classic ways to lose a record. Never drawn by chance."""

from __future__ import annotations

from random import Random

import trio

from raftka.simulations.faults.registry import fault
from raftka.simulations.machines.machine import Machine
from raftka.simulations.world import World


def _leader(world: World, dice: Random) -> Machine | None:
    topics = list(world.plan.topics)
    dice.shuffle(topics)
    for topic in topics:
        machine = world.leader_of(topic.name, 0)
        if machine is not None and machine.is_running:
            return machine
    return None


@fault("leader-cut-off-and-killed", "control", chance=0, rate=6)
async def leader_cut_off_and_killed(world: World, dice: Random, cause: int) -> None:
    """a leader takes records that its followers do not get, and is killed"""
    leader = _leader(world, dice)
    if leader is None:
        return
    pairs = world.ways_of(leader.host)
    world.cut(pairs, cause)
    await trio.sleep(dice.uniform(0.5, 2))
    world.cluster.kill(leader, cause)
    world.heal(pairs, cause)
    await trio.sleep(4)
    world.start(leader, cause)


@fault("followers-down-then-leader", "control", chance=0, rate=2)
async def followers_down_then_leader(world: World, dice: Random, cause: int) -> None:
    """the followers go one by one, the leader goes on alone and goes too, a follower comes back"""
    topic = dice.choice(world.plan.topics).name
    partition, leader = world.image.partition(topic, 0), world.leader_of(topic, 0)
    if partition is None or leader is None or not leader.is_running:
        return
    replicas = [world.cluster.machines[broker] for broker in partition.replicas]
    followers = [machine for machine in replicas if machine is not leader and machine.is_up]
    for machine in followers:
        world.cluster.kill(machine, cause)
    await trio.sleep(dice.uniform(3, 5))
    world.cluster.kill(leader, cause)
    for machine in followers:
        world.start(machine, cause)
    await trio.sleep(6)
    world.start(leader, cause)
