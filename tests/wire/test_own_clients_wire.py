"""raftka's clients on three real nodes, of which the leader or coordinator dies."""

from __future__ import annotations

import collections
import contextlib

import pytest
import trio

from raftka.client.admin import Admin, NewTopic
from raftka.client.consumer import Consumer, RebalanceInProgress
from raftka.client.producer import Producer
from raftka.local_cluster import LocalCluster
from raftka.model.ids import TopicPartition

pytestmark = pytest.mark.wire

PARTITIONS = 4
Seen = dict[int, list[int]]
"""Offsets by partition, in the order in which they were read."""


async def make(cluster: LocalCluster, topic: str) -> None:
    async with Admin({"bootstrap.servers": cluster.bootstrap}) as admin:
        made = NewTopic(topic, PARTITIONS, 3, {"min.insync.replicas": "2"})
        await admin.create_topics([made])


async def member(
    cluster: LocalCluster,
    topic: str,
    seen: Seen,
    enough: int | None,
    done: trio.Event,
    strategy: str,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Reads and commits until `done`, which it sets itself when all have seen `enough`."""
    settings: dict[str, object] = {
        "bootstrap.servers": cluster.bootstrap,
        "group.id": f"g-{topic}",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    if strategy == "coordinator":
        settings["group.protocol"] = "consumer"
    else:
        settings["heartbeat.interval.ms"] = 200
        settings["session.timeout.ms"] = 6000
        settings["partition.assignment.strategy"] = strategy
    async with Consumer(settings) as consumer:
        consumer.subscribe([topic])
        started = False
        while not done.is_set():
            for record in await consumer.poll(0.2):
                seen[record.partition].append(record.offset)
            if enough is not None and sum(map(len, seen.values())) >= enough:
                done.set()
            if consumer.assignment and not started:
                started = True
                task_status.started()
            with contextlib.suppress(RebalanceInProgress):
                await consumer.commit()


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky", "coordinator"])
async def test_two_members_share_and_hand_over_without_a_gap(
    three: LocalCluster, topic: str, strategy: str
) -> None:
    await make(three, topic)
    seen: Seen = collections.defaultdict(list)
    done, first_done = trio.Event(), trio.Event()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(member, three, topic, seen, None, first_done, strategy)
            await nursery.start(member, three, topic, seen, 400, done, strategy)
            async with Producer({"bootstrap.servers": three.bootstrap}) as producer:
                for number in range(400):
                    await producer.send(topic, b"%d" % number, partition=number % PARTITIONS)
                    if number == 200:
                        await producer.flush()
                        first_done.set()
    for offsets in seen.values():
        # Commits follow each poll, and members leave properly: nothing comes twice.
        assert offsets == list(range(100))


async def test_a_leader_that_is_killed_loses_doubles_and_reorders_nothing(
    three: LocalCluster, topic: str
) -> None:
    await make(three, topic)
    async with Admin({"bootstrap.servers": three.bootstrap}) as admin:
        described = (await admin.describe_topics([topic]))[topic]
    leader = described.partitions[0].leader
    assert leader is not None
    gap_s = 0.0
    last = trio.current_time()

    def acknowledged(_: object) -> None:
        nonlocal gap_s, last
        now = trio.current_time()
        gap_s, last = max(gap_s, now - last), now

    with trio.fail_after(60):
        try:
            async with Producer({"bootstrap.servers": three.bootstrap}) as producer:
                for number in range(600):
                    future = await producer.send(topic, b"%d" % number, partition=0)
                    future.when_done(acknowledged)
                    if number == 200:
                        three.kill(leader.id)
                    await trio.sleep(0.002)
                await producer.flush()
                await future
            assert gap_s < 3.0
            await expect_in_order(three, topic, 600)
        finally:
            await trio.to_thread.run_sync(three.start_node, leader.id)


async def expect_in_order(cluster: LocalCluster, topic: str, count: int) -> None:
    values: list[int] = []
    settings = {"bootstrap.servers": cluster.bootstrap, "auto.offset.reset": "earliest"}
    async with Consumer(settings) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        async for record in consumer:
            values.append(int(record.value or b""))
            if len(values) == count:
                break
    assert values == list(range(count))
