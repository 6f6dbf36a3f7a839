"""Compacted topics on a real node: clients' reads, and groups that outlive a cleaning."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import confluent_kafka
import kafka
import pytest

from raftka.client.consumer import Consumer
from raftka.testing import Cluster

pytestmark = pytest.mark.wire

MEGABYTE = str(1 << 20)
SETTINGS = {
    "log.cleaner.backoff.ms": "100",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.segment.bytes": MEGABYTE,
    "log.cleaner.min.cleanable.ratio": "0.01",
}


def until(condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"{what} within {timeout_s} s"
        time.sleep(0.05)


def cleaned(cluster: Cluster, topic: str) -> Callable[[], bool]:
    """Whether the cleaner has cleaned the topic."""

    def check() -> bool:
        paths = cluster.directory.rglob("cleaner-offset-checkpoint")
        lines = [line for path in paths for line in path.read_text().splitlines()]
        return any(line.split()[0] == topic for line in lines)

    return check


async def test_clients_read_a_compacted_topic_and_its_keys_are_the_last() -> None:
    with Cluster(1, settings=SETTINGS) as cluster:
        cluster.create_topic(
            "table", configs={"cleanup.policy": "compact", "segment.bytes": MEGABYTE}
        )
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": cluster.bootstrap_servers, "enable.idempotence": True}
        )
        for number in range(2500):
            producer.produce("table", key=f"k{number % 10}", value=f"{number} ".ljust(1000))
            if number % 50 == 0:
                producer.flush(20)
        assert producer.flush(20) == 0
        until(cleaned(cluster, "table"), "the topic is cleaned")

        expected = {f"k{n}".encode(): 2490 + n for n in range(10)}
        readers: list[Callable[[], list[tuple[int, bytes]]]] = [
            lambda: _by_confluent(cluster),
            lambda: _by_kafka_python(cluster),
        ]
        seen = [await _by_us(cluster), *(read() for read in readers)]
        for found in seen:
            assert {key: offset for offset, key in found} == expected
            assert len(found) < 2000, "superseded records are gone"
            assert [offset for offset, _ in found] == sorted(offset for offset, _ in found)
        assert seen[0] == seen[1] == seen[2]


def _by_confluent(cluster: Cluster) -> list[tuple[int, bytes]]:
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": cluster.bootstrap_servers, "group.id": "reader"}
    )
    consumer.assign([confluent_kafka.TopicPartition("table", 0, 0)])
    found: list[tuple[int, bytes]] = []
    while not found or found[-1][0] < 2499:
        found += [(m.offset() or 0, m.key() or b"") for m in consumer.consume(500, timeout=1.0)]
    consumer.close()
    return found


def _by_kafka_python(cluster: Cluster) -> list[tuple[int, bytes]]:
    consumer = kafka.KafkaConsumer(bootstrap_servers=[cluster.bootstrap_servers])
    place = kafka.TopicPartition("table", 0)
    consumer.assign([place])
    consumer.seek(place, 0)
    found: list[tuple[int, bytes]] = []
    while not found or found[-1][0] < 2499:
        for records in consumer.poll(timeout_ms=1000).values():
            found += [(record.offset, record.key) for record in records]
    consumer.close()
    return found


async def _by_us(cluster: Cluster) -> list[tuple[int, bytes]]:
    settings = {
        "bootstrap.servers": cluster.bootstrap_servers,
        "group.id": "ours",
        "auto.offset.reset": "earliest",
    }
    found: list[tuple[int, bytes]] = []
    async with Consumer(settings) as consumer:
        consumer.subscribe(["table"])
        while not found or found[-1][0] < 2499:
            for record in await consumer.poll(1.0):
                assert record.key is not None
                found.append((record.offset, record.key))
    return found


def test_a_group_finds_its_offset_after_its_log_was_compacted() -> None:
    with Cluster(1, settings=SETTINGS) as cluster:
        cluster.create_topic("input")
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": cluster.bootstrap_servers, "group.id": "g"}
        )
        for offset in range(600):
            place = confluent_kafka.TopicPartition("input", 0, offset, "m" * 4000)
            consumer.commit(offsets=[place], asynchronous=False)
        until(cleaned(cluster, "__consumer_offsets"), "the offsets topic is cleaned")
        folder = next(cluster.directory.rglob("__consumer_offsets-0"))
        size = sum(path.stat().st_size for path in folder.glob("*.log"))
        assert size < 1_500_000, "of 2.4 MB that were written"
        consumer.close()
        cluster.restart(1)
        again = confluent_kafka.Consumer(
            {"bootstrap.servers": cluster.bootstrap_servers, "group.id": "g"}
        )
        (found,) = again.committed([confluent_kafka.TopicPartition("input", 0)], timeout=20)
        assert found.offset == 599
        again.close()
