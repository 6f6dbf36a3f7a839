"""Share groups, streams groups and groups of reluctant members: drawn, prepared, started."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple

import trio

from raftka.client.admin import Alteration, AlterOp, Resource, ResourceType
from raftka.client.admin.topics import NewTopic
from raftka.simulations.load.reluctant import ReluctantLoad
from raftka.simulations.load.share_group import DEAD_LETTERS, ShareGroupLoad
from raftka.simulations.load.streams_group import StreamsGroupLoad
from raftka.simulations.load.workload import CLIENT_ERRORS, make_admin
from raftka.simulations.machines import logins
from raftka.simulations.machines.determinism import sleep
from raftka.simulations.plan import GroupPlan, TopicPlan
from raftka.simulations.violation import Exit
from raftka.simulations.world import Working, World


class Drawn(NamedTuple):
    """A group, if any, with its topics and settings."""

    settings: Mapping[str, str] = MappingProxyType({})
    """Settings of the brokers."""
    groups: tuple[GroupPlan, ...] = ()


NOTHING: Final = Drawn()
_CHANCE: Final = 0.1
"""The probability that a run has a group of a kind: each slows a run down by a fifth or so."""
_PREPARE_S: Final = 60.0
_QUEUE: Final = "dlq.work"
_IS_QUEUE: Final = {"errors.deadletterqueue.group.enable": "true"}


def shared(dice: Random, topics: Sequence[TopicPlan], brokers: int, *, force: bool) -> Drawn:
    """In some runs a share group, in some of those with a dead letter queue."""
    if dice.random() > _CHANCE and not force:
        return NOTHING
    settings = {
        "group.share.delivery.count.limit": str(dice.choice([2, 3, 5])),
        "group.share.min.record.lock.duration.ms": "1000",
        "group.share.record.lock.duration.ms": str(dice.choice([1500, 4000])),
        "group.share.min.heartbeat.interval.ms": "500",
        "group.share.heartbeat.interval.ms": "1000",
        "group.share.min.session.timeout.ms": "3000",
        "group.share.session.timeout.ms": "6000",
        "share.coordinator.state.topic.num.partitions": str(dice.choice([1, 1, 2])),
        "share.coordinator.state.topic.replication.factor": str(min(3, brokers)),
        "share.coordinator.state.topic.min.isr": str(min(2, brokers)),
        "share.coordinator.snapshot.update.records.per.snapshot": str(dice.choice([2, 7, 500])),
        "share.coordinator.state.topic.prune.interval.ms": str(dice.choice([1000, 5000, 300_000])),
    }
    configs = {"share.auto.offset.reset": "earliest"}
    if dice.random() < 0.5:
        configs[DEAD_LETTERS] = _QUEUE
    names = tuple(topic.name for topic in topics)
    group = GroupPlan("work", "share", names, dice.choice([2, 3]), configs)
    return Drawn(settings, (group,))


def streams(dice: Random, topics: Sequence[TopicPlan], *, force: bool) -> Drawn:
    """In some runs a streams group."""
    if dice.random() > _CHANCE and not force:
        return NOTHING
    settings = {
        "group.streams.min.session.timeout.ms": "3000",
        "group.streams.session.timeout.ms": str(dice.choice([4000, 6000])),
        "group.streams.min.heartbeat.interval.ms": "200",
        "group.streams.heartbeat.interval.ms": "400",
        "group.streams.initial.rebalance.delay.ms": str(dice.choice([0, 500])),
        "group.streams.num.standby.replicas": str(dice.choice([0, 1])),
    }
    names = tuple(topic.name for topic in topics)
    group = GroupPlan("application", "streams", names, dice.choice([2, 3, 4]))
    return Drawn(settings, (group,))


def reluctant(dice: Random, topics: Sequence[TopicPlan], *, force: bool) -> Drawn:
    """In some runs a consumer group whose members keep what they must give back."""
    names = tuple(topic.name for topic in topics)
    some = sum(topic.partitions for topic in topics) > 1
    if (dice.random() > _CHANCE and not force) or not some:
        return NOTHING
    # A member that vanishes keeps its partitions for a session, which begins again when its
    # coordinator moves: at Kafka's 45 s, others may wait for minutes after all has healed.
    settings = {
        "group.consumer.min.session.timeout.ms": "1000",
        "group.consumer.session.timeout.ms": str(dice.choice([4000, 6000])),
    }
    return Drawn(settings, (GroupPlan("reluctant", "reluctant", names, 2),))


def draw(
    dice: Callable[[str], Random], topics: Sequence[TopicPlan], brokers: int, needs: str | None
) -> Drawn:
    """Groups of all kinds, each by dice of its own, with one of the kind that a plan `needs`."""
    drawn = (
        shared(dice("share group"), topics, brokers, force=needs == "share"),
        streams(dice("streams group"), topics, force=needs == "streams"),
        reluctant(dice("reluctant group"), topics, force=needs == "reluctant"),
    )
    return Drawn(
        {name: value for each in drawn for name, value in each.settings.items()},
        tuple(group for each in drawn for group in each.groups),
    )


def make(world: World, plan: GroupPlan) -> Working:
    """The group of a plan."""
    kinds: dict[str, type[ShareGroupLoad | StreamsGroupLoad | ReluctantLoad]] = {
        "share": ShareGroupLoad,
        "streams": StreamsGroupLoad,
        "reluctant": ReluctantLoad,
    }
    return kinds[plan.kind](world, plan)


async def prepare(world: World) -> None:
    """Create the settings and queues of the plan's groups; a cluster that cannot is a violation."""
    changes = {
        Resource(ResourceType.GROUP, group.name): [
            Alteration(name, value, AlterOp.SET) for name, value in group.configs.items()
        ]
        for group in world.plan.groups
        if group.configs
    }
    if not changes:
        return
    queues = [
        NewTopic(
            group.configs[DEAD_LETTERS], 1, min(3, len(world.cluster.brokers)), dict(_IS_QUEUE)
        )
        for group in world.plan.groups
        if DEAD_LETTERS in group.configs
    ]
    done = False
    with trio.move_on_after(_PREPARE_S):
        while not done:
            async with make_admin(world, "foreman", user=logins.NODE) as admin:
                try:
                    new = [each for each in queues if each.name not in world.image.topics]
                    if new:
                        await admin.create_topics(new)
                    await admin.incremental_alter_configs(changes)
                    done = True
                except CLIENT_ERRORS as error:
                    world.trace.event("refused", node="foreman", error=str(error))
            await sleep(0.2)
    if not done:
        words = f"no settings of groups could be made within {_PREPARE_S:g} s"
        world.stop("start", words, Exit.LIVENESS)


def start(world: World) -> None:
    """Start the members of the plan's groups."""
    world.groups += [make(world, each) for each in world.plan.groups]
    for group in world.groups:
        group.start()
