"""The end of a run: each transaction has ended, with all of its records visible or none."""

from __future__ import annotations

from typing import Final

import trio

from raftka.client.consumer.consumer import Consumer
from raftka.model.ids import OFFSETS_TOPIC, TRANSACTION_TOPIC, TopicPartition
from raftka.simulations.load.contents import identity
from raftka.simulations.load.transactions import COMMITTED_ONLY
from raftka.simulations.load.workload import CLIENT_ERRORS, client_ports, make_admin
from raftka.simulations.machines.determinism import sleep
from raftka.simulations.violation import Exit
from raftka.simulations.world import World

_ENDED_S: Final = 60.0
"""More than transaction.timeout.ms and the interval at which coordinators check it."""
_READ_S: Final = 60.0
_LOOK_S: Final = 0.5

Places = dict[bytes, tuple[TopicPartition, int]]


async def check(world: World) -> None:
    """Run after everything has healed. Raises Stopped through `world.stop`."""
    if not world.plan.transactors:
        return
    targets = [
        target
        for target in world.targets()
        if (partition := world.image.partition(*target)) is not None and partition.has_leader
    ]
    try:
        with trio.move_on_after(_ENDED_S) as scope:
            await _all_ended(world, targets)
        is_late = scope.cancelled_caught
        with trio.move_on_after(_READ_S) as scope:
            found = await _read(world, targets)
        if scope.cancelled_caught:
            world.stop("audit", f"reading took more than {_READ_S:g} s", Exit.LIVENESS)
        # An acknowledged commit that cannot be read is lost, whatever the reason.
        world.witnesses.atomicity.final_read(found)
        if is_late and not world.witnesses.coordinators_lost():
            _stuck(world, targets)
        await _check_transformers(world, found)
    except CLIENT_ERRORS as error:
        world.stop("audit", f"reading what is committed failed: {error}", Exit.LIVENESS)


def _config(world: World, name: str, isolation: str) -> dict[str, object]:
    return {
        "bootstrap.servers": ",".join(world.cluster.bootstrap),
        "client.id": name,
        "auto.offset.reset": "earliest",
        "request.timeout.ms": 5000,
        "isolation.level": isolation,
    }


async def _all_ended(world: World, targets: list[TopicPartition]) -> None:
    """Wait until no transaction holds back a last stable offset."""
    everything = _config(world, "measurer", "read_uncommitted")
    committed = _config(world, "committed-measurer", COMMITTED_ONLY)
    async with (
        Consumer(everything, **client_ports(world, "measurer")) as one,
        Consumer(committed, **client_ports(world, "committed-measurer")) as other,
    ):
        while await other.end_offsets(targets) != await one.end_offsets(targets):
            await sleep(_LOOK_S)


def _stuck(world: World, targets: list[TopicPartition]) -> None:
    for target in targets:
        leader = world.leader_of(*target)
        mirror = world.logs.replica(leader.host, target) if leader is not None else None
        state = world.witnesses.transactions.logs.of(mirror) if mirror is not None else None
        if state is not None and state.open and not world.replicas.promises_nothing(target):
            world.stop(
                "transactions-recover",
                f"{_ENDED_S:g} s after everything was healed transactions are open in {target}, by"
                f" producer id and first offset: {state.open}",
                Exit.LIVENESS,
            )


async def _read(world: World, targets: list[TopicPartition]) -> Places:
    found: Places = {}
    config = _config(world, "accountant", COMMITTED_ONLY)
    async with Consumer(config, **client_ports(world, "accountant")) as consumer:
        consumer.assign(targets)
        ends = await consumer.end_offsets(targets)
        left = {target for target in targets if ends[target]}
        while left:
            for record in await consumer.poll(1.0):
                target = TopicPartition(record.topic, record.partition)
                found[identity(record.value, record.headers)] = (target, record.offset)
            for target in tuple(left):
                if await consumer.position(target) >= ends[target]:
                    left.discard(target)
    return found


async def _check_transformers(world: World, found: Places) -> None:
    for plan in world.plan.transactors:
        if not plan.source:
            continue
        names = (plan.source, plan.topic, OFFSETS_TOPIC, TRANSACTION_TOPIC)
        keys = [
            TopicPartition(name, index)
            for name in names
            if name in world.image.topics
            for index in range(len(world.image.topics[name].partitions))
        ]
        if any(
            world.replicas.promises_nothing(key) or world.replicas.truth(key).start for key in keys
        ):
            world.note("transformer is excused")
            continue
        if OFFSETS_TOPIC not in world.image.topics:
            continue  # Never enough brokers were up for the group to commit.
        async with make_admin(world, "accountant-admin") as admin:
            committed = await admin.list_group_offsets(plan.reads_as)
        inputs = {what: at for what, at in found.items() if at[0].topic == plan.source}
        world.witnesses.atomicity.processed(
            found, {target: place.offset for target, place in committed.items()}, inputs
        )
        world.note("transformer held to exactly once")
