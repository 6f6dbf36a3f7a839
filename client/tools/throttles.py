"""The replication throttles that a reassignment sets, and removes when it is done (KIP-73)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from raftka.client.admin import Admin, Alteration, AlterOp, Resource, ResourceType
from raftka.client.admin.configs import ConfigSource
from raftka.client.tools.notices import warn_without_effect
from raftka.model.ids import TopicPartition

_RATES = ("leader.replication.throttled.rate", "follower.replication.throttled.rate")
_MOVE_RATE = "replica.alter.log.dirs.io.max.bytes.per.second"
_REPLICAS = ("leader.replication.throttled.replicas", "follower.replication.throttled.replicas")


async def set_throttles(
    admin: Admin,
    wanted: Mapping[TopicPartition, Sequence[int]],
    current: Mapping[TopicPartition, Sequence[int]],
    rate: int,
    alive: Collection[int] | None = None,
) -> None:
    """Limit the rates at which the old replicas of these partitions send and the new ones receive.
    With `alive`, only these brokers are configured: a dead one cannot be, and sends nothing.
    """
    senders: dict[str, list[str]] = {}
    takers: dict[str, list[str]] = {}
    brokers: set[int] = set()
    for target, replicas in wanted.items():
        old = list(current[target])
        new = [broker for broker in replicas if broker not in old]
        senders.setdefault(target.topic, []).extend(f"{target.partition}:{b}" for b in old)
        takers.setdefault(target.topic, []).extend(f"{target.partition}:{b}" for b in new)
        brokers.update(old, new)
    changes = {
        Resource(ResourceType.TOPIC, topic): [
            Alteration(_REPLICAS[0], ",".join(senders[topic])),
            Alteration(_REPLICAS[1], ",".join(takers[topic])),
        ]
        for topic in sorted(senders)
    }
    changes |= {
        Resource(ResourceType.BROKER, str(broker)): [Alteration(name, str(rate)) for name in _RATES]
        for broker in sorted(brokers if alive is None else brokers & set(alive))
    }
    await admin.incremental_alter_configs(changes)
    await warn_without_effect(
        admin, {resource: [each.name for each in made] for resource, made in changes.items()}
    )


async def set_move_throttle(admin: Admin, brokers: Sequence[int], rate: int) -> None:
    """Limit moves between the log directories of these brokers."""
    changes = {
        Resource(ResourceType.BROKER, str(broker)): [Alteration(_MOVE_RATE, str(rate))]
        for broker in brokers
    }
    if changes:
        await admin.incremental_alter_configs(changes)


async def clear_throttles(admin: Admin, topics: Sequence[str]) -> None:
    """Remove the settings of the two functions above from all brokers and these topics."""
    brokers = [str(node.id) for node in (await admin.describe_cluster()).nodes]
    listed = await admin.list_topics()
    print(f"Clearing broker-level throttles on broker{_some(brokers)} {','.join(brokers)}")
    await _clear(
        admin, [Resource(ResourceType.BROKER, broker) for broker in brokers], (*_RATES, _MOVE_RATE)
    )
    if topics:
        print(f"Clearing topic-level throttles on topic{_some(topics)} {','.join(topics)}")
    there = [topic for topic in topics if topic in listed]
    await _clear(admin, [Resource(ResourceType.TOPIC, topic) for topic in there], _REPLICAS)


async def lift_throttles(admin: Admin, leaving: Sequence[int]) -> None:
    """Remove the settings of `set_throttles` for moves away from these brokers.

    Its lists name the replicas, so no other state is needed. The rates are removed with the last
    list.
    """
    topics = [Resource(ResourceType.TOPIC, name) for name in await admin.list_topics()]
    if not topics:
        return
    described = await admin.describe_configs(topics, names=_REPLICAS)
    left = {str(broker) for broker in leaving}
    ours = []
    for resource, entries in described.items():
        named = (entries[name].value or "" for name in _REPLICAS if name in entries)
        replicas = [each.partition(":")[2] for text in named for each in text.split(",")]
        if left & set(replicas):
            ours.append(resource)
    if ours:
        await _clear(admin, ours, _REPLICAS)
        nodes = (await admin.describe_cluster(include_fenced=True)).nodes
        brokers = [Resource(ResourceType.BROKER, str(node.id)) for node in nodes if not node.fenced]
        await _clear(admin, brokers, _RATES)


async def _clear(admin: Admin, resources: Sequence[Resource], names: Sequence[str]) -> None:
    """Remove those of the settings that exist: mostly none."""
    if not resources:
        return
    changes: dict[Resource, list[Alteration]] = {}
    for resource, entries in (await admin.describe_configs(resources)).items():
        own = (ConfigSource.DYNAMIC_BROKER_CONFIG, ConfigSource.DYNAMIC_TOPIC_CONFIG)
        found = [name for name in names if name in entries and entries[name].source in own]
        if found:
            changes[resource] = [Alteration(name, None, AlterOp.DELETE) for name in found]
    if changes:
        await admin.incremental_alter_configs(changes)


def _some(items: Sequence[str]) -> str:
    return "s" if len(items) > 1 else ""
