"""The end of a run: what every broker reports and has on its disks, compared with the history.

Each broker's metadata must be the committed metadata and contain every acknowledged change by an
administrator; a re-created topic holds nothing of its earlier lives; no broker keeps the log of a
partition that is not assigned to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any, Final

import trio

from raftka.client.admin import Admin
from raftka.client.consumer.consumer import Consumer
from raftka.model.errors import ErrorCode
from raftka.model.ids import OFFSETS_TOPIC, TopicPartition
from raftka.net.protocol.messages import describe_configs
from raftka.net.protocol.messages.describe_configs import DescribeConfigsRequest
from raftka.net.protocol.messages.metadata import MetadataRequest
from raftka.simulations.aftermath.config_effects import Effect
from raftka.simulations.checkers.history import parse, show
from raftka.simulations.checkers.ledger import Thing, Value
from raftka.simulations.load.administration import REBORN_GROUP
from raftka.simulations.load.workload import CLIENT_ERRORS, client_ports, make_admin
from raftka.simulations.machines.determinism import sleep
from raftka.simulations.machines.machine import DATA, Machine
from raftka.simulations.violation import Exit
from raftka.simulations.world import World

AUDIT_S: Final = 30.0
_LOOK_S: Final = 0.2
_TOPIC: Final = 2
_EFFECTS: Final = 0.4
"""The share of runs in which settings are changed to check that they take effect."""


async def check(world: World) -> None:
    """Run after all has healed and the load has ended. Raises Stopped through
    `world.stop`.
    """
    async with make_admin(world, "registrar") as admin:
        for machine in world.cluster.brokers:
            if machine.broken or not machine.is_running:
                continue
            await _until_right(world, "metadata-differs", partial(_metadata, world, admin, machine))
            await _until_right(world, "settings-differ", partial(_settings, world, admin, machine))
        await _until_right(world, "offset-of-a-deleted-topic", lambda: _offsets(world, admin))
        await _until_right(world, "records-not-deleted", lambda: _deletions(world, admin))
    await _until_right(world, "logs-of-nobody", lambda: _directories(world))
    await _former_lives(world)


async def check_effects(world: World) -> None:
    """In some runs: change a setting, check its effect, and change it back. It writes records."""
    if Random(f"{world.plan.seed} effects").random() > _EFFECTS:
        return
    for topic in world.plan.topics:
        key = (topic.name, 0)
        partition = world.image.partition(*key)
        if partition is None or not partition.has_leader or world.replicas.promises_nothing(key):
            continue
        async with make_admin(world, "reformer") as admin:
            effect = Effect(world, admin, topic.name)
            for step in (effect.set, effect.not_refused, effect.take_back, effect.not_taken):
                await _until_right(world, "settings-without-effect", step)
        return


async def _until_right(world: World, name: str, look: Callable[[], Awaitable[str | None]]) -> None:
    """Brokers may lag for a moment: only an error that persists is a violation."""
    started = trio.current_time()
    while True:
        exit = Exit.SAFETY
        try:
            words = await look()
        except CLIENT_ERRORS as error:
            words, exit = f"a client's call failed: {error}", Exit.LIVENESS
        if words is None:
            return
        if trio.current_time() - started > AUDIT_S:
            world.stop(name, f"{AUDIT_S:g} s after all has settled {words}", exit)
        await sleep(_LOOK_S)


# What brokers report.


async def _metadata(world: World, admin: Admin, machine: Machine) -> str | None:
    channel = await admin.cluster.channel_to(machine.node_id)
    request = MetadataRequest(topics=None, allow_auto_topic_creation=False)
    answer = await admin.cluster.ask(channel, request)
    told = {topic.name: topic for topic in answer.topics}
    image = world.image
    if set(told) != set(image.topics):
        return (
            f"{machine.host} reports the topics {sorted(map(str, told))}, and there are"
            f" {sorted(image.topics)}"
        )
    for name, topic in image.topics.items():
        expected = [(p.leader, p.leader_epoch, p.replicas, p.isr) for p in topic.partitions]
        parts = sorted(told[name].partitions, key=lambda part: part.partition_index)
        found = [
            (p.leader_id, p.leader_epoch, tuple(p.replica_nodes), tuple(p.isr_nodes)) for p in parts
        ]
        if found != expected:
            return (
                f"{machine.host} reports for {name} (leader, epoch, replicas, ISR) {found}, and"
                f" committed is {expected}"
            )
    return _topics(world, {name: len(topic.partitions) for name, topic in told.items()})


def _topics(world: World, told: dict[Any, int]) -> str | None:
    for thing in world.ledger.registers:
        possible = world.ledger.may_be(thing)
        if thing[0] == "topic" and possible is not None and told.get(thing[1]) not in possible:
            return (
                f"topic {thing[1]} has {_count(told.get(thing[1]))}, and administrators were told"
                f" that it has {' or '.join(sorted(map(_count, possible)))}"
            )
    return None


def _count(partitions: object) -> str:
    return "no partitions, for it does not exist" if partitions is None else f"{partitions}"


async def _settings(world: World, admin: Admin, machine: Machine) -> str | None:
    things = [thing for thing in world.ledger.registers if thing[0] == "setting"]
    if not things:
        return None
    request = DescribeConfigsRequest(
        resources=[
            describe_configs.DescribeConfigsResource(
                resource_type=_TOPIC, resource_name=topic, configuration_keys=None
            )
            for topic in sorted({thing[1] for thing in things})
        ]
    )
    channel = await admin.cluster.channel_to(machine.node_id)
    answer = await admin.cluster.ask(channel, request)
    told: dict[Thing, Value] = {
        ("setting", resource.resource_name, config.name): config.value
        for resource in answer.results
        if resource.error_code == ErrorCode.NONE
        for config in resource.configs
    }
    for thing in things:
        possible = world.ledger.may_be(thing)
        if possible is not None and told.get(thing) not in possible:
            return (
                f"{machine.host} reports that {thing[2]} of {thing[1]} is {told.get(thing)}, and"
                f" administrators were told {' or '.join(sorted(map(str, possible)))}"
            )
    return None


async def _offsets(world: World, admin: Admin) -> str | None:
    """A deleted topic's committed offsets must be gone."""
    await trio.lowlevel.checkpoint()
    offsets = world.image.topics.get(OFFSETS_TOPIC)
    lost = offsets is None or not all(each.has_leader for each in offsets.partitions)
    if lost or not world.ledger.former:
        return None
    for target, found in (await admin.list_group_offsets(REBORN_GROUP)).items():
        if found.metadata in world.ledger.former.get(target.topic, ()):
            return (
                f"group {REBORN_GROUP} has offset {found.offset} of {target}, which it committed"
                f" before the topic was deleted and created again"
            )
    return None


