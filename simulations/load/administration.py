"""Occasional requests of administrators and clients, and what these may rely on afterwards."""

from __future__ import annotations

from random import Random

import trio

from raftka.client.admin.topics import NewTopic
from raftka.client.consumer.consumer import Consumer
from raftka.client.group_offsets import OffsetAndMetadata
from raftka.client.producer.producer import Producer
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition
from raftka.simulations.checkers.history import value_of
from raftka.simulations.checkers.ledger import Life
from raftka.simulations.load.contents import headers_of, key_of
from raftka.simulations.load.workload import client_ports, make_admin
from raftka.simulations.machines.clock import EPOCH_MS, SimClock
from raftka.simulations.violation import About
from raftka.simulations.world import World

REBORN_GROUP = "rememberer"
_ALL = -1
"""Instead of an offset: the high watermark (KIP-107)."""
_FAR = 1000


async def delete_records(world: World, dice: Random, cause: int) -> None:
    """Delete some of a partition's records: a share, all up to the end, or all that are committed
    (-1). The leader must refuse to delete uncommitted records. Often the followers lag
    meanwhile.
    """
    topic = dice.choice(world.plan.topics)
    target = TopicPartition(topic.name, dice.randrange(topic.partitions))
    if topic.configs.get("cleanup.policy") == "compact":
        await _delete_of_compacted(world, target, cause)
        return
    async with _consumer(world, f"measurer-{cause}") as consumer:
        end = (await consumer.end_offsets([target]))[target]
    if not end:
        return
    if dice.random() < 0.5:
        _delay_followers(world, dice, target)
        world.note("records deleted while followers lag")
    how = dice.choice(["part", "part", "end", "all", "beyond"])
    if how == "beyond":
        await _delete_too_much(world, dice, target, cause)
        return
    offset = int(end * dice.choice([dice.random(), 0.5])) if how == "part" else end
    retention = world.witnesses.retention
    if how == "all":
        retention.asked_to_delete_all(target)
    elif offset:
        retention.asked_to_delete(target, offset)
    else:
        return
    async with make_admin(world, "deleter", cause) as admin:
        wanted = _ALL if how == "all" else offset
        starts = await admin.delete_records({target: wanted})
    if how == "all":
        offset = starts[target]
        retention.deleted_all(target, offset)
    world.note("records deleted by an administrator")
    partition = world.image.partition(*target)
    if partition is None or set(partition.isr) != set(partition.replicas):
        # Kafka does not wait for replicas that are not alive. One of the ELR that comes back may be
        # elected before it learns of the deletion, and still has the records.
        return
    known, _ = world.ledger.begins_at.get(target, (0, 0.0))
    if offset > known:
        world.ledger.begins_at[target] = (offset, trio.current_time())


async def _delete_of_compacted(world: World, target: TopicPartition, cause: int) -> None:
    """Without cleanup.policy=delete a client may not delete records either, as in Kafka."""
    async with make_admin(world, "deleter", cause) as admin:
        try:
            await admin.delete_records({target: 1})
        except KafkaError as error:
            world.trace.event("refused", cause=cause, error=str(error))
            return
    world.report(
        "deleted-from-compacted",
        f"an administrator was told that {target} begins at 1 now, and the topic is compacted",
        about=About(target, 1),
    )


def _delay_followers(world: World, dice: Random, target: TopicPartition) -> None:
    partition, leader = world.image.partition(*target), world.leader_of(*target)
    if partition is not None and leader is not None:
        for broker_id in partition.replicas:
            if broker_id != leader.node_id:
                world.fabric.clog(leader.host, f"n{broker_id}", dice.uniform(0.2, 3))
        world.stir(target.topic)


async def _delete_too_much(world: World, dice: Random, target: TopicPartition, cause: int) -> None:
    """No client may delete an uncommitted record."""
    end = max((mirror.end_offset for mirror in world.logs.replicas(target)), default=0)
    offset = end + dice.choice([1, _FAR])
    world.note("deletion beyond the high watermark asked for")
    if offset < end + _FAR:
        # When the request arrives there may be a committed record.
        world.witnesses.retention.may_delete(target, offset)
    async with make_admin(world, "deleter", cause) as admin:
        try:
            await admin.delete_records({target: offset})
        except KafkaError as error:
            world.trace.event("refused", cause=cause, error=str(error))
            return
    end = max((mirror.end_offset for mirror in world.logs.replicas(target)), default=0)
    if end < offset:
        world.report(
            "deleted-beyond-high-watermark",
            f"an administrator learned that {target} begins at {offset} now, and no replica has"
            f" more than {end} records",
            about=About(target, end),
        )


