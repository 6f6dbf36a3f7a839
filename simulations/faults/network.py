"""Faults of the network."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from random import Random

import trio

from raftka.model.ids import TopicPartition
from raftka.simulations.faults.registry import fault
from raftka.simulations.load import pinned_clients
from raftka.simulations.machines.machine import Machine
from raftka.simulations.world import World


def _two_hosts(world: World, dice: Random) -> tuple[str, str]:
    """The two ends of a connection: mostly nodes, sometimes a client's."""
    hosts = world.hosts()
    clients = world.client_names()
    one = dice.choice(hosts)
    others = [host for host in hosts if host != one]
    if clients and (not others or dice.random() < 0.3):
        return one, dice.choice(clients)
    return (one, dice.choice(others)) if others else (one, one)


Ways = list[tuple[str, str]]
"""(source, target) each."""


async def _cut_for(world: World, pairs: Ways, seconds: float, cause: int) -> None:
    world.cut(pairs, cause)
    await trio.sleep(seconds)
    world.heal(pairs, cause)


async def come_back(world: World, dice: Random, pairs: Ways, cause: int) -> None:
    """Heal at once, or host by host, or slowly: a returning node may learn of its successor before
    it can reach it, or the reverse, and catches up late.
    """
    slow_s = dice.choice([0.0, *(2 * [dice.uniform(0.02, 0.4)])])
    if dice.random() < 0.7:
        between = sorted({frozenset(pair) for pair in pairs}, key=sorted)
        dice.shuffle(between)
        for ends in between[:-1]:
            world.heal((pair for pair in pairs if frozenset(pair) == ends), cause)
            await trio.sleep(dice.uniform(0, 2))
    world.heal(pairs, cause)
    if slow_s:
        for source, target in pairs:
            world.fabric.slow(source, target, slow_s)
    await trio.sleep(dice.uniform(0.5, 3))
    if slow_s:
        world.heal(pairs, cause)


@fault("reset", "network", chance=0.5, rate=10)
async def reset(world: World, dice: Random, cause: int) -> None:
    """all connections between two hosts break, and what was in flight is lost"""
    one, other = _two_hosts(world, dice)
    broken = world.fabric.reset(one, other)
    world.trace.event("reset", cause=cause, between=[one, other], connections=broken)


@fault("delay", "network", chance=0.4, rate=3)
async def delay(world: World, dice: Random, cause: int) -> None:
    """every message takes long for a while, each its own time: reordering across connections"""
    faults = world.fabric.faults
    before = faults.delay_s
    faults.delay_s = 10 ** dice.uniform(-2.5, -0.7)
    world.trace.event("slow-network", cause=cause, mean_s=round(faults.delay_s, 4))
    await trio.sleep(dice.uniform(0.5, 5))
    faults.delay_s = before


@fault("clog", "network", chance=0.4, rate=6)
async def clog(world: World, dice: Random, cause: int) -> None:
    """one direction holds everything back for a while, then lets it all go"""
    source, target = _two_hosts(world, dice)
    seconds = dice.uniform(0.05, 4)
    world.trace.event("clog", cause=cause, source=source, target=target, seconds=round(seconds, 3))
    world.fabric.clog(source, target, seconds)


@fault("one-way-cut", "network", chance=0.4, rate=3)
async def one_way_cut(world: World, dice: Random, cause: int) -> None:
    """nothing gets from one host to another, while the other direction works"""
    source, target = _two_hosts(world, dice)
    world.trace.event("one-way-cut", cause=cause, source=source, target=target)
    await _cut_for(world, [(source, target)], dice.uniform(0.2, 12), cause)


@fault("partition", "network", chance=0.4, rate=2)
async def partition(world: World, dice: Random, cause: int) -> None:
    """the nodes fall into two halves that cannot reach each other"""
    hosts = world.hosts()
    half = [host for host in hosts if dice.random() < 0.5]
    rest = [host for host in hosts if host not in half]
    world.trace.event("partition", cause=cause, one=half, other=rest)
    pairs = [(a, b) for a in half for b in rest] + [(b, a) for a in half for b in rest]
    await _cut_for(world, pairs, dice.uniform(0.2, 12), cause)


@fault("isolate", "network", chance=0.5, rate=2)
async def isolate(world: World, dice: Random, cause: int) -> None:
    """one node, often a leader or the controller, reaches no other node"""
    target = dice.choice(world.hosts())
    leaders = [m for m in (world.controller, world.leader_of(_topic(world, dice), 0)) if m]
    if leaders and dice.random() < 0.6:
        target = dice.choice(leaders).host
    others = [host for host in world.hosts() if host != target]
    world.trace.event("isolate", node=target, cause=cause)
    pairs = [(target, other) for other in others] + [(other, target) for other in others]
    world.cut(pairs, cause)
    async with pinned_clients.readers(world, target, cause):
        await trio.sleep(dice.uniform(0.2, 12))
        await come_back(world, dice, pairs, cause)


