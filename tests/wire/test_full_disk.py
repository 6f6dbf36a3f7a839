"""A real node whose reserve is reached: it refuses producers with a reason, and serves readers."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from raftka.testing import Cluster
from tests.wire.test_telemetry_wire import tool


def sent(cluster: Cluster) -> KafkaError | None:
    """The outcome of one record."""
    outcome: list[KafkaError | None] = []
    producer = Producer(
        {"bootstrap.servers": cluster.bootstrap, "message.timeout.ms": 1500, "log_level": 0}
    )
    producer.produce("t", b"x", on_delivery=lambda error, _: outcome.append(error))
    producer.flush(20)
    return outcome[0]


def test_producers_are_refused_while_only_the_reserve_is_left() -> None:
    name = "raftka.log.dirs.reserve.bytes"
    with Cluster() as cluster:
        cluster.create_topic("t")
        assert sent(cluster) is None
        alter = ("configs", "--entity-type", "brokers", "--entity-default", "--alter")
        assert tool(cluster, *alter, "--add-config", f"{name}={1 << 60}").returncode == 0
        deadline = time.monotonic() + 10
        while sent(cluster) is None:
            assert time.monotonic() < deadline
        assert "takes no records until there is room again" in cluster.log(1)
        consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "g"})
        consumer.assign([TopicPartition("t", 0, 0)])
        record = consumer.poll(10)
        assert record is not None and record.value() == b"x", "readers are served"
        consumer.commit(message=record, asynchronous=False)
        consumer.close()
        # It also starts so.
        assert cluster.stop_node(1) == 0
        cluster.start_node(1)
        assert sent(cluster) is not None
        assert tool(cluster, *alter, "--delete-config", name).returncode == 0
        deadline = time.monotonic() + 15
        while sent(cluster) is not None:
            assert time.monotonic() < deadline
        assert "has room again" in cluster.log(1)