async def look_up(world: World, dice: Random, cause: int) -> None:
    """Ask where partitions begin and end, and for offsets by time; a checker sees the answers
    (checkers/lookups.py)."""
    topic = dice.choice(world.plan.topics)
    targets = [TopicPartition(topic.name, index) for index in range(topic.partitions)]
    async with _consumer(world, f"asker-{cause}") as consumer:
        for _ in range(dice.randrange(1, 8)):
            await consumer.end_offsets(targets)
            await consumer.beginning_offsets(targets)
            times = {target: _some_time(world, dice, target) for target in targets}
            await consumer.offsets_for_times(times)
            await trio.sleep(dice.uniform(0, 2))


def _some_time(world: World, dice: Random, target: TopicPartition) -> int:
    """A time to look up, mostly the exact time of some record, where off-by-one errors show."""
    mirrors = world.logs.replicas(target)
    batches = mirrors[0].batches() if mirrors else []
    if batches and dice.random() < 0.8:
        return max(0, dice.choice(batches).max_timestamp)
    return EPOCH_MS + dice.randrange(1 + int(trio.current_time() * 1000))


async def recreate_topic(world: World, dice: Random, cause: int) -> None:
    """Create a topic, write to it, read it by a group, delete it, and create it again."""
    brokers = len(world.cluster.brokers)
    name = f"again-{cause}"
    partitions, factor = dice.randrange(1, 3), dice.randrange(1, brokers + 1)
    async with make_admin(world, "recreator", cause) as admin:
        for number in range(dice.randrange(2, 4)):
            if number:
                ended = world.ledger.lives.pop(name)
                with world.ledger.change(("topic", name), None):
                    await admin.delete_topics([name])
                world.ledger.former.setdefault(name, set()).add(ended.name)
            with world.ledger.change(("topic", name), partitions):
                await admin.create_topics([NewTopic(name, partitions, factor)])
            if world.ledger.is_doubtful(("topic", name)):
                return  # A retried deletion, for example, may come at any time.
            life = world.ledger.lives[name] = Life(f"life{cause}.{number}")
            await _write(world, dice, life, name, partitions)
            await admin.alter_group_offsets(
                REBORN_GROUP,
                {TopicPartition(name, 0): OffsetAndMetadata(1, life.name)},
            )
            await trio.sleep(dice.choice([0.0, dice.uniform(0, 4)]))
    world.note("topic created again under its name")


async def _write(world: World, dice: Random, life: Life, topic: str, partitions: int) -> None:
    clock = SimClock()
    config = {
        "bootstrap.servers": ",".join(world.cluster.bootstrap),
        "client.id": life.name,
        "request.timeout.ms": 3000,
        "delivery.timeout.ms": 20_000,
        "max.block.ms": 20_000,
    }
    async with Producer(config, **client_ports(world, life.name)) as producer:
        await producer.partitions_for(topic)
        for number in range(dice.randrange(1, 12)):
            target = TopicPartition(topic, dice.randrange(partitions))
            at_ms = clock.wall_ms()
            value = value_of(life.name, number, True, 0, at_ms)
            known = _knows(world, producer, topic)
            sent = await producer.send(
                topic,
                value,
                key_of(number),
                partition=target.partition,
                headers=headers_of(number),
                timestamp_ms=at_ms,
            )
            offset = (await sent).offset
            if known and _knows(world, producer, topic):
                life.acked[target, offset] = value


def _knows(world: World, producer: Producer, topic: str) -> bool:
    """Whether a producer knows the current topic. A broker that has not learned of the deletion
    still reports the former topic, and accepts records for it.
    """
    theirs, ours = producer.cluster.view.topics.get(topic), world.image.topics.get(topic)
    return theirs is not None and ours is not None and theirs.id == ours.topic_id


def _consumer(world: World, name: str) -> Consumer:
    config: dict[str, object] = {
        "bootstrap.servers": ",".join(world.cluster.bootstrap),
        "client.id": name,
        "request.timeout.ms": 5000,
    }
    return Consumer(config, **client_ports(world, name))
