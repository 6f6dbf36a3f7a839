"""How clients close: members leave their group at once, producers send their last batches.

Whatever they wait for, and however their `async with` is left.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest
import trio

from raftka.client.consumer import Consumer
from raftka.client.opening import LAST_WORDS_S
from raftka.client.producer import Producer
from raftka.client.shielding import delayed_cancellation
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.records import Record, encode_batch
from raftka.net.protocol.message import Request
from raftka.net.protocol.messages.join_group import JoinGroupRequest
from raftka.net.protocol.messages.offset_commit import OffsetCommitRequest
from raftka.net.protocol.messages.produce import ProduceRequest
from tests.support.memory_network import VirtualClock
from tests.support.scripted_cluster import ScriptedCluster

BOOTSTRAP = {"bootstrap.servers": "b1:9092"}
MEMBER = {**BOOTSTRAP, "group.id": "g", "auto.offset.reset": "earliest"}
T0 = TopicPartition("t", 0)


def fill(cluster: ScriptedCluster, count: int) -> None:
    (part,) = cluster.create("t")
    part.append(encode_batch([Record(0, 1000, None, b"%d" % number) for number in range(count)]))


async def poll_until_cancelled(consumer: Consumer) -> None:
    consumer.subscribe(["t"])
    while True:
        await consumer.poll(1)


# Members leave


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.5, 1.5, 2.9, 3.0, 3.1, 10.0])
async def test_a_cancelled_member_leaves_whatever_it_waits_for(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, after_s: float
) -> None:
    fill(cluster, 3)
    cluster.group.join_delay_s = 3.0
    with trio.move_on_after(after_s) as scope:
        async with Consumer(MEMBER, **world) as consumer:
            await poll_until_cancelled(consumer)
    assert scope.cancelled_caught
    assert cluster.group.members == set()
    assert trio.current_time() - scope.deadline < 0.5


async def test_a_member_leaves_before_it_knows_its_id(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    fill(cluster, 1)
    scope = trio.CancelScope()

    def fault(broker: int, request: Request[Any]) -> str | None:
        if isinstance(request, JoinGroupRequest):
            scope.cancel()
        return None

    cluster.fault = fault
    with scope:
        async with Consumer(MEMBER, **world) as consumer:
            await poll_until_cancelled(consumer)
    joins = [r for _, r in cluster.requests if isinstance(r, JoinGroupRequest)]
    assert [join.member_id for join in joins] == [""]
    assert cluster.group.members == set()


async def test_a_member_whose_body_raises_leaves(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    fill(cluster, 3)
    with pytest.raises(ZeroDivisionError):
        async with Consumer(MEMBER, **world) as consumer:
            consumer.subscribe(["t"])
            await consumer.poll(5)
            assert cluster.group.members
            raise ZeroDivisionError
    assert cluster.group.members == set()


async def test_a_member_leaves_a_silent_coordinator_within_a_bound(
    cluster: ScriptedCluster,
    world: dict[str, Any],
    autojump_clock: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fill(cluster, 3)
    begun = 0.0
    with trio.CancelScope() as scope:
        async with Consumer(MEMBER, **world) as consumer:
            consumer.subscribe(["t"])
            assert await consumer.poll(5)
            assert await consumer.poll(1) == []
            cluster.fault = lambda broker, request: "mute"
            begun = trio.current_time()
            scope.cancel()
            await consumer.poll(1)
    assert trio.current_time() - begun <= LAST_WORDS_S + 0.1
    assert "group g: leaving was not confirmed within 2 s" in caplog.text


async def test_a_member_that_hands_over_is_cancelled_after_a_bound(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    """A rebalance with a commit that gets no answer, and a listener that never returns."""
    fill(cluster, 3)

    class Stuck:
        async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
            pass

        async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
            await trio.sleep_forever()

        async def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
            pass

    with trio.move_on_after(20) as scope:
        async with Consumer({**MEMBER, "heartbeat.interval.ms": 100}, **world) as consumer:
            consumer.subscribe(["t"], Stuck())
            assert await consumer.poll(5)
            cluster.group.rebalances = True
            while True:
                await consumer.poll(1)
    assert scope.cancelled_caught
    assert trio.current_time() - scope.deadline < 2 * LAST_WORDS_S + 0.1
    assert cluster.group.members == set()


async def test_a_static_member_keeps_its_place(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    fill(cluster, 3)
    with trio.move_on_after(5):
        async with Consumer({**MEMBER, "group.instance.id": "i"}, **world) as consumer:
            await poll_until_cancelled(consumer)
    assert len(cluster.group.members) == 1


# Their commits


async def test_cancelled_in_poll_a_consumer_commits_what_it_was_given_before(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    fill(cluster, 3)
    with trio.move_on_after(2):
        async with Consumer(MEMBER, **world) as consumer:
            await poll_until_cancelled(consumer)
    assert cluster.group.committed == {T0: 3}


async def test_cancelled_at_work_a_consumer_leaves_its_records_to_the_next(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    fill(cluster, 3)
    with trio.move_on_after(2):
        async with Consumer(MEMBER, **world) as consumer:
            consumer.subscribe(["t"])
            assert len(await consumer.poll(5)) == 3
            await trio.sleep_forever()
    assert cluster.group.committed == {}
    assert cluster.group.members == set()


async def test_cancelled_between_records_a_consumer_commits_those_that_were_taken(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    fill(cluster, 101)
    with trio.CancelScope() as scope:
        async with Consumer(MEMBER, **world) as consumer:
            consumer.subscribe(["t"])
            seen = 0
            async for _ in consumer:
                seen += 1
                if seen == 2:
                    # The iterator lets other tasks run before every fiftieth record of a poll.
                    scope.cancel()
    assert cluster.group.committed == {T0: seen}
    assert 0 < seen < 101


async def test_a_member_that_joins_again_commits_over_another_connection(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    """Its coordinator withholds the answer to JoinGroup, and so all later ones."""
    fill(cluster, 3)
    settings = {
        **MEMBER,
        "heartbeat.interval.ms": 100,
        "partition.assignment.strategy": "cooperative-sticky",
        "auto.commit.interval.ms": 100_000,
    }
    with trio.CancelScope() as scope:
        async with Consumer(settings, **world) as consumer:
            consumer.subscribe(["t"])
            assert len(await consumer.poll(5)) == 3
            cluster.group.rebalances, cluster.group.join_delay_s = True, 100.0
            with trio.move_on_after(2):
                await consumer.poll(10)
            cluster.group.committed.clear()
            begun = trio.current_time()
            scope.cancel()
            await consumer.poll(1)
    assert trio.current_time() - begun < 0.5
    assert cluster.group.members == set()
    commits = [r for _, r in cluster.requests if isinstance(r, OffsetCommitRequest)]
    assert commits


# Producers


async def test_a_cancelled_producer_sends_what_it_was_given(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    (part,) = cluster.create("t")
    with trio.move_on_after(1) as scope:
        async with Producer({**BOOTSTRAP, "linger.ms": 60_000}, **world) as producer:
            future = await producer.send("t", b"x")
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert (await future).offset == 0
    assert len(part.records()) == 1
    assert trio.current_time() - scope.deadline < 0.5


async def test_a_producer_whose_body_raises_sends_what_it_was_given(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    (part,) = cluster.create("t")
    with pytest.raises(ZeroDivisionError):
        async with Producer({**BOOTSTRAP, "linger.ms": 60_000}, **world) as producer:
            await producer.send("t", b"x")
            raise ZeroDivisionError
    assert len(part.records()) == 1


async def test_a_producer_says_what_it_could_not_send(
    cluster: ScriptedCluster,
    world: dict[str, Any],
    autojump_clock: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster.create("t")
    caplog.set_level(logging.WARNING, "raftka")
    cluster.fault = lambda broker, request: "mute" if isinstance(request, ProduceRequest) else None
    with trio.move_on_after(1) as scope:
        async with Producer(BOOTSTRAP, **world) as producer:
            futures = [await producer.send("t", b"x") for _ in range(3)]
            await trio.sleep_forever()
    assert trio.current_time() - scope.deadline <= LAST_WORDS_S + 0.1
    with pytest.raises(KafkaError, match="closed before the record was acknowledged"):
        await futures[0]
    assert "ends before 3 records for t-0 were acknowledged: after 1 attempts" in caplog.text


async def test_an_abandoned_client_says_nothing(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    fill(cluster, 3)
    with trio.CancelScope() as scope:
        async with Consumer(MEMBER, **world) as consumer:
            consumer.subscribe(["t"])
            await consumer.poll(5)
            consumer.abandon()
            begun = trio.current_time()
            scope.cancel()
    assert trio.current_time() == begun
    assert len(cluster.group.members) == 1


# Shielding


async def test_a_cancellation_reaches_delayed_work_after_its_time(autojump_clock: object) -> None:
    with trio.move_on_after(1) as scope:
        async with delayed_cancellation(VirtualClock(), 3):
            await trio.sleep(100)
    assert scope.cancelled_caught
    assert trio.current_time() - scope.deadline == 3


async def test_delayed_work_that_ends_in_time_is_whole(autojump_clock: object) -> None:
    ended = False
    with trio.move_on_after(1):
        async with delayed_cancellation(VirtualClock(), 3):
            await trio.sleep(2)
            ended = True
    assert ended


async def test_errors_of_delayed_work_are_not_wrapped(autojump_clock: object) -> None:
    with pytest.raises(ZeroDivisionError):
        async with delayed_cancellation(VirtualClock(), 3):
            raise ZeroDivisionError
