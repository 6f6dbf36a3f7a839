"""Logs that diverge: a leader appends after it was replaced, and comes back."""

from __future__ import annotations

from random import Random

import trio

from raftka.client.admin.partitions import ElectionType
from raftka.model.ids import TopicPartition
from raftka.simulations.faults.network import come_back, led_by_enough
from raftka.simulations.faults.registry import fault
from raftka.simulations.load import pinned_clients
from raftka.simulations.load.workload import make_admin
from raftka.simulations.machines.machine import BROKER_PORT, Machine
from raftka.simulations.observers.partition_log import Batch, ReplicaMirror
from raftka.simulations.world import World


@fault("divergent-failover", "network", chance=0.5, rate=2)
async def divergent_failover(world: World, dice: Random, cause: int) -> None:
    """a stranded leader takes records of a client that knows no other; its way back is slow"""
    target = led_by_enough(world, dice)
    leader = world.leader_of(*target)
    if leader is None or not leader.is_running:
        return
    world.trace.event("divergent-failover", node=leader.host, cause=cause)
    pairs = world.ways_of(leader.host)
    world.cut(pairs, cause)
    session_s = int(world.plan.settings["broker.session.timeout.ms"]) / 1000
    records = round(10 ** dice.uniform(0.3, 2.3))
    async with pinned_clients.readers(world, leader.host, cause):
        with trio.move_on_after(session_s + 3):
            await pinned_clients.write(world, leader.host, f"loyal-{cause}", target, records)
            while world.leader_of(*target) in (leader, None):  # noqa: ASYNC110 - observed
                await trio.sleep(0.05)
        successor = world.leader_of(*target)
        if successor is not None and successor is not leader:
            # Where the logs have diverged, records are committed that the old leader does not have.
            with trio.move_on_after(3):
                few = 1 + dice.randrange(10)
                await pinned_clients.write(
                    world, successor.host, f"loyal-{cause}-later", target, few
                )
        # After a short while its log is longer than its successor's; after a long one, shorter.
        await trio.sleep(10 ** dice.uniform(-2, 0.5))
        await come_back(world, dice, pairs, cause)


@fault("double-failover", "network", chance=0.35, rate=1.2, at_least_once=True)
async def double_failover(world: World, dice: Random, cause: int) -> None:
    """two leaders go one after the other, each with a tail of its own, and the first comes back"""
    found = [each for each in world.targets() if len(_replicas(world, each)) > 2]
    target = dice.choice(found) if found else None
    first = world.leader_of(*target) if target is not None else None
    if target is None or first is None or not first.is_running:
        return
    session_s = int(world.plan.settings["broker.session.timeout.ms"]) / 1000
    ways = world.ways_of(first.host)
    services: list[tuple[str, str, int]] = []
    world.trace.event("double-failover", node=first.host, cause=cause)
    world.cut(ways, cause)
    try:
        await _tail(world, dice, first, f"double-{cause}-1", target)
        second = await _led_by_another(world, target, {first}, session_s + 3)
        # The first leader learns of its successors, and copies nothing from them yet.
        others = [each for each in _replicas(world, target) if each is not first]
        services = [(first.host, each.host, BROKER_PORT) for each in others]
        for service in services:
            world.fabric.cut_service(*service)
        world.heal(ways, cause)
        if second is None:
            return
        # What the second leader appends, only the third copies; its last records, none does.
        world.stir(target.topic)
        await _tail(world, dice, second, f"double-{cause}-2", target)
        await trio.sleep(dice.uniform(0.1, 1))
        last = [(each.host, second.host, BROKER_PORT) for each in others if each is not second]
        for service in last:
            world.fabric.cut_service(*service)
        services += last
        await _tail(world, dice, second, f"double-{cause}-3", target)
        world.cluster.kill(second, cause)
        third = await _led_by_another(world, target, {first, second}, session_s + 3)
        if third is not None:
            world.note("two failovers in a row")
            world.stir(target.topic)
            await _tail(world, dice, third, f"double-{cause}-4", target)
        await trio.sleep(dice.uniform(0, 1))
    finally:
        world.heal(ways, cause)
        for service in services:
            world.fabric.heal_service(*service)
    await trio.sleep(dice.uniform(0, 2))
    if second is not None:
        world.start(second, cause)


