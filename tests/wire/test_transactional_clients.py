"""Transactions on real nodes: raftka's clients and tools, and third-party clients."""

from __future__ import annotations

import asyncio
import importlib
import uuid
from typing import Any

import pytest
import trio

from raftka import Consumer, MustAbort, Producer, ProducerFenced, TopicPartition
from raftka.client.admin import Admin, NewTopic
from raftka.local_cluster import LocalCluster

pytestmark = pytest.mark.wire


def create(cluster: LocalCluster, topic: str, partitions: int = 2) -> None:
    async def work() -> None:
        async with Admin({"bootstrap.servers": cluster.bootstrap}) as admin:
            await admin.create_topics([NewTopic(topic, partitions, 3)])

    trio.run(work)


async def committed(cluster: LocalCluster, topic: str, expected: int) -> list[bytes]:
    """The values that a read_committed consumer sees, partition after partition."""
    settings = {
        "bootstrap.servers": cluster.bootstrap,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
    }
    found: dict[int, list[bytes]] = {}
    async with Consumer(settings) as consumer:
        targets = await consumer.partitions_for(topic)
        consumer.assign(targets)
        count = 0
        with trio.fail_after(20):
            while count < expected:
                for record in await consumer.poll(1):
                    found.setdefault(record.partition, []).append(record.value or b"")
                    count += 1
        for record in await consumer.poll(0.5):
            found.setdefault(record.partition, []).append(record.value or b"")
    return [value for partition in sorted(found) for value in found[partition]]


def test_what_is_committed_is_seen_and_the_rest_is_not(three: LocalCluster, topic: str) -> None:
    create(three, topic)

    async def work() -> None:
        settings = {"bootstrap.servers": three.bootstrap, "transactional.id": topic}
        async with Producer(settings) as producer:
            await producer.init_transactions()
            for word, end in ((b"a", True), (b"b", False), (b"c", True)):
                producer.begin_transaction()
                for partition in (0, 1):
                    await producer.send(topic, word, partition=partition)
                if end:
                    await producer.commit_transaction()
                else:
                    await producer.flush()
                    await producer.abort_transaction()
            assert await committed(three, topic, 4) == [b"a", b"c", b"a", b"c"]
            producer.begin_transaction()
            await (await producer.send(topic, b"open", partition=0))
            assert await committed(three, topic, 4) == [b"a", b"c", b"a", b"c"]
            await producer.commit_transaction()
        assert await committed(three, topic, 5) == [b"a", b"c", b"open", b"a", b"c"]

    trio.run(work)


def test_the_older_of_two_producers_is_fenced(three: LocalCluster, topic: str) -> None:
    create(three, topic)

    async def work() -> None:
        settings = {"bootstrap.servers": three.bootstrap, "transactional.id": topic}
        async with Producer(settings) as old, Producer(settings) as new:
            await old.init_transactions()
            old.begin_transaction()
            await (await old.send(topic, b"old", partition=0))
            await new.init_transactions()
            with pytest.raises((ProducerFenced, MustAbort)):
                await old.commit_transaction()
            async with new.transaction():
                await new.send(topic, b"new", partition=0)
        assert await committed(three, topic, 1) == [b"new"]

    trio.run(work)


