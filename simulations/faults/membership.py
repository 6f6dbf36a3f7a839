"""Nodes that join and leave, and voters that change, amid everything else."""

from __future__ import annotations

from random import Random

import trio

from raftka.client.admin import Admin
from raftka.model.ids import TopicPartition
from raftka.simulations.faults.process import down_time_s
from raftka.simulations.faults.registry import fault
from raftka.simulations.load.membership import (
    VOTERS_MAX,
    add_voter,
    join,
    lives,
    lose_metadata_disk,
    machine_of,
    may_join,
    remove_voter,
    replica_on,
    scrap,
    settled,
    votes,
)
from raftka.simulations.load.workload import make_admin
from raftka.simulations.machines.machine import Machine
from raftka.simulations.observers.voters import Member
from raftka.simulations.world import World

_REGISTRATION_S = 10.0
_DRAIN_S = 15.0


def _follower(world: World) -> Machine | None:
    """A running controller that is not a voter."""
    found = [m for m in world.cluster.controllers if m.is_running and not votes(world, m)]
    return found[0] if found else None


async def _give_vote(world: World, admin: Admin, machine: Machine) -> None:
    """Add the machine as a voter once it runs, while a majority can agree."""
    await world.until(lambda: bool(replica_on(world, machine).directory), 5.0)
    voters = world.raft.voters
    free = all(member.host != machine.host for member in voters)
    if machine.is_running and free and lives(world, voters):
        await add_voter(world, admin, machine)


@fault("voter-joins", "membership", chance=0.6, rate=2)
async def voter_joins(world: World, dice: Random, cause: int) -> None:
    """a controller that only follows, often a new machine, becomes a voter"""
    machine = _follower(world)
    if machine is None and may_join(world) and len(world.raft.voters) < VOTERS_MAX:
        machine = join(world, "controller", cause)
        await trio.sleep(dice.uniform(0, 3))
    if machine is not None:
        async with make_admin(world, "voter-adder", cause) as admin:
            await _give_vote(world, admin, machine)


def _removable(world: World, dice: Random) -> Member | None:
    """A voter whose removal leaves a working majority; often the leader."""
    voters = world.raft.voters
    if len(voters) < 2 or not lives(world, voters) or not settled(world):
        return None
    leader = world.controller
    found = [member for member in sorted(voters) if lives(world, voters - {member})]
    if not found:
        return None
    if leader is not None and replica_on(world, leader) in found and dice.random() < 0.4:
        return replica_on(world, leader)
    return dice.choice(found)


@fault("voter-leaves", "membership", chance=0.6, rate=2)
async def voter_leaves(world: World, dice: Random, cause: int) -> None:
    """a voter, often the leader itself, loses its vote; sometimes it gets it back later"""
    member = _removable(world, dice)
    if member is None or (len(world.raft.voters) == 2 and dice.random() < 0.5):
        return
    async with make_admin(world, "voter-remover", cause) as admin:
        gone = await remove_voter(world, admin, member)
        machine = machine_of(world, member)
        if gone and machine is not None and dice.random() < 0.6:
            await trio.sleep(dice.uniform(0, 6))
            await _give_vote(world, admin, machine)


@fault("voter-disk-lost", "membership", chance=0.5, rate=1, at_least_once=True)
async def voter_disk_lost(world: World, dice: Random, cause: int) -> None:
    """a voter's metadata disk is replaced: the old voter is removed, what is there now is added"""
    voters = world.raft.voters
    machines = [machine_of(world, member) for member in sorted(voters)]
    whole = [machine for machine in machines if machine is not None]
    running = [machine for machine in whole if machine.is_running]
    if not running or not settled(world) or len(whole) - 1 < len(voters) // 2 + 1:
        return
    machine = dice.choice(running)
    lost = replica_on(world, machine)
    world.cluster.kill(machine, cause)
    lose_metadata_disk(world, machine, cause)
    await trio.sleep(down_time_s(dice))
    world.start(machine, cause)
    await world.until(lambda: settled(world) and lives(world, world.raft.voters), 10.0)
    if not settled(world):
        return
    async with make_admin(world, "voter-replacer", cause) as admin:
        if await remove_voter(world, admin, lost):
            await _give_vote(world, admin, machine)


# Brokers.


@fault("broker-joins", "membership", chance=0.12, rate=1)
async def broker_joins(world: World, dice: Random, cause: int) -> None:
    """a new broker joins, and partitions move to it"""
    if may_join(world):
        await _join_broker(world, dice, cause)


