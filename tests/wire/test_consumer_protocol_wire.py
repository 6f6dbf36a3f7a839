"""Groups of the consumer protocol (KIP-848) on real nodes: librdkafka and our own consumer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest
import trio
from confluent_kafka import Consumer as OtherConsumer

from raftka import KafkaError, NewTopic, TopicPartition, aio
from raftka.client.admin import Admin
from raftka.client.consumer import Consumer, SubscriptionPattern
from raftka.client.producer import Producer
from raftka.local_cluster import LocalCluster
from raftka.model.errors import ErrorCode

pytestmark = pytest.mark.wire

PARTITIONS = 6
RECORDS = 60


async def make(cluster: LocalCluster, topic: str) -> None:
    async with Admin({"bootstrap.servers": cluster.bootstrap}) as admin:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    async with Producer({"bootstrap.servers": cluster.bootstrap}) as producer:
        for number in range(RECORDS):
            await producer.send(topic, b"%d" % number, partition=number % PARTITIONS)


def settings(cluster: LocalCluster, topic: str, **more: object) -> dict[str, object]:
    return {
        "bootstrap.servers": cluster.bootstrap,
        "group.id": f"g-{topic}",
        "group.protocol": "consumer",
        "auto.offset.reset": "earliest",
    } | more


async def until(
    what: Callable[[], bool], read: list[bytes], *consumers: Consumer, other: OtherConsumer
) -> None:
    """Poll all members until the condition holds; `read` gets the values."""
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline, "it does not come to that"
        for consumer in consumers:
            read += [record.value or b"" for record in await consumer.poll(0.05)]
        message = await trio.to_thread.run_sync(other.poll, 0.05)
        if message is not None and message.error() is None:
            read.append(message.value() or b"")


class SlowToGiveUp:
    """A listener that revokes partitions when the test allows it."""

    def __init__(self) -> None:
        self.asked = trio.Event()
        self.allowed = trio.Event()

    async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Nothing to do."""

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.asked.set()
        await self.allowed.wait()

    async def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Nothing to do."""


async def test_a_poll_that_ends_in_a_hand_over_leaves_no_partition_behind(
    single: LocalCluster, topic: str
) -> None:
    """The member kept its share: no heartbeat confirmed the partitions that the poll revoked."""
    await make(single, topic)
    listener = SlowToGiveUp()
    async with Consumer(settings(single, topic)) as first, trio.open_nursery() as nursery:
        first.subscribe([topic], listener)
        with trio.fail_after(20):
            while len(first.assignment) < PARTITIONS:
                await first.poll(0.05)

        async def poll_until_cancelled() -> None:
            with scope:
                while True:
                    await first.poll(1)

        scope = trio.CancelScope()
        async with Consumer(settings(single, topic)) as second:
            second.subscribe([topic])
            nursery.start_soon(poll_until_cancelled)
            with trio.fail_after(20):
                while not listener.asked.is_set():
                    await second.poll(0.05)
                scope.cancel()
                listener.allowed.set()
                while len(second.assignment) < PARTITIONS // 2:
                    await second.poll(0.05)
            assert len(first.assignment) == PARTITIONS // 2


async def test_members_of_two_libraries_share_a_group(single: LocalCluster, topic: str) -> None:
    await make(single, topic)
    other = OtherConsumer(settings(single, topic))
    other.subscribe([topic])
    read: list[bytes] = []
    await until(lambda: len(other.assignment()) == PARTITIONS, read, other=other)
    async with Consumer(settings(single, topic)) as own:
        own.subscribe(SubscriptionPattern(topic[:-1] + "."))
        half = PARTITIONS // 2
        await until(
            lambda: len(own.assignment) == len(other.assignment()) == half, read, own, other=other
        )
        theirs = {part.partition for part in other.assignment()}
        assert theirs.isdisjoint(target.partition for target in own.assignment)
        await until(lambda: len(read) >= RECORDS, read, own, other=other)
        async with Admin({"bootstrap.servers": single.bootstrap}) as admin:
            group = (await admin.describe_groups([f"g-{topic}"]))[f"g-{topic}"]
        assert (group.state, group.strategy, len(group.members)) == ("Stable", "uniform", 2)
        assert all(member.epoch == group.epoch for member in group.members)
    assert sorted(map(int, read)) == list(range(RECORDS)), "each record once"
    await until(lambda: len(other.assignment()) == PARTITIONS, read, other=other)
    await trio.to_thread.run_sync(other.close)


async def test_a_bad_expression_is_refused_in_words(single: LocalCluster, topic: str) -> None:
    async with Consumer(settings(single, topic)) as consumer:
        consumer.subscribe(SubscriptionPattern("a("))
        with pytest.raises(KafkaError, match=r"missing \)") as refused:
            await consumer.poll(20)
    assert refused.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION


async def test_a_classic_member_cannot_send_its_expression(topic: str) -> None:
    config = {"bootstrap.servers": "127.0.0.1:1", "group.id": "g"}
    async with Consumer(config) as consumer:
        with pytest.raises(KafkaError, match=r"group\.protocol=consumer"):
            consumer.subscribe(SubscriptionPattern("a"))


# ---- asyncio


class Notes:
    """A listener under asyncio."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    async def on_assigned(self, partitions: object) -> None:
        await asyncio.sleep(0)
        self.notes.append("assigned")

    async def on_revoked(self, partitions: object) -> None:
        await asyncio.sleep(0)
        self.notes.append("revoked")

    async def on_lost(self, partitions: object) -> None:
        self.notes.append("lost")


async def _under_asyncio(cluster: LocalCluster, topic: str) -> None:
    servers = {"bootstrap.servers": cluster.bootstrap}
    async with aio.Admin(servers) as admin, aio.Producer(servers) as producer:
        await admin.create_topics([NewTopic(topic, 2, 1)])
        deliveries = [await producer.send(topic, b"%d" % n, partition=n % 2) for n in range(200)]
        assert (await deliveries[-1]).offset == 99
        with pytest.raises(KafkaError) as refused:
            await producer.send(topic, bytes(3_000_000))
        assert refused.value.code is ErrorCode.MESSAGE_TOO_LARGE
    notes = Notes()
    async with aio.Consumer(settings(cluster, topic)) as consumer:
        consumer.subscribe([topic], notes)
        read = []
        async for record in consumer:
            read.append(int(record.value or b""))
            if len(read) == 200:
                break
        assert sorted(read) == list(range(200))
        await consumer.commit()
        places = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
        assert [each.offset for each in (await consumer.committed(places)).values()] == [100, 100]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await consumer.poll(30)
        assert await consumer.poll(0) == []
    assert notes.notes == ["assigned", "revoked"]
    with pytest.raises(RuntimeError, match="not open"):
        await aio.Consumer(settings(cluster, topic)).poll()


def test_the_clients_work_under_asyncio(single: LocalCluster, topic: str) -> None:
    asyncio.run(_under_asyncio(single, topic))
    asyncio.run(_under_asyncio(single, topic + "-again"))