def test_positions_move_with_the_transaction(three: LocalCluster, topic: str) -> None:
    create(three, topic, 1)
    target = TopicPartition(topic, 0)

    async def work() -> None:
        settings = {"bootstrap.servers": three.bootstrap, "transactional.id": topic}
        group = {
            "bootstrap.servers": three.bootstrap,
            "group.id": topic,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
        async with Producer(settings) as producer, Consumer(group) as consumer:
            await producer.init_transactions()
            async with producer.transaction():
                await producer.send(topic, b"v")
            consumer.subscribe([topic])
            with trio.fail_after(20):
                while not await consumer.poll(1):
                    continue
            with pytest.raises(LookupError):
                async with producer.transaction():
                    await producer.send_offsets_to_transaction(
                        {target: 1}, consumer.group_metadata()
                    )
                    raise LookupError
            assert await consumer.committed([target]) == {}
            async with producer.transaction():
                await producer.send_offsets_to_transaction({target: 1}, consumer.group_metadata())
            assert (await consumer.committed([target]))[target].offset == 1

    trio.run(work)


def test_kafka_transactions_names_what_is_open_and_ends_it(
    three: LocalCluster, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    create(three, topic, 1)
    tool = importlib.import_module("raftka.client.tools.transactions").main

    def shown(*arguments: str) -> list[list[str]]:
        capsys.readouterr()
        assert tool(["--bootstrap-server", three.bootstrap, *arguments]) == 0
        return [line.split("\t") for line in capsys.readouterr().out.splitlines()]

    def cells(row: list[str]) -> list[str]:
        return [cell.strip() for cell in row]

    async def work() -> None:
        settings = {"bootstrap.servers": three.bootstrap, "transactional.id": topic}
        async with Producer(settings) as producer:
            await producer.init_transactions()
            producer.begin_transaction()
            await (await producer.send(topic, b"open", partition=0))
            await trio.to_thread.run_sync(look)
            with pytest.raises((ProducerFenced, MustAbort)):
                await producer.commit_transaction()

    def look() -> None:
        rows = shown("list", "--transactional-id-pattern", f"{topic}.*")
        assert cells(rows[0])[:4] == [
            *("TransactionalId", "Coordinator", "ProducerId", "TransactionState")
        ]
        assert cells(rows[1])[0] == topic
        assert cells(rows[1])[3] == "Ongoing"
        described = cells(shown("describe", "--transactional-id", topic)[1])
        assert described[4] == "Ongoing"
        assert described[8] == f"{topic}-0"
        producers = shown("describe-producers", "--topic", topic, "--partition", "0")
        assert cells(producers[1])[5] == "0"
        limit = ("--max-transaction-timeout", "-1")
        assert len(shown("find-hanging", "--topic", topic, *limit)) == 1
        shown("forceTerminateTransaction", "--transactionalId", topic)
        after = cells(shown("describe-producers", "--topic", topic, "--partition", "0")[1])
        assert after[5] == "None"

    trio.run(work)


def test_librdkafka(three: LocalCluster, topic: str) -> None:
    confluent = pytest.importorskip("confluent_kafka")
    create(three, topic)
    producer = confluent.Producer(
        {"bootstrap.servers": three.bootstrap, "transactional.id": topic, "log_level": 0}
    )
    producer.init_transactions(20)
    for word, end in ((b"a", True), (b"b", False), (b"c", True)):
        producer.begin_transaction()
        producer.produce(topic, word, partition=0)
        producer.flush(10)
        if end:
            producer.commit_transaction(20)
        else:
            producer.abort_transaction(20)
    assert trio.run(committed, three, topic, 2) == [b"a", b"c"]
    reader = confluent.Consumer(
        {
            "bootstrap.servers": three.bootstrap,
            "group.id": topic,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    reader.assign([confluent.TopicPartition(topic, 0, 0)])
    values = [message.value() for message in reader.consume(2, 20)]
    reader.close()
    assert values == [b"a", b"c"]


def test_aiokafka(three: LocalCluster, topic: str) -> None:
    aiokafka = pytest.importorskip("aiokafka")
    create(three, topic)

    async def work() -> list[Any]:
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=three.bootstrap, transactional_id=topic
        )
        async with producer:
            async with producer.transaction():
                await producer.send_and_wait(topic, b"a", partition=0)
            with pytest.raises(LookupError):
                async with producer.transaction():
                    await producer.send_and_wait(topic, b"b", partition=0)
                    raise LookupError
            async with producer.transaction():
                await producer.send_and_wait(topic, b"c", partition=0)
        consumer = aiokafka.AIOKafkaConsumer(
            topic,
            bootstrap_servers=three.bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        async with consumer:
            return [(await consumer.getone()).value for _ in range(2)]

    assert asyncio.run(work()) == [b"a", b"c"]


def test_kafka_python(three: LocalCluster, topic: str) -> None:
    kafka = pytest.importorskip("kafka")
    create(three, topic)
    producer = kafka.KafkaProducer(
        bootstrap_servers=three.bootstrap.split(","), transactional_id=f"tx-{uuid.uuid4().hex}"
    )
    producer.init_transactions()
    for word, end in ((b"a", True), (b"b", False), (b"c", True)):
        producer.begin_transaction()
        producer.send(topic, word, partition=0).get(20)
        if end:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.close()
    assert trio.run(committed, three, topic, 2) == [b"a", b"c"]
