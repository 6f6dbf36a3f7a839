"""Faults of disks. Those that lose data notify the checkers, which know what the cluster
promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import trio

from raftka.model.ids import TopicPartition
from raftka.simulations.faults.process import down_time_s, pick
from raftka.simulations.faults.registry import fault
from raftka.simulations.load.traits import TWO_DISKS
from raftka.simulations.machines.machine import DATA, METADATA, Machine
from raftka.simulations.world import World


@fault("power-loss", "disk", chance=0.5, rate=2)
async def power_loss(world: World, dice: Random, cause: int) -> None:
    """a machine loses power: unsynced writes are gone or torn, file by file; peers hear nothing"""
    machine = pick(world, dice)
    if machine is not None:
        world.cluster.lose_power(machine, cause)
        await trio.sleep(down_time_s(dice))
        world.start(machine, cause)


@fault("power-loss-of-all", "disk", chance=0.15, rate=0.5, at_least_once=True)
async def power_loss_of_all(world: World, dice: Random, cause: int) -> None:
    """the whole room loses power"""
    machines = world.machines()
    for machine in machines:
        world.cluster.lose_power(machine, cause)
    dice.shuffle(machines)
    for machine in machines:
        await trio.sleep(dice.uniform(0, 1))
        world.start(machine, cause)


@fault("one-disk", "disk", chance=0.6, rate=1.5, at_least_once=True)
async def one_disk(world: World, dice: Random, cause: int) -> None:
    """one of a broker's disks takes and gives nothing, also to its next process; then it is back"""
    machine = pick(world, dice)
    if machine is None or not machine.is_broker or machine.medium.faults.dead:
        return
    path = dice.choice(TWO_DISKS)
    world.trace.event("directory-failed", node=machine.host, path=path, cause=cause)
    machine.suspect = True
    machine.medium.faults.dead = path
    await trio.sleep(dice.uniform(0.2, 8))
    if dice.random() < 0.4:
        world.note("a broker started without one of its disks")
        await _restart(world, dice, machine, cause)
        # The disk is still dead: if the faults end now, the broker needs another restart.
        machine.suspect = True
        await trio.sleep(dice.uniform(0.2, 6))
    machine.medium.faults.dead = ""
    await _restart(world, dice, machine, cause)


@fault("fsync-error", "disk", chance=0.2, rate=1, at_least_once=True)
async def fsync_error(world: World, dice: Random, cause: int) -> None:
    """syncs fail for a while; a process that cannot write ends and is started again later"""
    machine = pick(world, dice)
    if machine is None:
        return
    world.trace.event("fsync-error", node=machine.host, cause=cause)
    machine.suspect = True
    machine.medium.faults.sync_error_rate = dice.uniform(0.1, 1)
    await trio.sleep(dice.uniform(0.1, 3))
    machine.medium.faults.sync_error_rate = 0.0
    await _restart(world, dice, machine, cause)


@fault("lost-pages", "disk", chance=0.2, rate=0.7, at_least_once=True)
async def lost_pages(world: World, dice: Random, cause: int) -> None:
    """syncs fail and lose their pages, though the file shows them; then the process restarts"""
    machine = pick(world, dice)
    if machine is None:
        return
    world.trace.event("lost-pages", node=machine.host, cause=cause)
    faults = machine.medium.faults
    machine.suspect = True
    faults.loses_pages, faults.sync_error_rate = True, dice.uniform(0.3, 1)
    await trio.sleep(dice.uniform(0.1, 2))
    faults.loses_pages, faults.sync_error_rate = False, 0.0
    # A process that wrongly continues gets time to acknowledge records that are gone.
    await trio.sleep(dice.uniform(0, 2))
    if machine.is_running and dice.random() < 0.5:
        world.cluster.lose_power(machine, cause)
    await _restart(world, dice, machine, cause)


@fault("write-error", "disk", chance=0.25, rate=1, at_least_once=True)
async def write_error(world: World, dice: Random, cause: int) -> None:
    """some writes fail for a moment, a part of each perhaps written; then the process restarts"""
    machine = pick(world, dice)
    if machine is None:
        return
    world.trace.event("write-error", node=machine.host, cause=cause)
    machine.suspect = True
    machine.medium.faults.write_error_rate = dice.uniform(0.05, 1)
    await trio.sleep(10 ** dice.uniform(-2, 0.3))
    machine.medium.faults.write_error_rate = 0.0
    await trio.sleep(dice.uniform(0, 2))
    await _restart(world, dice, machine, cause)


