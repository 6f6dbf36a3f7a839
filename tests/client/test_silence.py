"""A silent broker: clients find its successors, and continue there."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from raftka.client.consumer.consumer import Consumer
from raftka.client.metadata import Broker, ClusterView, PartitionView, TopicView
from raftka.client.producer import Producer
from raftka.client.silence import Losses, first_answer
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Endpoint, TopicPartition
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.messages.metadata import MetadataRequest
from raftka.net.protocol.messages.produce import ProduceRequest
from tests.support.memory_network import VirtualClock
from tests.support.scripted_cluster import ScriptedCluster

BOOTSTRAP = {"bootstrap.servers": "b1:9092,b2:9092,b3:9092"}


def stand_still(cluster: ScriptedCluster, broker: int) -> None:
    """Its process receives and carries out requests, but no answer leaves it."""
    cluster.fault = lambda each, request: "mute" if each == broker else None


def stored(cluster: ScriptedCluster) -> list[bytes | None]:
    return [record.value for record in cluster.topics["t"][0].records()]


async def test_a_producer_goes_on_with_the_new_leader_in_order_and_once(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    numbers = [b"%d" % number for number in range(60)]
    async with Producer({**BOOTSTRAP, "linger.ms": 0}, **world) as producer:
        futures = []
        begun = trio.current_time()
        for number in numbers:
            if number == b"20":
                stand_still(cluster, 1)
            if number == b"40":
                cluster.elect("t", 0, 2)
            futures.append(await producer.send("t", number))
            await trio.sleep(0.1)
        for future in futures:
            await future
        assert trio.current_time() - begun < 8, "not request.timeout.ms"
    assert stored(cluster) == numbers
    # The batches that the silent leader had stored were sent again under the same numbers.
    known = cluster.topics["t"][0].recent
    assert len(known) == 1
    assert {epoch for epoch, *_ in known.popitem()[1]} == {0}
    resent = [broker for broker, each in cluster.requests if isinstance(each, ProduceRequest)]
    assert resent == sorted(resent), "nothing went back to the silent broker"


async def test_a_late_answer_finds_nobody(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Producer({**BOOTSTRAP, "linger.ms": 0}, **world) as producer:
        await (await producer.send("t", b"1"))
        (channel,) = [
            channel for endpoint, channel in _channels(producer) if endpoint == Endpoint("b1", 9092)
        ]
        stand_still(cluster, 1)
        future = await producer.send("t", b"2")
        cluster.elect("t", 0, 2)
        assert (await future).offset == 1
        assert channel.broken is not None
        assert "others have taken over" in str(channel.broken)


def _channels(client: Producer) -> list[tuple[Endpoint, Any]]:
    places = client.cluster.connections._places
    return [(endpoint, place.channel) for (endpoint, _), place in places.items()]


async def test_a_slow_leader_keeps_its_connection(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Producer({**BOOTSTRAP, "linger.ms": 0}, **world) as producer:
        await (await producer.send("t", b"1"))
        stand_still(cluster, 1)
        future = await producer.send("t", b"2")
        await trio.sleep(20)
        assert not future.done
        asked = [broker for broker, each in cluster.requests if isinstance(each, MetadataRequest)]
        assert 15 <= len(asked) <= 60, "others are asked about twice a second"
        assert 1 not in asked[-10:], "and not the silent one itself"
        sent = [each for _, each in cluster.requests if isinstance(each, ProduceRequest)]
        assert len(sent) == 2
        cluster.elect("t", 0, 3)
        assert (await future).offset == 1


async def test_without_the_setting_the_request_timeout_decides(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    settings = {
        **BOOTSTRAP,
        "linger.ms": 0,
        "request.timeout.ms": 9000,
        "raftka.broker.silence.max.ms": 0,
    }
    async with Producer(settings, **world) as producer:
        await (await producer.send("t", b"1"))
        stand_still(cluster, 1)
        begun = trio.current_time()
        future = await producer.send("t", b"2")
        cluster.elect("t", 0, 2)
        assert (await future).offset == 1
        assert 9 <= trio.current_time() - begun < 10


async def test_a_consumer_goes_on_with_the_new_leader(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with (
        Producer({**BOOTSTRAP, "linger.ms": 0}, **world) as producer,
        Consumer({**BOOTSTRAP, "auto.offset.reset": "earliest"}, **world) as consumer,
    ):
        consumer.assign([TopicPartition("t", 0)])
        await (await producer.send("t", b"1"))
        assert [record.value for record in await consumer.poll(5)] == [b"1"]
        stand_still(cluster, 1)
        with trio.move_on_after(3):
            await consumer.poll(3)
        begun = trio.current_time()
        cluster.elect("t", 0, 2)
        await (await producer.send("t", b"2"))
        found: list[bytes | None] = []
        while not found:
            found = [record.value for record in await consumer.poll(1)]
        assert found == [b"2"]
        assert trio.current_time() - begun < 4


async def test_a_group_goes_on_with_the_new_coordinator(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    """Its broker leads no partition that the member reads, so no layout shows its failure."""
    cluster.create("t")
    cluster.elect("t", 0, 2)
    settings = {**BOOTSTRAP, "group.id": "g", "enable.auto.commit": False}
    async with Consumer(settings, **world) as consumer:
        consumer.subscribe(["t"])
        while not consumer.assignment:
            await consumer.poll(1)
        stand_still(cluster, 1)
        begun = trio.current_time()

        async def move() -> None:
            await trio.sleep(3)
            cluster.group.node = 3

        async with trio.open_nursery() as nursery:
            nursery.start_soon(move)
            await consumer.commit({TopicPartition("t", 0): 5})
        assert 3 < trio.current_time() - begun < 5
    assert cluster.group.committed[TopicPartition("t", 0)] == 5


BEFORE = ClusterView(
    brokers={1: Broker(1, "b1", 1), 2: Broker(2, "b2", 2)},
    topics={"t": TopicView("t", partitions={0: PartitionView(0, leader=1, leader_epoch=4)})},
)


@pytest.mark.parametrize(
    ("after", "loses"),
    [
        (BEFORE, False),
        (ClusterView(brokers={2: BEFORE.brokers[2]}), True),
    ],
)
def test_a_broker_that_is_listed_no_longer_has_lost(after: ClusterView, loses: bool) -> None:
    losses = Losses()
    losses.learn(BEFORE, after, 7.0)
    assert losses.has_lost(Endpoint("b1", 1), since=6.0) is loses
    assert not losses.has_lost(Endpoint("b1", 1), since=7.5), "what was asked after it is another"
    assert not losses.has_lost(Endpoint("b2", 2), since=6.0)


@pytest.mark.parametrize(
    ("partition", "loses"),
    [
        (PartitionView(0, leader=2, leader_epoch=5), True),
        (PartitionView(0, leader=-1, leader_epoch=5), False),
        (PartitionView(0, leader=-1, leader_epoch=5, offline=(1,)), True),
        (PartitionView(0, leader=1, leader_epoch=5), False),
    ],
)
def test_a_replaced_leader_and_an_offline_one_have_lost(
    partition: PartitionView, loses: bool
) -> None:
    after = ClusterView(
        brokers=BEFORE.brokers, topics={"t": TopicView("t", partitions={0: partition})}
    )
    losses = Losses()
    losses.learn(BEFORE, after, 7.0)
    assert losses.has_lost(Endpoint("b1", 1), since=6.0) is loses


async def test_the_next_is_asked_after_a_failure_or_a_silence(autojump_clock: object) -> None:
    asked: list[str] = []

    async def fails() -> str:
        asked.append("fails")
        raise BrokenConnection("b1")

    async def hangs() -> str:
        asked.append("hangs")
        await trio.sleep_forever()
        raise AssertionError

    async def answers() -> str:
        asked.append("answers")
        await trio.sleep(0.5)
        return "answer"

    async def never() -> str:
        raise AssertionError("one before it answers in time")

    begun = trio.current_time()
    found = await first_answer([fails, hangs, answers, never], VirtualClock(), 1.0)
    assert (found, asked) == ("answer", ["fails", "hangs", "answers"])
    assert trio.current_time() - begun == pytest.approx(1.5)


async def test_a_late_answer_of_the_first_still_counts(autojump_clock: object) -> None:
    async def slow() -> str:
        await trio.sleep(1.5)
        return "slow"

    async def fails() -> str:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)

    assert await first_answer([slow, fails], VirtualClock(), 1.0) == "slow"
    with pytest.raises(KafkaError):
        await first_answer([fails, fails], VirtualClock(), 1.0)


async def test_a_reason_outweighs_brokers_that_cannot_be_reached(autojump_clock: object) -> None:
    async def refuses() -> str:
        raise KafkaError(ErrorCode.GROUP_AUTHORIZATION_FAILED)

    async def is_gone() -> str:
        raise BrokenConnection("b3")

    with pytest.raises(KafkaError, match="GROUP_AUTHORIZATION_FAILED"):
        await first_answer([is_gone, refuses, is_gone], VirtualClock(), 1.0)
    with pytest.raises(BrokenConnection):
        await first_answer([is_gone, is_gone], VirtualClock(), 1.0)
