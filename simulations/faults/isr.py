"""Faults of the ISR: an AlterPartition that arrives when the replica has changed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple

import trio

from raftka.model.ids import TopicPartition
from raftka.simulations.faults.registry import fault
from raftka.simulations.load.workload import CLIENT_ERRORS, make_admin
from raftka.simulations.machines.machine import BROKER_PORT, Machine
from raftka.simulations.machines.stream import Stream
from raftka.simulations.observers.partition_log import Key
from raftka.simulations.world import World


class _Cast(NamedTuple):
    key: Key
    leader: Machine
    follower: Machine


def _choose(world: World, dice: Random) -> _Cast | None:
    """A partition whose leader is not the controller, and a follower that may die."""
    controller = world.controller
    found = []
    for target in world.targets():
        key = (target.topic, target.partition)
        partition, leader = world.image.partition(*key), world.leader_of(*key)
        if partition is None or leader is None or leader is controller or not leader.is_running:
            continue
        followers = [world.cluster.machines.get(each) for each in partition.replicas]
        found += [
            _Cast(key, leader, each)
            for each in followers
            if each is not None and each.is_running and each not in (leader, controller)
        ]
    return dice.choice(found) if found else None


@fault("late-isr-change", "process", chance=0.35, rate=1.5)
async def late_isr_change(world: World, dice: Random, cause: int) -> None:
    """a leader's request to expand the ISR is delayed; meanwhile the follower loses its disk"""
    cast = _choose(world, dice)
    if cast is None:
        return
    leader, follower = cast.leader, cast.follower
    world.cluster.kill(follower, cause)
    await trio.sleep(dice.uniform(0.1, 0.5))
    world.start(follower, cause)
    controller = await _hold_wish(world, cast, cause, within_s=8.0)
    if controller is None:
        return
    world.note("ISR change held up")
    if follower.is_up:
        world.cluster.kill(follower, cause)
    if not follower.is_up and dice.random() < 0.7:
        world.wipe(follower, cause)
    links = [(leader.host, follower.host), (follower.host, leader.host)]
    world.cut(links, cause)
    world.start(follower, cause)
    # The leader's heartbeats are delayed, too: not for so long that it is replaced.
    session_s = int(world.plan.settings["broker.session.timeout.ms"]) / 1000
    await world.until(lambda: _serves(world, follower), 0.6 * session_s)
    world.heal([(leader.host, controller)], cause)
    await trio.sleep(0.5)
    world.heal(links, cause)


async def _hold_wish(world: World, cast: _Cast, cause: int, within_s: float) -> str | None:
    """Hold back the leader's request that adds the follower; returns the node it is sent to."""
    asked: list[str] = []
    sent = trio.Event()

    def hold(client: str, server: str, request: Any) -> None:
        if client != cast.leader.host or server == client or asked:
            return
        if cast.follower.node_id in _wished(world, cast.key, request):
            world.cut([(client, server)], cause)
            asked.append(server)
            sent.set()

    with world.witnesses.hearing("AlterPartition", hold), trio.move_on_after(within_s):
        await sent.wait()
    return asked[0] if asked else None


@fault("starved-isr-change", "process", chance=0.35, rate=1.5, at_least_once=True)
async def starved_isr_change(world: World, dice: Random, cause: int) -> None:
    """a leader's request to expand the ISR is delayed, and the follower gets no further records"""
    cast = _choose(world, dice)
    lag_s = int(world.plan.settings["replica.lag.time.max.ms"]) / 1000
    if cast is None or lag_s > _LAG_MAX_S:
        return
    leader, follower = cast.leader, cast.follower
    # It leaves the ISR, cleanly or not, and comes back.
    if dice.random() < 0.5:
        await world.cluster.stop(follower, cause)
    elif follower.is_up:
        world.cluster.kill(follower, cause)
    await trio.sleep(dice.uniform(0.1, 0.5))
    world.start(follower, cause)
    world.stir(cast.key[0])
    held = await _hold_request(world, cast, lambda isr: follower.node_id in isr, within_s=8.0)
    if held is None:
        return
    world.note("ISR change held up while its replica lags")
    service = (follower.host, leader.host, BROKER_PORT)
    world.trace.event("service-cut", cause=cause, client=service[0], server=service[1])
    world.fabric.cut_service(*service)
    until_s = trio.current_time() + lag_s + dice.uniform(0.3, 2)
    while trio.current_time() < until_s:
        # What is committed meanwhile must be on the follower: the controller may agree at any time.
        world.stir(cast.key[0])
        await trio.sleep(0.5)
    if dice.random() < 0.5:
        await _reorder(world, cast, dice, cause)
        # Without the request, which is out of date now, the follower no longer counts.
        world.stir(cast.key[0])
        await trio.sleep(dice.uniform(0.2, 1))
    held.release()
    await trio.sleep(dice.uniform(0.2, 1))
    if dice.random() < 0.5 and leader.is_up:
        world.cluster.kill(leader, cause)
        await trio.sleep(dice.uniform(0.5, 3))
        world.start(leader, cause)
    world.fabric.heal_service(*service)


