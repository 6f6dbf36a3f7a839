"""A transactional producer against a coordinator that enforces the rules, with faults."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from raftka.client.config import producer_config
from raftka.client.group_offsets import GroupMetadata
from raftka.client.producer import MustAbort, MustClose, Producer, ProducerFenced
from raftka.client.settings import ConfigError
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.net.protocol.message import Request
from raftka.net.protocol.messages.add_partitions_to_txn import AddPartitionsToTxnRequest
from raftka.net.protocol.messages.end_txn import EndTxnRequest
from raftka.net.protocol.messages.init_producer_id import InitProducerIdRequest
from raftka.net.protocol.messages.produce import ProduceRequest
from raftka.net.protocol.messages.txn_offset_commit import TxnOffsetCommitRequest
from tests.support.scripted_cluster import ScriptedCluster

CONFIG = {"bootstrap.servers": "b1:9092,b2:9092", "transactional.id": "tx"}
TARGET = TopicPartition("t", 0)
GROUP = GroupMetadata("g", 3, "m1")
LEVELS = pytest.mark.parametrize("level", [0, 1, 2])


def stored(cluster: ScriptedCluster) -> list[bytes | None]:
    return [record.value for part in cluster.topics["t"] for record in part.records()]


def asked(cluster: ScriptedCluster, kind: type[Request[Any]]) -> list[Any]:
    return [request for _, request in cluster.requests if isinstance(request, kind)]


@LEVELS
async def test_a_commit_ends_what_was_written(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, level: int
) -> None:
    cluster.create("t", 2)
    cluster.transactions.level = level
    async with Producer(CONFIG, **world) as producer:
        await producer.init_transactions()
        for number in range(3):
            async with producer.transaction():
                for partition in (0, 1):
                    await producer.send("t", b"%d" % number, partition=partition)
    assert cluster.transactions.ends == [True, True, True]
    assert stored(cluster) == [b"0", b"1", b"2"] * 2
    assert all(r.transactional_id == "tx" for r in asked(cluster, ProduceRequest))
    assert bool(asked(cluster, AddPartitionsToTxnRequest)) == (level < 2)


@LEVELS
async def test_offsets_are_committed_with_the_transaction_or_not_at_all(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, level: int
) -> None:
    cluster.create("t")
    cluster.transactions.level = level
    async with Producer(CONFIG, **world) as producer:
        await producer.init_transactions()
        async with producer.transaction():
            await producer.send_offsets_to_transaction({TARGET: 7}, GROUP)
        assert cluster.transactions.committed_offsets == {TARGET: 7}
        with pytest.raises(LookupError):
            async with producer.transaction():
                await producer.send_offsets_to_transaction({TARGET: 9}, GROUP)
                raise LookupError
    assert cluster.transactions.committed_offsets == {TARGET: 7}
    (first, *_) = asked(cluster, TxnOffsetCommitRequest)
    assert (first.generation_id, first.member_id) == (3, "m1")


@LEVELS
async def test_an_error_aborts_and_the_next_transaction_goes_on(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, level: int
) -> None:
    cluster.create("t")
    cluster.transactions.level = level
    async with Producer({**CONFIG, "linger.ms": 10_000}, **world) as producer:
        await producer.init_transactions()
        with pytest.raises(LookupError):
            async with producer.transaction():
                await producer.send("t", b"flushed")
                await producer.flush()
                waits = await producer.send("t", b"never sent")
                raise LookupError
        with pytest.raises(MustAbort):
            await waits
        async with producer.transaction():
            await producer.send("t", b"after")
    assert cluster.transactions.ends == [False, True]
    assert stored(cluster) == [b"flushed", b"after"]


async def test_an_empty_transaction_asks_nobody(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    async with Producer(CONFIG, **world) as producer:
        await producer.init_transactions()
        async with producer.transaction():
            pass
        producer.begin_transaction()
        await producer.abort_transaction()
    assert asked(cluster, EndTxnRequest) == []


@LEVELS
async def test_a_cancellation_aborts(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, level: int
) -> None:
    cluster.create("t")
    cluster.transactions.level = level
    async with Producer(CONFIG, **world) as producer:
        await producer.init_transactions()
        with trio.move_on_after(1):
            async with producer.transaction():
                await (await producer.send("t", b"half"))
                await trio.sleep_forever()
        assert cluster.transactions.ends == [False]
        async with producer.transaction():
            await producer.send("t", b"whole")
    assert cluster.transactions.ends == [False, True]


async def test_a_commit_that_was_asked_for_is_finished_although_its_caller_is_cancelled(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    lost = 0

    def lose_the_first_answers(broker: int, request: Request[Any]) -> str | None:
        nonlocal lost
        if isinstance(request, EndTxnRequest) and lost < 3:
            lost += 1
            return "after"
        return None

    async with Producer(CONFIG, **world) as producer:
        await producer.init_transactions()
        cluster.fault = lose_the_first_answers
        with trio.CancelScope() as scope:
            async with producer.transaction():
                await (await producer.send("t", b"v"))
                cluster.transactions.refusal = lambda request: (scope.cancel(), ErrorCode.NONE)[1]
        assert scope.cancelled_caught
        cluster.transactions.refusal = lambda request: ErrorCode.NONE
        assert cluster.transactions.ends == [True]
        async with producer.transaction():
            await producer.send("t", b"w")
    assert cluster.transactions.ends == [True, True]


async def test_leaving_the_producer_within_a_transaction_aborts_it(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Producer(CONFIG, **world) as producer:
        await producer.init_transactions()
        producer.begin_transaction()
        await producer.send("t", b"left open")
        await producer.flush()
    assert cluster.transactions.ends == [False]


@LEVELS
@pytest.mark.parametrize("kind", [InitProducerIdRequest, EndTxnRequest, TxnOffsetCommitRequest])
async def test_a_coordinator_that_moves_or_is_busy_is_asked_again(
    cluster: ScriptedCluster,
    world: dict[str, Any],
    autojump_clock: object,
    level: int,
    kind: type[Request[Any]],
) -> None:
    cluster.create("t")
    cluster.transactions.level = level
    refusals = [
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.CONCURRENT_TRANSACTIONS,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ]

    def refuse(request: Request[Any]) -> ErrorCode:
        if isinstance(request, kind) and refusals:
            return refusals.pop()
        return ErrorCode.NONE

    cluster.transactions.refusal = refuse
    async with Producer(CONFIG, **world) as producer:
        await producer.init_transactions()
        async with producer.transaction():
            await producer.send("t", b"v")
            await producer.send_offsets_to_transaction({TARGET: 1}, GROUP)
    assert refusals == []
    assert cluster.transactions.ends == [True]


@LEVELS
async def test_connections_that_break_lose_and_repeat_nothing(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, level: int
) -> None:
    cluster.create("t")
    cluster.transactions.level = level
    seen: set[str] = set()

    def break_once_each(broker: int, request: Request[Any]) -> str | None:
        for when in ("before", "after"):
            mark = f"{when} {request.API_NAME}"
            if mark not in seen and request.API_NAME not in ("ApiVersions", "InitProducerId"):
                seen.add(mark)
                return when
        return None

    async with Producer(CONFIG, **world) as producer:
        await producer.init_transactions()
        cluster.fault = break_once_each
        for number in range(5):
            async with producer.transaction():
                await producer.send("t", b"%d" % number)
                await producer.send_offsets_to_transaction({TARGET: number}, GROUP)
    assert stored(cluster) == [b"%d" % number for number in range(5)]
    assert cluster.transactions.ends == [True] * 5
    assert cluster.transactions.committed_offsets == {TARGET: 4}


@LEVELS
async def test_the_later_of_two_producers_goes_on(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, level: int
) -> None:
    cluster.create("t")
    cluster.transactions.level = level
    async with Producer(CONFIG, **world) as old, Producer(CONFIG, **world) as new:
        await old.init_transactions()
        old.begin_transaction()
        await (await old.send("t", b"old"))
        await new.init_transactions()
        with pytest.raises(ProducerFenced):
            await old.commit_transaction()
        for call in (old.begin_transaction, lambda: old.begin_transaction()):
            with pytest.raises(ProducerFenced):
                call()
        async with new.transaction():
            await new.send("t", b"new")
    assert cluster.transactions.ends == [False, True]


@LEVELS
async def test_a_batch_that_cannot_be_stored_makes_an_abort_necessary(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, level: int
) -> None:
    cluster.create("t")
    cluster.transactions.level = level
    config = {**CONFIG, "delivery.timeout.ms": 2_000, "request.timeout.ms": 1_000}
    async with Producer(config, **world) as producer:
        await producer.init_transactions()
        cluster.fault = lambda broker, request: (
            "error" if isinstance(request, ProduceRequest) else None
        )
        producer.begin_transaction()
        future = await producer.send("t", b"lost")
        with pytest.raises(MustAbort):
            await producer.commit_transaction()
        assert isinstance(future.error, KafkaError)
        cluster.fault = lambda broker, request: None
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send("t", b"kept")
    assert cluster.transactions.ends == [False, True]
    assert stored(cluster) == [b"kept"]


async def test_after_spoilt_numbers_the_older_protocol_takes_a_new_epoch(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    (part,) = cluster.create("t")
    cluster.transactions.level = 1
    async with Producer(CONFIG, **world) as producer:
        await producer.init_transactions()
        producer.begin_transaction()
        await (await producer.send("t", b"a"))
        cluster.truncate("t", 0)
        with pytest.raises(KafkaError):
            await (await producer.send("t", b"b"))
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send("t", b"c")
    first, second = asked(cluster, InitProducerIdRequest)
    assert (first.producer_epoch, second.producer_epoch) == (-1, 0)
    assert [record.value for record in part.records()] == [b"c"]


async def test_a_member_that_lost_its_place_must_abort(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    cluster.transactions.refusal = lambda request: (
        ErrorCode.ILLEGAL_GENERATION
        if isinstance(request, TxnOffsetCommitRequest)
        else ErrorCode.NONE
    )
    async with Producer(CONFIG, **world) as producer:
        await producer.init_transactions()
        with pytest.raises(MustAbort) as caught:
            async with producer.transaction():
                await producer.send_offsets_to_transaction({TARGET: 1}, GROUP)
        assert caught.value.code == ErrorCode.ILLEGAL_GENERATION
        async with producer.transaction():
            await producer.send("t", b"v")
    assert cluster.transactions.ends[-1]


async def test_a_forgotten_producer_id_is_renewed_by_the_abort(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Producer(CONFIG, **world) as producer:
        await producer.init_transactions()
        cluster.transactions.refusal = lambda request: (
            ErrorCode.INVALID_PRODUCER_ID_MAPPING
            if isinstance(request, EndTxnRequest)
            else ErrorCode.NONE
        )
        with pytest.raises(MustAbort):
            async with producer.transaction():
                await producer.send("t", b"v")
        cluster.transactions.refusal = lambda request: ErrorCode.NONE
        async with producer.transaction():
            await producer.send("t", b"w")
    assert len(asked(cluster, InitProducerIdRequest)) == 2


async def test_a_refused_id_closes_the_producer(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.transactions.refusal = lambda request: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    async with Producer(CONFIG, **world) as producer:
        with pytest.raises(MustClose, match="grant"):
            await producer.init_transactions()


async def test_records_need_a_transaction(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Producer(CONFIG, **world) as producer:
        with pytest.raises(KafkaError, match="init_transactions"):
            await producer.send("t", b"v")
        await producer.init_transactions()
        with pytest.raises(KafkaError, match="begin_transaction"):
            await producer.send("t", b"v")


async def test_a_producer_without_an_id_has_no_transactions(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    async with Producer({"bootstrap.servers": "b1:9092"}, **world) as producer:
        with pytest.raises(KafkaError, match=r"set transactional\.id"):
            await producer.init_transactions()


@pytest.mark.parametrize(
    "wrong",
    [
        {"enable.idempotence": "false"},
        {"acks": "1"},
        {"retries": "0"},
        {"max.in.flight.requests.per.connection": "6"},
        {"transactional.id": ""},
    ],
)
def test_what_a_transactional_id_does_not_go_with(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"transactional\.id"):
        producer_config({**CONFIG, **wrong})