async def _deletions(world: World, admin: Admin) -> str | None:
    """Deletions that administrators requested must succeed, now that all replicas are online."""
    await trio.lowlevel.checkpoint()
    for key, offset in world.witnesses.retention.given_up.items():
        target = TopicPartition(*key)
        if world.replicas.promises_nothing(key) or world.image.partition(*key) is None:
            continue
        start = (await admin.delete_records({target: offset}))[target]
        if start < offset:
            return f"{target} begins at {start}, and was ordered to begin at {offset}"
    return None


# What is on the disks.


async def _directories(world: World) -> str | None:
    await trio.lowlevel.checkpoint()
    for machine in world.cluster.brokers:
        if machine.broken or not machine.is_running:
            continue
        for mirror in world.logs.on(machine.host):
            partition = world.image.partition(*mirror.key)
            at_home = mirror.directory == f"{DATA}/{mirror.name}"
            if at_home and (partition is None or machine.node_id not in partition.replicas):
                return (
                    f"{machine.host} has a log in {mirror.directory}, and no replica of that"
                    f" partition{' ' + str(list(partition.replicas)) if partition else ''}"
                )
    return None


async def _former_lives(world: World) -> None:
    """A reader of a topic that was created again finds only records written since then."""
    names = [name for name in world.ledger.former if name in world.image.topics]
    targets = [
        TopicPartition(name, index)
        for name in names
        for index, partition in enumerate(world.image.topics[name].partitions)
        if partition.has_leader
    ]
    if not targets:
        return
    found: dict[tuple[TopicPartition, int], bytes] = {}
    config: dict[str, object] = {
        "bootstrap.servers": ",".join(world.cluster.bootstrap),
        "client.id": "historian",
        "auto.offset.reset": "earliest",
        "request.timeout.ms": 5000,
    }
    with trio.move_on_after(AUDIT_S) as scope:
        async with Consumer(config, **client_ports(world, "historian")) as consumer:
            consumer.assign(targets)
            ends = await consumer.end_offsets(targets)
            left = {target for target in targets if ends[target]}
            while left:
                for record in await consumer.poll(1.0):
                    target = TopicPartition(record.topic, record.partition)
                    found[target, record.offset] = record.value or b""
                    if record.offset + 1 >= ends[target]:
                        left.discard(target)
    if scope.cancelled_caught:
        world.stop("audit", f"reading {names} took more than {AUDIT_S:g} s", Exit.LIVENESS)
    _compare_lives(world, targets, found)


def _compare_lives(
    world: World,
    targets: list[TopicPartition],
    found: dict[tuple[TopicPartition, int], bytes],
) -> None:
    for (target, offset), value in found.items():
        if parse(value)[0].decode() in world.ledger.former[target.topic]:
            world.report(
                "record-of-a-deleted-topic",
                f"{show(value)} is at offset {offset} of {target}; the topic that it was written"
                " to was deleted before this one was made",
            )
    for name in {target.topic for target in targets}:
        life = world.ledger.lives.get(name)
        for (target, offset), value in life.acked.items() if life is not None else ():
            excused = world.replicas.promises_nothing(target) or target not in targets
            if not excused and found.get((target, offset)) != value:
                there = found.get((target, offset))
                world.report(
                    "lost-write",
                    f"{show(value)} was acknowledged at offset {offset} of {target}, and a reader"
                    f" finds {show(there) if there is not None else 'nothing'} there",
                )