@fault("full-disk", "disk", chance=0.2, rate=0.7, at_least_once=True)
async def full_disk(world: World, dice: Random, cause: int) -> None:
    """no space is left for a while"""
    machine = pick(world, dice)
    if machine is None:
        return
    world.trace.event("full-disk", node=machine.host, cause=cause)
    machine.suspect = True
    machine.medium.faults.full = True
    await trio.sleep(dice.uniform(0.5, 6))
    machine.medium.faults.full = False
    await _restart(world, dice, machine, cause)


async def _restart(world: World, dice: Random, machine: Machine, cause: int) -> None:
    """The operator restarts the broker: until then a failed log directory stays offline."""
    await trio.sleep(dice.uniform(0, 2))
    machine.suspect = False
    # A paused one, too: it would go on without a directory that was offline when it started.
    if machine.is_up:
        world.cluster.kill(machine, cause)
        await trio.sleep(dice.uniform(0, 1))
    world.start(machine, cause)


@fault("slow-disk", "disk", chance=0.3, rate=1.5)
async def slow_disk(world: World, dice: Random, cause: int) -> None:
    """syncs take up to a second for a while"""
    machine = pick(world, dice)
    if machine is None:
        return
    faults = machine.medium.faults
    before = faults.sync_latency_s
    slowest = 10 ** dice.uniform(-2, 0)
    world.trace.event("slow-disk", node=machine.host, cause=cause, seconds=round(slowest, 3))
    faults.sync_latency_s = (slowest / 10, slowest)
    await trio.sleep(dice.uniform(1, 8))
    faults.sync_latency_s = before


@fault("bit-flip", "disk", chance=0.2, rate=0.7, at_least_once=True)
async def bit_flip(world: World, dice: Random, cause: int) -> None:
    """a machine loses power, and a bit of what was written last has changed when it is back"""
    await _corrupt(world, dice, cause, misdirected=False)


@fault("misdirected-write", "disk", chance=0.2, rate=0.5, at_least_once=True)
async def misdirected_write(world: World, dice: Random, cause: int) -> None:
    """a machine loses power, and some of its last writes turn out to be in the wrong place"""
    await _corrupt(world, dice, cause, misdirected=True)


async def _corrupt(world: World, dice: Random, cause: int, *, misdirected: bool) -> None:
    machine = pick(world, dice, brokers=True)
    if machine is None:
        return
    world.cluster.lose_power(machine, cause)
    medium = machine.medium
    if paths := newest_segments({path: len(file.data) for path, file in medium.files.items()}):
        path = dice.choice(paths)
        size = len(medium.files[path].data)
        position = size - 1 - dice.randrange(min(size, 400))
        if path.endswith(".log"):
            position = _into_what_a_crc_covers(world, machine, path, position)
        world.trace.event("corruption", node=machine.host, cause=cause, path=path, at=position)
        if path.endswith(".log"):
            # Corrupt data is lost, although the file is as long as before.
            name, _, index = path.rpartition("/")[0].rpartition("/")[2].rpartition("-")
            world.replicas.lost_disk(machine.host, (name, int(index)), 1)
        if misdirected:
            start = max(0, position - 48)
            medium.misdirect(path, start, dice.randrange(start + 1), position - start)
        else:
            medium.flip_bit(path, position, dice.randrange(8))
    await trio.sleep(down_time_s(dice))
    world.start(machine, cause)


def newest_segments(sizes: Mapping[str, int]) -> list[str]:
    """From files by path, the non-empty ones of each log's newest segment. Older segments were
    verified when they were flushed and are not read again, even when the newest one is empty.
    """
    newest: dict[str, str] = {}
    for path in sorted(sizes):
        if path.startswith(DATA) and path.endswith((".log", ".index", ".timeindex")):
            folder = path.rpartition("/")[0]
            if folder.rpartition("-")[2].isdecimal():
                newest[folder + path[path.rindex(".") :]] = path
            # Otherwise the partition has moved away or has not arrived: no process reads it.
    return [path for path in newest.values() if sizes[path] >= _ENOUGH]


