"""What every group must have once everything has healed: owners, tasks, records, dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from raftka.client.consumer.consumer import Consumer
from raftka.model.ids import OFFSETS_TOPIC, SHARE_STATE_TOPIC, TopicPartition
from raftka.simulations.checkers.shares import Where
from raftka.simulations.load.share_group import DEAD_LETTERS
from raftka.simulations.load.workload import CLIENT_ERRORS, client_ports
from raftka.simulations.machines.determinism import sleep
from raftka.simulations.violation import About, Exit
from raftka.simulations.world import Working, World

GROUPS_S: Final = 60.0
_LOOK_S: Final = 0.5
_LETTER: Final = "__dlq.errors."


async def check(world: World) -> None:
    """Run after everything has healed and was read. Raises Stopped through `world.stop`."""
    started = trio.current_time()
    for group in world.groups:
        while (words := group.waits_for()) is not None:
            if trio.current_time() - started > GROUPS_S:
                world.stop(
                    "groups-recover",
                    f"{GROUPS_S:g} s after everything was healed {words}",
                    Exit.LIVENESS,
                    about=About(group=group.plan.name),
                )
            await sleep(_LOOK_S)
    await _owners(world)
    for group in world.groups:
        if DEAD_LETTERS in group.plan.configs:
            await _letters(world, group)


async def _owners(world: World) -> None:
    """Each partition of a consumer group with members has an owner."""
    started = trio.current_time()
    while (words := _without_owner(world)) is not None:
        if trio.current_time() - started > GROUPS_S:
            world.stop(
                "partition-without-owner",
                f"{GROUPS_S:g} s after everything was healed {words}",
                Exit.LIVENESS,
            )
        await sleep(_LOOK_S)


def _without_owner(world: World) -> str | None:
    if world.witnesses.groups_lost(OFFSETS_TOPIC):
        return None
    wanted: dict[str, set[str]] = {}
    for plan in world.plan.consumers:
        if plan.group is not None and plan.settings.get("group.protocol") == "consumer":
            wanted.setdefault(plan.group, set()).update(plan.topics)
    for group in world.plan.groups:
        if group.kind == "reluctant":
            wanted.setdefault(group.name, set()).update(group.topics)
    for group_id, topics in wanted.items():
        for name in sorted(topics):
            topic = world.image.topics.get(name)
            for index in range(len(topic.partitions)) if topic is not None else ():
                assert topic is not None
                if not world.witnesses.coordinated.has_owner(group_id, (topic.topic_id, index)):
                    return f"no member of group {group_id} has {name}-{index}"
    return None


async def _letters(world: World, group: Working) -> None:
    """Each dead letter is justified, and each certain rejection has one."""
    plan = group.plan
    topic = plan.configs[DEAD_LETTERS]
    found = world.image.topics.get(topic)
    if found is None:
        return
    queue = [TopicPartition(topic, index) for index in range(len(found.partitions))]
    sources = [TopicPartition(name, 0) for name in plan.topics]
    if any(world.replicas.promises_nothing(key) for key in (*queue, *sources)):
        return
    checker = world.witnesses.shares.of(plan.name)
    started = trio.current_time()
    while True:
        try:
            letters = await _read(world, queue)
        except CLIENT_ERRORS as error:
            words = f"the dead letters of {plan.name} cannot be read: {error}"
        else:
            missing = [each for each in checker.letters_found(letters) if _stays(world, each)]
            if not missing or world.witnesses.groups_lost(OFFSETS_TOPIC, SHARE_STATE_TOPIC):
                return
            if world.reached.get("dead letter given up"):
                return
            words = f"there is no dead letter of {missing[0]}, which a member has rejected"
        if trio.current_time() - started > GROUPS_S:
            world.stop(
                "dead-letter-missing",
                f"{GROUPS_S:g} s after everything was healed {words}",
                Exit.SAFETY,
                about=About(group=plan.name),
            )
        await sleep(_LOOK_S)


def _stays(world: World, where: Where) -> bool:
    """Whether a record was certainly there until its dead letter was written."""
    history = world.history
    key = where.partition
    gone = where.offset < history.of(key).start or history.may_be_gone(key, where.offset)
    return not gone and not history.excused(key)


async def _read(world: World, targets: Sequence[TopicPartition]) -> list[Where]:
    """The records whose dead letters are in the partitions of a queue."""
    config: dict[str, object] = {
        "bootstrap.servers": ",".join(world.cluster.bootstrap),
        "client.id": "mourner",
        "auto.offset.reset": "earliest",
        "request.timeout.ms": 5000,
    }
    found = []
    async with Consumer(config, **client_ports(world, "mourner")) as consumer:
        consumer.assign(targets)
        ends = await consumer.end_offsets(targets)
        left = {target for target in targets if ends[target]}
        while left:
            for record in await consumer.poll(1.0):
                said = {name: value for name, value in record.headers if value is not None}
                name, index, offset = (
                    said[f"{_LETTER}{part}"].decode() for part in ("topic", "partition", "offset")
                )
                found.append(Where(TopicPartition(name, int(index)), int(offset)))
            for target in tuple(left):
                if await consumer.position(target) >= ends[target]:
                    left.discard(target)
    return found