@fault("starved-failover", "network", chance=0.35, rate=1.2, at_least_once=True)
async def starved_failover(world: World, dice: Random, cause: int) -> None:
    """a leader goes while a follower copies nothing; its successor drops it, and it comes back"""
    lag_s = int(world.plan.settings["replica.lag.time.max.ms"]) / 1000
    found = [each for each in world.targets() if len(_replicas(world, each)) > 2]
    # Where min.insync.replicas is 1, the successor commits its whole log at once.
    found = [each for each in found if world.min_isr(each.topic) > 1] or found
    target = dice.choice(found) if found else None
    first = world.leader_of(*target) if target is not None else None
    if target is None or first is None or not first.is_running or lag_s > _LAG_MAX_S:
        return
    session_s = int(world.plan.settings["broker.session.timeout.ms"]) / 1000
    # The preferred replica is elected again: the last one follows again.
    starved = [each for each in _replicas(world, target) if each is not first][-1]
    others = [each for each in _replicas(world, target) if each is not starved]
    services = [(starved.host, each.host, BROKER_PORT) for each in others]
    world.trace.event("starved-failover", node=first.host, cause=cause)
    for service in services:
        world.fabric.cut_service(*service)
    ways = world.ways_of(first.host)
    try:
        await _tail(world, dice, first, f"starved-{cause}-1", target)
        await trio.sleep(dice.uniform(0.05, 0.3))
        world.cut(ways, cause)
        second = await _led_by_another(world, target, {first}, session_s + 3)
        if second is None or second is starved:
            return
        await world.until(lambda: not _counts(world, target, starved), lag_s + 3)
        if not _counts(world, target, starved):
            # Its log ends where the former leader's high watermark was, and its successor's may be.
            world.note("follower returns to a successor with a longer log")
        for service in services:
            world.fabric.heal_service(*service)
        await trio.sleep(dice.uniform(0.3, 2))
    finally:
        for service in services:
            world.fabric.heal_service(*service)
        world.heal(ways, cause)


@fault("returning-leader", "network", chance=0.35, rate=1.2, at_least_once=True)
async def returning_leader(world: World, dice: Random, cause: int) -> None:
    """a leader loses to a follower that lacks its tail, drops that, and leads again"""
    target = _all_in_sync(world, dice)
    first = world.leader_of(*target) if target is not None else None
    if target is None or first is None or not first.is_running:
        return
    short, long = [each for each in _replicas(world, target) if each is not first][:2]
    session_s = int(world.plan.settings["broker.session.timeout.ms"]) / 1000
    ways, service = world.ways_of(first.host), (short.host, first.host, BROKER_PORT)
    late = (long.host, first.host, BROKER_PORT)
    world.trace.event("returning-leader", node=first.host, cause=cause)
    try:
        await _ask_for_order(world, target, (first, short, long), cause)
        world.fabric.cut_service(*service)
        # So many that its successor has fewer when it leads again.
        await _tail(world, dice, first, f"returning-{cause}-1", target, most=2)
        await trio.sleep(dice.uniform(0.1, 0.3))
        world.cut(ways, cause)
        second = await _led_by_another(world, target, {first}, session_s + 3)
        world.heal(ways, cause)
        world.fabric.heal_service(*service)
        if second is not short:
            return
        if not await world.until(lambda: _counts(world, target, first), _REJOINS_S):
            return
        # The other follower has truncated its copy of the tail, and copies nothing for a moment.
        world.fabric.cut_service(*late)
        world.cluster.kill(second, cause)
        if await world.until(lambda: world.leader_of(*target) is first, session_s + 3):
            world.note("former leader leads again")
            world.stir(target.topic)
            async with pinned_clients.readers(world, first.host, cause):
                await _tail(world, dice, first, f"returning-{cause}-2", target)
                await trio.sleep(dice.uniform(0.1, 1))
    finally:
        world.heal(ways, cause)
        world.fabric.heal_service(*service)
        world.fabric.heal_service(*late)
    await trio.sleep(dice.uniform(0, 2))
    world.start(short, cause)


