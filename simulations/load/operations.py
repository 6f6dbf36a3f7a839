"""What an administrator does while the cluster is under load."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from raftka.client.admin.configs import Alteration, Resource, ResourceType
from raftka.client.admin.partitions import ElectionType
from raftka.client.admin.topics import NewTopic
from raftka.simulations.load.administration import delete_records, look_up, recreate_topic
from raftka.simulations.load.liar import lie
from raftka.simulations.load.membership import add_voter, settled, votes
from raftka.simulations.load.throttles import limit_clients, throttle_replication
from raftka.simulations.load.workload import make_admin
from raftka.simulations.world import World

Operation = Callable[[World, Random, int], Awaitable[None]]


async def create_topic(world: World, dice: Random, cause: int) -> None:
    """A topic without clients: its partitions still need leaders and in-sync replicas."""
    brokers = len(world.cluster.brokers)
    async with make_admin(world, "creator", cause) as admin:
        topic = NewTopic(f"extra-{cause}", dice.randrange(1, 5), dice.randrange(1, brokers + 1))
        with world.ledger.change(("topic", topic.name), topic.partitions):
            await admin.create_topics([topic])


async def delete_topic(world: World, dice: Random, cause: int) -> None:
    """One of the topics without clients."""
    extra = sorted(name for name in world.image.topics if name.startswith("extra-"))
    if extra:
        async with make_admin(world, "deleter", cause) as admin:
            name = dice.choice(extra)
            with world.ledger.change(("topic", name), None):
                await admin.delete_topics([name])


async def add_partitions(world: World, dice: Random, cause: int) -> None:
    extra = sorted(name for name in world.image.topics if name.startswith("extra-"))
    if extra:
        name = dice.choice(extra)
        count = len(world.image.topics[name].partitions) + 1
        async with make_admin(world, "grower", cause) as admin:
            with world.ledger.change(("topic", name), count):
                await admin.create_partitions({name: count})


async def alter_config(world: World, dice: Random, cause: int) -> None:
    topic = dice.choice(world.plan.topics).name
    value = str(dice.choice([1000, 5000, 604_800_000]))
    async with make_admin(world, "configurer", cause) as admin:
        with world.ledger.change(("setting", topic, "segment.ms"), value):
            await admin.incremental_alter_configs(
                {Resource(ResourceType.TOPIC, topic): [Alteration("segment.ms", value)]}
            )


async def elect_preferred(world: World, dice: Random, cause: int) -> None:
    async with make_admin(world, "elector", cause) as admin:
        await admin.elect_leaders(ElectionType.PREFERRED, None)


async def give_vote(world: World, dice: Random, cause: int) -> None:
    """Make a controller a voter, once there is a controller that is not one."""
    await world.until(lambda: settled(world), 15.0)
    waiting = [m for m in world.cluster.controllers if m.is_running and not votes(world, m)]
    if waiting:
        async with make_admin(world, "voter-adder", cause) as admin:
            await add_voter(world, admin, waiting[0])


OPERATIONS: Final[dict[str, Operation]] = {
    "create-topic": create_topic,
    "delete-topic": delete_topic,
    "add-partitions": add_partitions,
    "alter-config": alter_config,
    "elect-preferred": elect_preferred,
    "add-voter": give_vote,
    "delete-records": delete_records,
    "look-up": look_up,
    "recreate-topic": recreate_topic,
    "lie": lie,
    "throttle-replication": throttle_replication,
    "limit-clients": limit_clients,
}
