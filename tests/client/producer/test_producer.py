"""The producer against brokers that check its order, with connections that break and leaders
that move."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio

from raftka.client.producer import Producer
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.message import Request
from raftka.net.protocol.messages.init_producer_id import InitProducerIdRequest
from raftka.net.protocol.messages.produce import ProduceRequest
from raftka.simulations.machines.determinism import run
from tests.support.memory_network import MemoryNetwork, VirtualClock
from tests.support.scripted_cluster import ScriptedCluster

BOOTSTRAP = {"bootstrap.servers": "b1:9092,b2:9092"}


def values(cluster: ScriptedCluster, topic: str, partition: int = 0) -> list[bytes | None]:
    return [record.value for record in cluster.topics[topic][partition].records()]


async def test_a_record_gets_its_offset(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Producer(BOOTSTRAP, **world) as producer:
        first = await producer.send("t", b"a", b"key", headers=[("h", b"1")])
        second = await producer.send("t", b"b")
        assert (await first).offset == 0
        assert (await second).offset == 1
    record = cluster.topics["t"][0].records()[0]
    assert (record.key, record.value, list(record.headers)) == (b"key", b"a", [("h", b"1")])


async def test_records_that_linger_together_travel_together(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Producer({**BOOTSTRAP, "linger.ms": 50}, **world) as producer:
        for number in range(10):
            await producer.send("t", b"%d" % number)
    sent = [request for _, request in cluster.requests if isinstance(request, ProduceRequest)]
    assert len(sent) == 1
    assert values(cluster, "t") == [b"%d" % number for number in range(10)]


async def test_a_full_batch_does_not_linger(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Producer({**BOOTSTRAP, "linger.ms": 30_000, "batch.size": 200}, **world) as producer:
        future = await producer.send("t", b"x" * 300)
        with trio.fail_after(1):
            await future


async def test_flush_waits_for_every_answer(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t", 3)
    async with Producer({**BOOTSTRAP, "linger.ms": 10_000}, **world) as producer:
        futures = [await producer.send("t", b"v", partition=i % 3) for i in range(30)]
        with trio.fail_after(2):
            await producer.flush()
        assert all(future.done for future in futures)


@pytest.mark.parametrize("acks", ["0", "1", "all"])
async def test_each_kind_of_acknowledgement(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, acks: str
) -> None:
    cluster.create("t")
    if acks == "0":
        cluster.fault = lambda broker, request: (
            "silent" if isinstance(request, ProduceRequest) else None
        )
    async with Producer({**BOOTSTRAP, "acks": acks}, **world) as producer:
        metadata = await (await producer.send("t", b"v"))
        assert metadata.offset == (-1 if acks == "0" else 0)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_connection_that_breaks_loses_and_doubles_nothing(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, moment: str
) -> None:
    cluster.create("t")
    hits = 0

    def fault(broker: int, request: Request[Any]) -> str | None:
        nonlocal hits
        if isinstance(request, ProduceRequest):
            hits += 1
            return moment if hits in (2, 3, 5) else None
        return None

    cluster.fault = fault
    async with Producer({**BOOTSTRAP, "linger.ms": 0}, **world) as producer:
        for number in range(20):
            await producer.send("t", b"%d" % number)
            await trio.sleep(0.001)
    assert values(cluster, "t") == [b"%d" % number for number in range(20)]


async def test_a_dead_leader_costs_less_than_a_second(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, nursery: trio.Nursery
) -> None:
    cluster.create("t")
    async with Producer({**BOOTSTRAP, "linger.ms": 0}, **world) as producer:
        await (await producer.send("t", b"before"))

        async def election() -> None:
            await trio.sleep(0.3)
            cluster.elect("t", 0, 2)

        cluster.kill(1)
        nursery.start_soon(election)
        begun = trio.current_time()
        metadata = await (await producer.send("t", b"after"))
        assert metadata.offset == 1
        assert trio.current_time() - begun < 0.6


async def test_the_bootstrap_list_serves_again_when_all_known_brokers_are_gone(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Producer({"bootstrap.servers": "b1:9092"}, **world) as producer:
        await (await producer.send("t", b"1"))
        for broker in (1, 2, 3):
            cluster.kill(broker)
        future = await producer.send("t", b"2")
        await trio.sleep(5)
        cluster.start(1)
        assert (await future).offset == 1


async def with_passing_errors(
    cluster: ScriptedCluster, world: dict[str, Any], seed: int, delivery_timeout_ms: int
) -> tuple[list[int], set[int]]:
    """Produces numbers to a partition whose leader keeps failing; returns stored and failed ones.

    Three of five requests fail, so that nearly every batch is sent several times.
    """
    cluster.create("t")
    dice = random.Random(seed)
    cluster.fault = lambda broker, request: (
        dice.choice([None, None, "error", "before", "after"])
        if isinstance(request, ProduceRequest)
        else None
    )
    settings = {
        **BOOTSTRAP,
        "linger.ms": 0,
        "batch.size": 100,
        "request.timeout.ms": 1000,
        "delivery.timeout.ms": delivery_timeout_ms,
    }
    async with Producer(settings, **world) as producer:
        futures = []
        for number in range(100):
            futures.append(await producer.send("t", b"%d" % number))
            await trio.sleep(dice.random() * 0.05)
    stored = [int(value) for value in values(cluster, "t") if value is not None]
    return stored, {number for number, future in enumerate(futures) if future.error is not None}


def under_seed(seed: int, delivery_timeout_ms: int) -> tuple[list[int], set[int]]:
    """The same with the order of tasks drawn from the seed."""
    found: list[tuple[list[int], set[int]]] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            network = MemoryNetwork(nursery)
            world = {"network": network, "clock": VirtualClock(), "dice": random.Random(7)}
            cluster = ScriptedCluster(network)
            found.append(await with_passing_errors(cluster, world, seed, delivery_timeout_ms))
            nursery.cancel_scope.cancel()

    run(main, seed)
    return found[0]


@pytest.mark.parametrize("seed", range(1, 9))
def test_five_batches_in_flight_keep_their_order_through_passing_errors(seed: int) -> None:
    stored, failed = under_seed(seed, delivery_timeout_ms=100_000_000)
    assert not failed
    assert stored == list(range(100))


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 93, 98])
def test_batches_behind_one_that_is_given_up_are_stored_once(seed: int) -> None:
    stored, failed = under_seed(seed, delivery_timeout_ms=1500)
    assert failed, "or this tests nothing"
    assert stored == sorted(set(stored))
    assert set(range(100)) - failed <= set(stored)


async def test_what_may_be_stored_is_sent_again_under_its_own_number(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    settings = {
        **BOOTSTRAP,
        "linger.ms": 0,
        "request.timeout.ms": 1000,
        "delivery.timeout.ms": 2000,
    }
    fault = "mute"
    cluster.fault = lambda broker, request: fault if isinstance(request, ProduceRequest) else None
    async with Producer(settings, **world) as producer:
        lost = await producer.send("t", b"1")
        await trio.sleep(0.9)
        late = await producer.send("t", b"2")
        await trio.sleep(0.05)
        assert values(cluster, "t") == [b"1", b"2"], "both are stored, and neither is answered"
        fault = "error"
        with pytest.raises(KafkaError, match=r"t-0 were not acknowledged within delivery"):
            await lost
        fault = ""
        assert (await late).offset == 1
        assert (await (await producer.send("t", b"3"))).offset == 2
    assert values(cluster, "t") == [b"1", b"2", b"3"]


async def test_a_batch_that_is_given_up_does_not_stop_those_behind_it(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    settings = {
        **BOOTSTRAP,
        "linger.ms": 0,
        "request.timeout.ms": 1000,
        "delivery.timeout.ms": 2000,
    }
    async with Producer(settings, **world) as producer:
        await (await producer.send("t", b"1"))
        cluster.fault = lambda broker, request: (
            "error" if isinstance(request, ProduceRequest) else None
        )
        lost = await producer.send("t", b"2")
        with pytest.raises(KafkaError, match=r"t-0 were not acknowledged within delivery"):
            await lost
        cluster.fault = lambda broker, request: None
        assert (await (await producer.send("t", b"3"))).offset == 1
    assert values(cluster, "t") == [b"1", b"3"]
    asked = [r for _, r in cluster.requests if isinstance(r, InitProducerIdRequest)]
    assert len(asked) == 1, "a higher epoch of the same id is enough (KIP-360)"


async def test_a_leader_that_lost_count_is_met_with_a_new_epoch(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    (part,) = cluster.create("t")
    async with Producer({**BOOTSTRAP, "linger.ms": 0}, **world) as producer:
        await (await producer.send("t", b"1"))
        await (await producer.send("t", b"2"))
        part.recent.clear()
        assert (await (await producer.send("t", b"3"))).offset == 2
        assert (await (await producer.send("t", b"4"))).offset == 3


async def test_records_with_the_same_key_share_a_partition(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t", 7)
    async with Producer(BOOTSTRAP, **world) as producer:
        futures = [await producer.send("t", b"v", b"the key") for _ in range(20)]
        partitions = {(await future).partition for future in futures}
    assert len(partitions) == 1


async def test_a_record_that_can_never_be_sent_is_refused_at_once(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Producer({**BOOTSTRAP, "max.request.size": 1000}, **world) as producer:
        with pytest.raises(KafkaError, match=r"max\.request\.size = 1000") as caught:
            await producer.send("t", b"x" * 1000)
        assert caught.value.code == ErrorCode.MESSAGE_TOO_LARGE


async def test_a_topic_that_never_comes_is_named(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    async with Producer({**BOOTSTRAP, "max.block.ms": 2000}, **world) as producer:
        with pytest.raises(KafkaError, match="topic nowhere is not there after 2 s"):
            await producer.send("nowhere", b"x")


async def test_a_partition_that_is_not_there_is_named(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t", 2)
    async with Producer({**BOOTSTRAP, "max.block.ms": 500}, **world) as producer:
        with pytest.raises(KafkaError, match="partitions 0 to 1, not 5"):
            await producer.send("t", b"x", partition=5)


async def test_an_unreachable_cluster_is_put_into_words(
    world: dict[str, Any], autojump_clock: object
) -> None:
    settings = {"bootstrap.servers": "nobody:9092", "max.block.ms": 1000}
    async with Producer(settings, **world) as producer:
        with pytest.raises(KafkaError, match=r"cannot reach nobody:9092.*is the cluster running"):
            await producer.send("t", b"x")


async def test_full_memory_makes_the_sender_wait_and_then_fail(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    settings = {**BOOTSTRAP, "buffer.memory": 2000, "max.block.ms": 300}
    async with Producer(settings, **world) as producer:
        await (await producer.send("t", b"x"))
        cluster.fault = lambda broker, request: (
            "error" if isinstance(request, ProduceRequest) else None
        )
        with pytest.raises(KafkaError, match=r"buffer\.memory = 2000 is full"):
            for _ in range(10):
                await producer.send("t", b"x" * 400)
        cluster.fault = lambda broker, request: None


async def test_a_batch_that_is_too_large_for_the_broker_is_halved(
    cluster: ScriptedCluster,
    world: dict[str, Any],
    autojump_clock: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (part,) = cluster.create("t")
    append = part.append

    def picky(data: bytes) -> tuple[ErrorCode, int]:
        return (ErrorCode.MESSAGE_TOO_LARGE, -1) if len(data) > 600 else append(data)

    monkeypatch.setattr(part, "append", picky)
    async with Producer({**BOOTSTRAP, "linger.ms": 20}, **world) as producer:
        for number in range(12):
            await producer.send("t", b"%d" % number + b"x" * 150)
        await producer.flush()
    assert [value[:2].rstrip(b"x") for value in values(cluster, "t") if value] == [
        b"%d" % number for number in range(12)
    ]


async def test_records_without_a_key_leave_a_partition_that_lost_its_leader(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t", 2)
    settings = {**BOOTSTRAP, "batch.size": 1_000_000, "linger.ms": 0}
    async with Producer(settings, **world) as producer:
        first = await (await producer.send("t", b"x"))
        cluster.kill(1 + first.partition)
        await trio.sleep(1)
        with trio.fail_after(1):
            second = await (await producer.send("t", b"x"))
        assert second.partition != first.partition


async def test_a_producer_that_is_cancelled_forgets_the_requests_on_their_way(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    with trio.CancelScope() as scope:
        async with Producer({**BOOTSTRAP, "linger.ms": 0}, **world) as producer:
            await (await producer.send("t", b"first"))
            future = await producer.send("t", b"second")
            while not sum(producer._sender._in_flight.values()):
                await trio.lowlevel.checkpoint()
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert future.done
