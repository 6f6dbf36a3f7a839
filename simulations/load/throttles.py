"""Limits that an administrator sets for a while: replication throttles, and quotas of clients.

A throttle slows replicas that are not in sync, and nothing else (KIP-73); a quota slows clients,
and loses nothing. `lift` removes both at the end of a run that ends before its administrator has.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

import trio

from raftka.client.admin.configs import Alteration, AlterOp, Resource, ResourceType
from raftka.client.admin.quotas import QuotaEntity, QuotaType
from raftka.simulations.load.workload import CLIENT_ERRORS, make_admin
from raftka.simulations.machines.determinism import sleep
from raftka.simulations.world import World

RATES: Final = ("leader.replication.throttled.rate", "follower.replication.throttled.rate")
REPLICAS: Final = (
    "leader.replication.throttled.replicas",
    "follower.replication.throttled.replicas",
)
_ALL_BROKERS: Final = Resource(ResourceType.BROKER, "")
_ANY_CLIENT: Final[QuotaEntity] = ((QuotaType.CLIENT_ID, None),)
_RATES_OF_CLIENTS: Final = {
    "producer_byte_rate": (100.0, 1000.0, 10_000.0),
    "consumer_byte_rate": (100.0, 1000.0, 10_000.0),
    "controller_mutation_rate": (0.2, 1.0),
}
_RETRY_S: Final = 1.0

_Changes = dict[Resource, list[Alteration]]


async def throttle_replication(world: World, dice: Random, cause: int) -> None:
    """Throttle all replicas of the topics for a while. In-sync replicas are never delayed."""
    rate = str(dice.choice([50, 50, 300, 2000]))
    wait_s = dice.uniform(12.0, 30.0)
    changes: _Changes = {_ALL_BROKERS: [Alteration(name, rate) for name in RATES]}
    for topic in world.plan.topics:
        changes[Resource(ResourceType.TOPIC, topic.name)] = [
            Alteration(name, "*") for name in REPLICAS
        ]
    async with make_admin(world, "throttler", cause) as admin:
        await admin.incremental_alter_configs(changes)
    world.note("replication is throttled")
    await trio.sleep(wait_s)
    await lift(world)


async def limit_clients(world: World, dice: Random, cause: int) -> None:
    """Give every client id a quota for a while."""
    name = dice.choice(sorted(_RATES_OF_CLIENTS))
    value = dice.choice(_RATES_OF_CLIENTS[name])
    wait_s = dice.uniform(3.0, 15.0)
    async with make_admin(world, "limiter", cause) as admin:
        await admin.alter_client_quotas({_ANY_CLIENT: {name: value}})
    world.note("clients have a quota")
    await trio.sleep(wait_s)
    await lift(world)


def _quotas(world: World) -> list[str]:
    return sorted(world.image.client_quotas.get(_ANY_CLIENT, {}))


async def lift(world: World) -> None:
    """Remove all throttles and quotas, however many attempts that takes."""
    while (changes := _set(world)) or _quotas(world):
        try:
            async with make_admin(world, "lifter") as admin:
                if changes:
                    await admin.incremental_alter_configs(changes)
                if quotas := _quotas(world):
                    await admin.alter_client_quotas(
                        {_ANY_CLIENT: dict.fromkeys(quotas)}  # None removes a quota.
                    )
        except CLIENT_ERRORS as error:
            world.trace.event("refused", error=str(error))
            await sleep(_RETRY_S)


def _set(world: World) -> _Changes:
    """A deletion for each throttle setting that exists."""
    found: _Changes = {}
    for resource, names in _resources(world):
        if names:
            found[resource] = [Alteration(name, op=AlterOp.DELETE) for name in names]
    return found


def _resources(world: World) -> Iterable[tuple[Resource, list[str]]]:
    yield _ALL_BROKERS, [name for name in RATES if name in world.image.broker_config(None)]
    for topic in world.plan.topics:
        if topic.name in world.image.topics:
            there = world.image.topic_config(topic.name)
            names = [name for name in REPLICAS if name in there]
            yield Resource(ResourceType.TOPIC, topic.name), names