async def _reorder(world: World, cast: _Cast, dice: Random, cause: int) -> None:
    """Change the order of a partition's replicas, so that its leader's request is out of date."""
    partition = world.image.partition(*cast.key)
    if partition is None or partition.is_reassigning:
        return
    turn = 1 + dice.randrange(max(1, len(partition.replicas) - 1))
    replicas = [*partition.replicas[turn:], *partition.replicas[:turn]]
    world.trace.event(
        "reassign", cause=cause, partition=f"{cast.key[0]}-{cast.key[1]}", to=replicas
    )
    # Other faults may keep the administrator from every broker: then the order stays.
    with trio.move_on_after(2), suppress(*CLIENT_ERRORS):
        async with make_admin(world, "reassigner", cause) as admin:
            await admin.alter_partition_reassignments({TopicPartition(*cast.key): replicas})


@fault("late-isr-shrink", "process", chance=0.35, rate=1.5, at_least_once=True)
async def late_isr_shrink(world: World, dice: Random, cause: int) -> None:
    """a leader's request to drop a follower from the ISR is delayed, and more records come"""
    cast = _choose(world, dice)
    lag_s = int(world.plan.settings["replica.lag.time.max.ms"]) / 1000
    partition = world.image.partition(*cast.key) if cast is not None else None
    if cast is None or partition is None or lag_s > _LAG_MAX_S:
        return
    leader, follower = cast.leader, cast.follower
    if follower.node_id not in partition.isr:
        return
    service = (follower.host, leader.host, BROKER_PORT)
    world.trace.event("service-cut", cause=cause, client=service[0], server=service[1])
    world.fabric.cut_service(*service)
    world.stir(cast.key[0])
    held = await _hold_request(
        world, cast, lambda isr: bool(isr) and follower.node_id not in isr, within_s=lag_s + 4
    )
    if held is not None:
        world.note("ISR shrink held up")
        until_s = trio.current_time() + dice.uniform(0.5, 3)
        while trio.current_time() < until_s:
            # The follower may still be elected: nothing is committed without it.
            world.stir(cast.key[0])
            await trio.sleep(0.3)
        if dice.random() < 0.5 and leader.is_up:
            world.cluster.kill(leader, cause)
            await trio.sleep(dice.uniform(0.5, 3))
            world.start(leader, cause)
        held.release()
    world.fabric.heal_service(*service)


async def _hold_request(
    world: World, cast: _Cast, wanted: Callable[[set[int]], bool], within_s: float
) -> Stream | None:
    """Wait until the leader requests an ISR that is `wanted`, and hold that connection. It carries
    nothing else: heartbeats use another connection.
    """
    held: list[Stream] = []
    sent = trio.Event()

    def hold(client: str, server: str, request: Any) -> None:
        stream = world.fabric.sending
        if client != cast.leader.host or server == client or held or stream is None:
            return
        if wanted(_wished(world, cast.key, request)):
            stream.hold()
            held.append(stream)
            sent.set()

    with world.witnesses.hearing("AlterPartition", hold), trio.move_on_after(within_s):
        await sent.wait()
    return held[0] if held else None


_LAG_MAX_S = 10.0


def _wished(world: World, key: Key, request: Any) -> set[int]:
    """The ISR that an AlterPartition requests for one partition."""
    for topic in request.topics:
        if world.image.topic_names.get(topic.topic_id) == key[0]:
            for data in topic.partitions:
                if data.partition_index == key[1]:
                    return {each.broker_id for each in data.new_isr_with_epochs}
    return set()


def _serves(world: World, machine: Machine) -> bool:
    broker = world.image.brokers.get(machine.node_id)
    return world.is_current(machine.node_id) and broker is not None and not broker.fenced