@fault("unseen-successor", "network", chance=0.35, rate=1.2, at_least_once=True)
async def unseen_successor(world: World, dice: Random, cause: int) -> None:
    """a leader leads again after one that it never copied, and has two tails to drop then"""
    target = _all_in_sync(world, dice)
    first = world.leader_of(*target) if target is not None else None
    if target is None or first is None or not first.is_running:
        return
    second, third = [each for each in _replicas(world, target) if each is not first][:2]
    session_s = int(world.plan.settings["broker.session.timeout.ms"]) / 1000
    ways = world.ways_of(first.host)
    services = [
        (source.host, to.host, BROKER_PORT)
        for source, to in ((second, first), (third, first), (first, second), (first, third))
    ]
    world.trace.event("unseen-successor", node=first.host, cause=cause)
    try:
        await _ask_for_order(world, target, (second, first, third), cause)
        for service in services:
            world.fabric.cut_service(*service)
        await _tail(world, dice, first, f"unseen-{cause}-1", target)
        async with make_admin(world, "elector", cause) as admin:
            await admin.elect_leaders(ElectionType.PREFERRED, [target])
        if await _led_by_another(world, target, {first}, 2) is not second:
            return
        await _tail(world, dice, second, f"unseen-{cause}-2", target)
        await trio.sleep(dice.uniform(0.05, 0.3))
        world.cluster.kill(second, cause)
        if not await world.until(lambda: world.leader_of(*target) is first, session_s + 3):
            return
        await _tail(world, dice, first, f"unseen-{cause}-3", target)
        # The quorum must do without the leader that is cut off now, so another voter must be back.
        world.start(second, cause)
        await world.until(lambda: _serves(world, second), 1.5)
        world.cut(ways, cause)
        if await _led_by_another(world, target, {first, second}, session_s + 3) is third:
            world.note("a log has two tails that its leader has not")
            await _tail(world, dice, third, f"unseen-{cause}-4", target)
    finally:
        world.heal(ways, cause)
        for service in services:
            world.fabric.heal_service(*service)
    await trio.sleep(dice.uniform(0.5, 2))
    world.start(second, cause)


@fault("overtaken-leader", "network", chance=0.35, rate=1.5, at_least_once=True)
async def overtaken_leader(world: World, dice: Random, cause: int) -> None:
    """a replica is elected that lacks what producers at its predecessor still wait for"""
    target = _all_in_sync(world, dice, of_at_least=2)
    first = world.leader_of(*target) if target is not None else None
    if target is None or first is None or not first.is_running:
        return
    others = [each for each in _replicas(world, target) if each is not first]
    services = [(each.host, first.host, BROKER_PORT) for each in others]
    world.trace.event("overtaken-leader", node=first.host, cause=cause)
    try:
        await _ask_for_order(world, target, (*others, first), cause)
        for service in services:
            world.fabric.cut_service(*service)
        world.stir(target.topic)
        await trio.sleep(dice.uniform(0.05, 0.4))
        async with make_admin(world, "elector", cause) as admin:
            await admin.elect_leaders(ElectionType.PREFERRED, [target])
        second = await _led_by_another(world, target, {first}, 2)
        if second is None:
            return
        world.note("a leader was replaced while producers waited")
        # The offsets for which they wait soon have other records, which the first leader copies.
        world.stir(target.topic)
        await _tail(world, dice, second, f"overtaken-{cause}", target)
        await trio.sleep(dice.uniform(0.05, 0.5))
    finally:
        for service in services:
            world.fabric.heal_service(*service)


