"""confluent-kafka, kafka-python and aiokafka at their defaults: produce, consume, administer."""

from __future__ import annotations

import asyncio
from typing import Any

import confluent_kafka
import confluent_kafka.admin as untyped_admin
import kafka
import kafka.admin
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from raftka.local_cluster import LocalCluster

pytestmark = pytest.mark.wire

confluent_admin: Any = untyped_admin
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
VALUES = [f"value {i}".encode() + b"." * 40 for i in range(300)]


@pytest.mark.parametrize("codec", CODECS)
def test_confluent_kafka(three: LocalCluster, topic: str, codec: str) -> None:
    errors: list[Any] = []
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": three.bootstrap, "compression.type": codec}
    )
    for value in VALUES:
        producer.produce(
            topic, value, key=b"k", headers={"h": b"1"},
            on_delivery=lambda error, _: errors.append(error) if error else None,
        )  # fmt: skip
    assert producer.flush(30) == 0
    assert errors == []
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": three.bootstrap,
            "group.id": f"g-{topic}",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    found: list[bytes | None] = []
    for _ in range(100):
        found += [m.value() for m in consumer.consume(1000, timeout=0.3) if not m.error()]
        if len(found) >= len(VALUES):
            break
    consumer.close()
    assert found == VALUES


@pytest.mark.parametrize("codec", CODECS)
def test_kafka_python(three: LocalCluster, topic: str, codec: str) -> None:
    producer = kafka.KafkaProducer(
        bootstrap_servers=three.bootstrap.split(","),
        compression_type=None if codec == "none" else codec,
    )
    futures = [producer.send(topic, value, key=b"k") for value in VALUES]
    offsets = [future.get(timeout=30).offset for future in futures]
    producer.close()
    assert offsets == list(range(len(VALUES)))
    consumer = kafka.KafkaConsumer(
        topic,
        bootstrap_servers=three.bootstrap.split(","),
        group_id=f"g-{topic}",
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
    )
    found = []
    for record in consumer:
        found.append(record.value)
        if len(found) == len(VALUES):
            break
    consumer.close()
    assert found == VALUES


@pytest.mark.parametrize("codec", CODECS)
def test_aiokafka(three: LocalCluster, topic: str, codec: str) -> None:
    async def talk() -> list[bytes]:
        async with AIOKafkaProducer(
            bootstrap_servers=three.bootstrap,
            compression_type=None if codec == "none" else codec,
        ) as producer:
            for value in VALUES:
                await producer.send(topic, value, key=b"k")
            await producer.flush()
        found: list[bytes] = []
        async with AIOKafkaConsumer(
            topic,
            bootstrap_servers=three.bootstrap,
            group_id=f"g-{topic}",
            auto_offset_reset="earliest",
        ) as consumer:
            async for record in consumer:
                found.append(record.value)
                if len(found) == len(VALUES):
                    break
        return found

    assert asyncio.run(talk()) == VALUES


def test_quiet_partitions_that_have_no_room_beside_each_other(
    single: LocalCluster, topic: str
) -> None:
    """Each batch is larger than what the consumer has room for, and no more is produced."""
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=single.bootstrap)
    admin.create_topics([kafka.admin.NewTopic(topic, num_partitions=2, replication_factor=1)])
    admin.close()
    producer = kafka.KafkaProducer(bootstrap_servers=single.bootstrap)
    for index in range(2):
        producer.send(topic, b"x" * 2000, partition=index)
    producer.close()
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=single.bootstrap, auto_offset_reset="earliest", fetch_max_bytes=300
    )
    consumer.assign([kafka.TopicPartition(topic, index) for index in range(2)])
    found: set[int] = set()
    for _ in range(20):
        found |= {partition.partition for partition in consumer.poll(timeout_ms=500)}
        if len(found) == 2:
            break
    consumer.close()
    assert found == {0, 1}


def test_confluent_admin(three: LocalCluster, topic: str) -> None:
    admin = confluent_admin.AdminClient({"bootstrap.servers": three.bootstrap})
    new = confluent_admin.NewTopic(topic, 4, 3, config={"retention.ms": "1000000"})
    admin.create_topics([new])[topic].result(10)
    described = admin.list_topics(topic, timeout=10).topics[topic]
    assert sorted(described.partitions) == [0, 1, 2, 3]
    assert all(len(p.isrs) == 3 for p in described.partitions.values())
    entry = confluent_admin.ConfigEntry(
        "retention.ms", "5000", incremental_operation=confluent_admin.AlterConfigOpType.SET
    )
    resource = confluent_admin.ConfigResource("topic", topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(10)
    found = admin.describe_configs([resource])[resource].result(10)
    assert found["retention.ms"].value == "5000"
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        admin.create_topics([new])[topic].result(10)
    code = refused.value.args[0].code()
    assert code == confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS
    admin.delete_topics([topic])[topic].result(10)
    assert topic not in admin.list_topics(timeout=10).topics


def test_kafka_python_admin(three: LocalCluster, topic: str) -> None:
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=three.bootstrap.split(","))
    admin.create_topics([kafka.admin.NewTopic(topic, num_partitions=2, replication_factor=2)])
    assert topic in admin.list_topics()
    admin.create_partitions({topic: kafka.admin.NewPartitions(total_count=5)})
    described = admin.describe_topics([topic])
    assert len(described[0]["partitions"]) == 5
    admin.delete_topics([topic])
    assert topic not in admin.list_topics()
    admin.close()


def test_an_idempotent_producer(three: LocalCluster, topic: str) -> None:
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": three.bootstrap, "enable.idempotence": True}
    )
    failed: list[Any] = []
    for value in VALUES:
        producer.produce(topic, value, on_delivery=lambda e, _: failed.append(e) if e else None)
    assert producer.flush(30) == 0
    assert failed == []
