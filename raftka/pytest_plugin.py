"""Fixtures for tests that need a real broker; pytest finds them once raftka is installed.

    def test_orders(raftka_broker):
        producer = KafkaProducer(bootstrap_servers=raftka_broker.bootstrap)

A broker is a process of its own, on ports of its own, and ends with the session.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from raftka.local_cluster import LocalCluster

_SETTINGS = {
    # Nobody waits in a test for members that do not come, or for partitions nobody needs.
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "4",
}


@pytest.fixture(scope="session")
def raftka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One node that answers; `.bootstrap` is its address."""
    with LocalCluster(tmp_path_factory.mktemp("raftka"), nodes=1, settings=_SETTINGS) as cluster:
        cluster.start()
        yield cluster


@pytest.fixture(scope="session")
def raftka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Three nodes; `.kill(2)`, `.start_node(2)` and `.stop_node(2)` break and mend them."""
    with LocalCluster(tmp_path_factory.mktemp("raftka"), nodes=3, settings=_SETTINGS) as cluster:
        cluster.start()
        yield cluster