@fault("crash-after-truncation", "network", chance=0.35, rate=1.2, at_least_once=True)
async def crash_after_truncation(world: World, dice: Random, cause: int) -> None:
    """a former leader truncates a tail of several segments, copies some again, and loses power"""
    target = led_by_enough(world, dice)
    leader = world.leader_of(*target)
    if leader is None or not leader.is_running:
        return
    session_s = int(world.plan.settings["broker.session.timeout.ms"]) / 1000
    ways = world.ways_of(leader.host)
    world.trace.event("crash-after-truncation", node=leader.host, cause=cause)
    world.cut(ways, cause)
    cut = trio.Event()

    def told(replica: ReplicaMirror, batches: list[Batch]) -> None:
        if (replica.host, replica.key) == (leader.host, (target.topic, target.partition)):
            cut.set()

    try:
        until_s = trio.current_time() + session_s + 3
        number = 0
        while world.leader_of(*target) in (leader, None) and trio.current_time() < until_s:
            await _tail(world, dice, leader, f"truncated-{cause}-{number}", target)
            await trio.sleep(dice.uniform(0.3, 1.6))
            number += 1
        successor = await _led_by_another(world, target, {leader}, 0.1)
        if successor is None:
            return
        await _tail(world, dice, successor, f"truncated-{cause}-later", target)
        world.logs.on_truncate.append(told)
        world.heal(ways, cause)
        with trio.move_on_after(_REJOINS_S):
            await cut.wait()
            # What comes now is not durable, whatever was before: a segment may end meanwhile.
            until_s = trio.current_time() + 10 ** dice.uniform(-2.5, 0.6)
            while trio.current_time() < until_s:
                world.stir(target.topic)
                await trio.sleep(0.3)
    finally:
        world.heal(ways, cause)
        if told in world.logs.on_truncate:
            world.logs.on_truncate.remove(told)
    if cut.is_set() and leader.is_running:
        world.note("power lost after a truncation")
        world.cluster.lose_power(leader, cause)
        await trio.sleep(dice.uniform(0, 0.5))
        world.start(leader, cause)


_REJOINS_S = 5.0
_LAG_MAX_S = 10.0


def _all_in_sync(world: World, dice: Random, *, of_at_least: int = 3) -> TopicPartition | None:
    """A partition of so many replicas, or more, that are all in sync."""
    found = [
        each
        for each in world.targets()
        if len(_replicas(world, each)) >= of_at_least
        and all(_counts(world, each, replica) for replica in _replicas(world, each))
    ]
    return dice.choice(found) if found else None


async def _ask_for_order(
    world: World, target: TopicPartition, first_ones: tuple[Machine, ...], cause: int
) -> None:
    """Put the live replicas in this order of preference."""
    rest = [each for each in _replicas(world, target) if each not in first_ones]
    order = [each.node_id for each in (*first_ones, *rest)]
    async with make_admin(world, "reassigner", cause) as admin:
        await admin.alter_partition_reassignments({target: order})
    await world.until(lambda: [m.node_id for m in _replicas(world, target)] == order, 2)


def _counts(world: World, target: TopicPartition, machine: Machine) -> bool:
    """Whether a machine is in the ISR."""
    partition = world.image.partition(*target)
    return partition is not None and machine.node_id in partition.isr


def _serves(world: World, machine: Machine) -> bool:
    """Whether a machine's broker is registered and not fenced."""
    broker = world.image.brokers.get(machine.node_id)
    return machine.is_running and broker is not None and not broker.fenced


def _replicas(world: World, target: TopicPartition) -> list[Machine]:
    partition = world.image.partition(*target)
    machines = world.cluster.machines
    return [machines[each] for each in partition.replicas if each in machines] if partition else []


async def _tail(
    world: World,
    dice: Random,
    leader: Machine,
    name: str,
    target: TopicPartition,
    *,
    most: float = 1.3,
) -> None:
    """Send up to 10 ** `most` records by a client that knows this leader only; the successes."""
    with trio.move_on_after(2):
        records = round(10 ** dice.uniform(most - 1.3, most))
        await pinned_clients.write(world, leader.host, name, target, records)


async def _led_by_another(
    world: World, target: TopicPartition, than: set[Machine], within_s: float
) -> Machine | None:
    """Wait for a leader that is none of these."""
    await world.until(lambda: world.leader_of(*target) not in (None, *than), within_s)
    leader = world.leader_of(*target)
    return leader if leader is not None and leader not in than and leader.is_running else None