async def _join_broker(world: World, dice: Random, cause: int) -> Machine | None:
    machine = join(world, "broker", cause)
    if not await world.until(lambda: _serves(world, machine), _REGISTRATION_S):
        return None
    wanted: dict[TopicPartition, list[int] | None] = {}
    for topic, index, partition in world.image.partitions():
        if dice.random() < 0.4 and not partition.is_reassigning:
            replicas = list(partition.replicas)
            replicas[dice.randrange(len(replicas))] = machine.node_id
            wanted[TopicPartition(topic.name, index)] = replicas
    world.trace.event("rebalance", cause=cause, partitions=len(wanted), to=machine.node_id)
    async with make_admin(world, "balancer", cause) as admin:
        await admin.alter_partition_reassignments(wanted)
    return machine


def _serves(world: World, machine: Machine) -> bool:
    broker = world.image.brokers.get(machine.node_id)
    return broker is not None and not broker.fenced and world.is_current(machine.node_id)


@fault("broker-leaves", "membership", chance=0.12, rate=1)
async def broker_leaves(world: World, dice: Random, cause: int) -> None:
    """a broker is drained, stopped and unregistered; its id may come back with an empty disk"""
    machine = _spare_broker(world, dice)
    if machine is None and may_join(world):
        machine = await _join_broker(world, dice, cause)
        await trio.sleep(dice.uniform(0, 5))
    if machine is None or machine.leaves:
        return
    machine.leaves = True
    try:
        gone = await _leave(world, machine, cause)
    finally:
        machine.leaves = False
    if gone and dice.random() < 0.6:
        await trio.sleep(dice.uniform(0, 4))
        if machine.node_id not in world.cluster.machines:
            join(world, "broker", cause, machine.node_id)


async def _leave(world: World, machine: Machine, cause: int) -> bool:
    """Unregister the broker; returns whether that succeeded. Otherwise the broker stays."""
    async with make_admin(world, "drainer", cause) as admin:
        moved = await _drained(world, machine, admin)
        if not moved or not machine.is_running:
            return False
        await world.cluster.stop(machine, cause)
        if not _hosts_nothing(world, machine) or machine.process is not None:
            world.start(machine, cause)
            return False
        world.unregistering.add(machine.node_id)
        await admin.unregister_broker(machine.node_id)
    known = world.image.brokers.get(machine.node_id)
    if known is not None or machine.process is not None or not _hosts_nothing(world, machine):
        world.start(machine, cause)  # A partition was assigned to it at the last moment.
        return False
    scrap(world, machine, cause)
    return True


def _spare_broker(world: World, dice: Random) -> Machine | None:
    """A broker whose partitions the others can take over."""
    needed = max((len(p.replicas) for _, _, p in world.image.partitions()), default=1)
    brokers = [m for m in world.cluster.brokers if not m.leaves]
    spare = [m for m in brokers if m.is_running and m.roles == "broker"]
    return dice.choice(spare) if spare and len(brokers) > needed else None


def _hosts_nothing(world: World, machine: Machine) -> bool:
    return all(machine.node_id not in p.replicas for _, _, p in world.image.partitions())


async def _drained(world: World, machine: Machine, admin: Admin) -> bool:
    """Move all partitions away; returns whether that was completed in time."""
    with trio.move_on_after(_DRAIN_S):
        while not _hosts_nothing(world, machine):
            wanted = _without(world, machine)
            if not wanted:
                return False
            await admin.alter_partition_reassignments(wanted)
            await world.until(lambda: _hosts_nothing(world, machine), 4.0)
    return _hosts_nothing(world, machine)


def _without(world: World, machine: Machine) -> dict[TopicPartition, list[int] | None]:
    """The broker's partitions that others can take, each with another broker in its place."""
    brokers = [m.node_id for m in world.cluster.brokers if not m.leaves]
    wanted: dict[TopicPartition, list[int] | None] = {}
    for topic, index, partition in world.image.partitions():
        if machine.node_id not in partition.replicas or partition.is_reassigning:
            continue
        others = [b for b in brokers if b not in partition.replicas]
        if not others:
            return {}
        other = others[index % len(others)]
        replicas = [other if b == machine.node_id else b for b in partition.replicas]
        wanted[TopicPartition(topic.name, index)] = replicas
    return wanted
