"""Calls of a transactional producer that get no answer in time, and are repeated."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from raftka.client.producer import MustRetry, Producer
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.produce import ProduceRequest
from tests.support.scripted_cluster import ScriptedCluster

CONFIG = {"bootstrap.servers": "b1:9092,b2:9092", "transactional.id": "tx"}


async def test_no_answer_within_max_block_says_to_call_again(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    busy = ErrorCode.CONCURRENT_TRANSACTIONS
    async with Producer({**CONFIG, "max.block.ms": 1_000}, **world) as producer:
        cluster.transactions.refusal = lambda request: busy
        with pytest.raises(MustRetry, match="init_transactions"):
            await producer.init_transactions()
        cluster.transactions.refusal = lambda request: ErrorCode.NONE
        await producer.init_transactions()
        producer.begin_transaction()
        await (await producer.send("t", b"v"))
        cluster.transactions.refusal = lambda request: busy
        with pytest.raises(MustRetry, match="commit_transaction"):
            await producer.commit_transaction()
        with pytest.raises(KafkaError, match="again"):
            await producer.abort_transaction()
        cluster.transactions.refusal = lambda request: ErrorCode.NONE
        await producer.commit_transaction()
    assert cluster.transactions.ends == [True]


async def test_a_commit_without_an_answer_is_repeated_after_its_block(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")

    def no_answer(broker: int, request: Any) -> str | None:
        return "error" if isinstance(request, ProduceRequest) else None

    async with Producer({**CONFIG, "max.block.ms": 1_000}, **world) as producer:
        await producer.init_transactions()
        # While its records are being stored, and while its coordinator is asked.
        cluster.fault = no_answer
        with pytest.raises(MustRetry, match="records"):
            async with producer.transaction():
                await producer.send("t", b"v")
        cluster.fault = lambda broker, request: None
        await producer.commit_transaction()
        cluster.transactions.refusal = lambda request: ErrorCode.CONCURRENT_TRANSACTIONS
        with pytest.raises(MustRetry, match="coordinator"):
            async with producer.transaction():
                await (await producer.send("t", b"w"))
        cluster.transactions.refusal = lambda request: ErrorCode.NONE
        await trio.sleep(10)
        await producer.commit_transaction()
    assert cluster.transactions.ends == [True, True]
    part = cluster.topics["t"][0]
    assert [each.value for each in part.records()] == [b"v", b"w"]