@fault("stranded-leader", "network", chance=0.5, rate=2.5)
async def stranded_leader(world: World, dice: Random, cause: int) -> None:
    """a partition's leader reaches all clients but no other node: followers copy nothing from it"""
    target = led_by_enough(world, dice)
    leader = world.leader_of(*target)
    if leader is None:
        return
    world.trace.event("stranded-leader", node=leader.host, cause=cause)
    pairs = world.ways_of(leader.host)
    session_s = int(world.plan.settings["broker.session.timeout.ms"]) / 1000
    world.cut(pairs, cause)
    async with pinned_clients.readers(world, leader.host, cause):
        world.stir(target.topic)
        replaced = partial(_is_led_elsewhere, world, target, leader)
        await world.until(replaced, session_s + 4)
        world.stir(target.topic)
        await trio.sleep(dice.uniform(0, 3))
        await come_back(world, dice, pairs, cause)


def led_by_enough(world: World, dice: Random) -> TopicPartition:
    """A partition that continues without its leader, if there is one: only a successor with
    min.insync.replicas commits records that the old leader lacks.
    """
    targets = world.targets()
    enough = [
        target
        for target in targets
        if (found := world.image.partition(*target)) is not None
        and len(found.isr) > world.min_isr(target.topic)
    ]
    return dice.choice(enough or targets)


def _is_led_elsewhere(world: World, target: TopicPartition, than: Machine) -> bool:
    return world.leader_of(*target) not in (than, None)


@fault("bridge", "network", chance=0.3, rate=1.5)
async def bridge(world: World, dice: Random, cause: int) -> None:
    """two nodes cannot reach each other, but both reach the rest"""
    hosts = world.hosts()
    if len(hosts) < 3:
        return
    one, other = dice.sample(hosts, 2)
    world.trace.event("bridge", cause=cause, between=[one, other])
    await _cut_for(world, [(one, other), (other, one)], dice.uniform(0.5, 12), cause)


@fault("shatter", "network", chance=0.3, rate=1.5)
async def shatter(world: World, dice: Random, cause: int) -> None:
    """no node reaches any other; often one of them is killed at the same moment"""
    pairs = [pair for a, b in combinations(world.hosts(), 2) for pair in ((a, b), (b, a))]
    world.trace.event("shatter", cause=cause)
    victims = [machine for machine in world.machines() if machine is not world.controller]
    world.cut(pairs, cause)
    if victims and dice.random() < 0.7:
        victim = dice.choice(victims)
        world.cluster.kill(victim, cause)
        await trio.sleep(dice.uniform(0.1, 1))
        world.start(victim, cause)
    await trio.sleep(dice.uniform(0.2, 6))
    world.heal(pairs, cause)


@fault("swizzle-clog", "network", chance=0.3, rate=1)
async def swizzle_clog(world: World, dice: Random, cause: int) -> None:
    """many links are cut one after the other, and heal one by one in another order"""
    pairs = [pair for a, b in combinations(world.hosts(), 2) for pair in ((a, b), (b, a))]
    chosen = [pair for pair in pairs if dice.random() < 0.6]
    world.trace.event("swizzle-clog", cause=cause, links=chosen)
    for source, target in chosen:
        world.cut([(source, target)], cause)
        await trio.sleep(dice.uniform(0, 0.8))
    dice.shuffle(chosen)
    for source, target in chosen:
        await trio.sleep(dice.uniform(0, 0.8))
        world.heal([(source, target)], cause)


@fault("lost-reply", "network", chance=0.5, rate=8)
async def lost_reply(world: World, dice: Random, cause: int) -> None:
    """a broker's answers do not reach a client, whose request was carried out; it retries"""
    producers = [plan.name for plan in world.plan.producers]
    if not producers:
        return
    client = dice.choice(producers)
    brokers = [machine.host for machine in world.machines(brokers=True)]
    world.trace.event("lost-reply", node=client, cause=cause)
    world.cut(((host, client) for host in brokers), cause)
    await trio.sleep(dice.uniform(0.05, 1.5))
    for host in brokers:
        world.fabric.reset(host, client)
        world.heal([(host, client)], cause)


@fault("split-frames", "network", chance=0.2, rate=2)
async def split_frames(world: World, dice: Random, cause: int) -> None:
    """everything arrives in two parts for a while, split at any byte"""
    world.trace.event("split-frames", cause=cause)
    before = world.fabric.faults.split_rate
    world.fabric.faults.split_rate = 0.7
    await trio.sleep(dice.uniform(0.2, 2))
    world.fabric.faults.split_rate = before


@fault("half-open", "network", chance=0.3, rate=3)
async def half_open(world: World, dice: Random, cause: int) -> None:
    """one side's connections are gone without a word, as after a router forgets them"""
    one, other = _two_hosts(world, dice)
    world.trace.event("half-open", cause=cause, lost_by=one, peer=other)
    world.fabric.half_open(one, other)


def _topic(world: World, dice: Random) -> str:
    return dice.choice(world.plan.topics).name if world.plan.topics else ""
