"""Clients' metrics (KIP-714): librdkafka pushes them, kafka-client-metrics selects them."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from raftka.local_ports import free_ports
from raftka.testing import Cluster


@pytest.fixture(scope="module")
def node() -> Iterator[tuple[Cluster, str]]:
    """A node, and the address of its metrics."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    with Cluster(settings={"prometheus.metrics.reporter.listener": address}) as made:
        yield made, f"{address}/metrics"


def tool(cluster: Cluster, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(sys.executable, "-m", "raftka"), *words, "--bootstrap-server", cluster.bootstrap],
        capture_output=True,
        text=True,
        timeout=30,
    )


def pushed(address: str) -> dict[str, set[str]]:
    """The client ids that have pushed each metric."""
    with urllib.request.urlopen(address, timeout=10) as answer:
        text = answer.read().decode()
    return {
        family.name: {sample.labels["client_id"] for sample in family.samples}
        for family in text_string_to_metric_families(text)
        if family.name.startswith("kafka_client_")
    }


def test_a_client_is_asked_for_its_metrics_and_pushes_them(node: tuple[Cluster, str]) -> None:
    cluster, address = node
    made = tool(
        cluster,
        *("client-metrics", "--alter", "--name", "all", "--metrics", "*", "--interval", "200"),
        *("--match", "client_id=shop.*,client_software_name=confluent-kafka-python"),
    )
    assert made.returncode == 0 and made.stdout == "Altered client metrics config for all.\n"
    shown = tool(cluster, "client-metrics", "--describe", "--name", "all")
    assert shown.stdout.splitlines() == [
        "Client metrics configs for all are:",
        "  interval.ms=200",
        "  match=client_id=shop.*,client_software_name=confluent-kafka-python",
        "  metrics=*",
    ]
    assert tool(cluster, "client-metrics", "--list").stdout == "all\n"

    shop = Producer({"bootstrap.servers": cluster.bootstrap, "client.id": "shop-1"})
    other = Producer({"bootstrap.servers": cluster.bootstrap, "client.id": "other"})
    deadline = time.monotonic() + 20
    while not (found := pushed(address)):
        for producer in (shop, other):
            producer.produce("t", b"x")
            producer.flush(5)
        assert time.monotonic() < deadline, "nothing was pushed"
    assert any("producer" in name for name in found), found
    assert set().union(*found.values()) == {"shop-1"}, "the other is not asked for anything"

    gone = tool(cluster, "client-metrics", "--delete", "--name", "all")
    assert gone.returncode == 0 and gone.stdout == "Deleted client metrics config for all.\n"
    assert tool(cluster, "client-metrics", "--list").stdout == ""


def test_wrong_subscriptions_are_put_into_words(node: tuple[Cluster, str]) -> None:
    cluster, _ = node
    for words, error in (
        (("--alter", "--name", "a", "--interval", "7"), "between 100 and 3600000"),
        (("--alter", "--name", "a", "--match", "shoe=x"), "Illegal client matching pattern"),
        (("--alter", "--interval", "700"), "--name or --generate-name"),
        (("--alter", "--name", "a"), "At least one of --interval"),
        (("--delete",), "must be specified with --delete"),
        ((), "exactly one action"),
    ):
        refused = tool(cluster, "client-metrics", *words)
        assert refused.returncode == 1 and error in refused.stderr, (words, refused.stderr)
    assert tool(cluster, "client-metrics", "--list").stdout == ""
