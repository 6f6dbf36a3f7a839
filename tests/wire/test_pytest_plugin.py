"""The fixtures that other people's tests get."""

from __future__ import annotations

import confluent_kafka
import pytest

from raftka.local_cluster import LocalCluster

pytestmark = pytest.mark.wire


def test_a_broker_is_a_fixture_away(raftka_broker: LocalCluster, topic: str) -> None:
    failures: list[object] = []
    producer = confluent_kafka.Producer({"bootstrap.servers": raftka_broker.bootstrap})
    producer.produce(topic, b"one", on_delivery=lambda e, _: failures.append(e) if e else None)
    assert producer.flush(20) == 0
    assert failures == []