_ENOUGH = 64


def _into_what_a_crc_covers(world: World, machine: Machine, path: str, position: int) -> int:
    """A batch's CRC does not cover its base offset and leader epoch, so that a leader can set them
    as it appends: a change there goes unnoticed, in Apache Kafka as well as here."""
    for mirror in world.logs.on(machine.host):
        for each, _, batches in mirror.segments():
            for batch in batches if each == path else ():
                if batch.position <= position < batch.position + _CRC_FROM:
                    return batch.position + _CRC_FROM + position % 8
    return position


_CRC_FROM = 21


@fault("wiped-disk", "disk", chance=0.25, rate=0.7, at_least_once=True)
async def wiped_disk(world: World, dice: Random, cause: int) -> None:
    """the disk with the logs is replaced by an empty one"""
    machine = pick(world, dice, brokers=True)
    if machine is None:
        return
    world.cluster.kill(machine, cause)
    world.wipe(machine, cause)
    await trio.sleep(down_time_s(dice))
    world.start(machine, cause)


@fault("journal-bit-flip", "disk", chance=0.1, rate=0.5, at_least_once=True)
async def journal_bit_flip(world: World, dice: Random, cause: int) -> None:
    """a bit of the metadata log changes; the node must refuse to start, and stays down"""
    down = [m for m in world.cluster.controllers if not m.is_up]
    machine = pick(world, dice)
    if machine is None or not machine.is_controller or down or len(world.cluster.controllers) < 3:
        return
    world.cluster.kill(machine, cause)
    medium = machine.medium
    paths = [p for p in sorted(medium.files) if p.startswith(METADATA) and p.endswith(".journal")]
    path = dice.choice(paths)
    position = dice.randrange(max(1, len(medium.files[path].data) // 2))
    before = bytes(medium.files[path].data)
    world.trace.event("corruption", node=machine.host, cause=cause, path=path, at=position)
    medium.flip_bit(path, position, dice.randrange(8))
    world.start(machine, cause)
    try:
        await trio.sleep(2)
        if not machine.is_up:
            world.note("damaged journal refused")
    finally:
        # The operator restores the file, also when the faults end; nothing was written meanwhile.
        if machine.is_up:
            world.cluster.kill(machine, cause)
        medium.files[path].replace(before)
    world.start(machine, cause)


@fault("last-standing-lost", "disk", chance=0.5, rate=2)
async def last_standing_lost(world: World, dice: Random, cause: int) -> None:
    """a partition's other replicas are cut off, and the one that is left loses power"""
    cast = _outnumbered(world, dice)
    if cast is None:
        return
    target, leader, followers = cast
    pairs = [
        pair
        for follower in followers
        for other in world.hosts()
        if other != follower.host
        for pair in ((follower.host, other), (other, follower.host))
    ]
    world.cut(pairs, cause)
    await world.until(
        lambda: (
            (now := world.image.partition(target.topic, target.partition)) is None
            or now.isr == (leader.node_id,)
        ),
        12.0,
    )
    world.cluster.lose_power(leader, cause)
    await trio.sleep(dice.uniform(0.1, 0.5))
    world.start(leader, cause)
    await trio.sleep(dice.uniform(0.5, 3))
    world.heal(pairs, cause)


def _outnumbered(
    world: World, dice: Random
) -> tuple[TopicPartition, Machine, list[Machine]] | None:
    """A partition, its leader and its followers; preferably one whose followers can be cut off
    while the quorum works, or no controller would remove them from the ISR.
    """
    found, controllers = [], world.cluster.controllers
    for target in world.targets():
        partition = world.image.partition(target.topic, target.partition)
        leader = world.leader_of(target.topic, target.partition)
        if partition is None or leader is None or not leader.is_running:
            continue
        others = [world.cluster.machines[b] for b in partition.replicas if b != leader.node_id]
        left = sum(each.is_running and each not in others for each in controllers)
        found.append((2 * left > len(controllers), (target, leader, others)))
    hopeful = [each for has_quorum, each in found if has_quorum]
    return dice.choice(hopeful or [each for _, each in found]) if found else None
