"""Transactions of third-party producers on three processes, one of which is killed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from kafka import KafkaConsumer, KafkaProducer

from raftka.local_cluster import LocalCluster

pytestmark = pytest.mark.wire

INPUTS = 600


def producer_of(cluster: LocalCluster, transactional_id: str) -> Producer:
    producer = Producer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": 30_000,
        }
    )
    producer.init_transactions(30)
    return producer


def consumer_of(cluster: LocalCluster, group: str, isolation: str = "read_committed") -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": isolation,
        }
    )


def read(cluster: LocalCluster, topic: str, isolation: str, enough: int) -> list[str]:
    """Values of a topic, until there are enough, plus a short wait for more."""
    consumer = consumer_of(cluster, f"{topic}-{isolation}", isolation)
    consumer.subscribe([topic])
    found: list[str] = []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        messages = consumer.consume(500, timeout=0.3)
        found += [(m.value() or b"").decode() for m in messages if not m.error()]
        if len(found) >= enough:
            deadline = min(deadline, time.monotonic() + 1)
    consumer.close()
    return found


def test_only_what_is_committed_is_read(three: LocalCluster, topic: str) -> None:
    producer = producer_of(three, f"id-{topic}")
    for number, commits in enumerate((True, False, True)):
        producer.begin_transaction()
        for item in range(20):
            producer.produce(topic, f"{number}-{item}", key=str(item))
        producer.flush(20)
        if commits:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
    committed = read(three, topic, "read_committed", 40)
    assert Counter(value[0] for value in committed) == {"0": 20, "2": 20}
    assert len(read(three, topic, "read_uncommitted", 60)) == 60


def test_a_successor_fences_a_zombie(three: LocalCluster, topic: str) -> None:
    zombie = producer_of(three, f"id-{topic}")
    zombie.begin_transaction()
    zombie.produce(topic, "zombie")
    zombie.flush(20)
    successor = producer_of(three, f"id-{topic}")
    with pytest.raises(KafkaException) as fenced:
        zombie.commit_transaction(30)
    assert fenced.value.args[0].fatal()
    successor.begin_transaction()
    successor.produce(topic, "successor")
    successor.commit_transaction(30)
    assert read(three, topic, "read_committed", 1) == ["successor"]


def test_kafka_python_commits_and_aborts(three: LocalCluster, topic: str) -> None:
    producer = KafkaProducer(
        bootstrap_servers=three.bootstrap.split(","), transactional_id=f"kp-{topic}"
    )
    producer.init_transactions()
    for value, commits in ((b"kept", True), (b"dropped", False), (b"kept too", True)):
        producer.begin_transaction()
        producer.send(topic, value, key=b"k").get(timeout=30)
        if commits:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.close()
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=three.bootstrap.split(","),
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        consumer_timeout_ms=5_000,
    )
    assert [record.value for record in consumer] == [b"kept", b"kept too"]
    consumer.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LocalCluster]:
    """Three nodes of this test's own, since one of them is killed."""
    settings = {
        "group.initial.rebalance.delay.ms": "0",
        "default.replication.factor": "3",
        "min.insync.replicas": "2",
    }
    with LocalCluster(tmp_path, nodes=3, settings=settings) as cluster:
        cluster.start()
        yield cluster


def test_exactly_once_while_a_broker_is_killed(own: LocalCluster) -> None:
    plain = Producer({"bootstrap.servers": own.bootstrap, "enable.idempotence": True})
    for number in range(INPUTS):
        plain.produce("in", str(number), key=str(number % 7))
    assert plain.flush(60) == 0
    killer = threading.Timer(1.0, own.kill, (2,))
    killer.start()
    deadline = time.monotonic() + 120
    while not transform(own) and time.monotonic() < deadline:
        pass
    killer.join()
    found = Counter(read(own, "out", "read_committed", INPUTS))
    assert found == Counter(str(number) for number in range(INPUTS))


def transform(cluster: LocalCluster) -> bool:
    """Copy from `in` to `out`; False when the worker must begin again."""
    consumer = consumer_of(cluster, "transform")
    try:
        producer = producer_of(cluster, "transform")
        consumer.subscribe(["in"])
        while True:
            messages = [m for m in consumer.consume(20, timeout=1.0) if not m.error()]
            if not messages:
                (position,) = consumer.committed([TopicPartition("in", 0)], 20)
                if position.offset >= INPUTS:
                    return True
                continue
            producer.begin_transaction()
            for message in messages:
                producer.produce("out", message.value(), key=message.key())
            producer.send_offsets_to_transaction(
                consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 60
            )
            producer.commit_transaction(60)
    except KafkaException:
        return False
    finally:
        consumer.close()
