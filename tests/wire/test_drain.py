"""Draining real brokers: alive, dead, interrupted, throttled; and new topics meanwhile."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from raftka.testing import Cluster

RECORDS = 400


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    settings = {"broker.session.timeout.ms": 3000, "offsets.topic.replication.factor": 3}
    with Cluster(nodes=4, settings=settings) as made:
        made.create_topic("t", partitions=6, replication_factor=3)
        made.create_topic("single", partitions=4, replication_factor=1)
        producer = Producer({"bootstrap.servers": made.bootstrap_servers, "acks": "all"})
        for number in range(RECORDS):
            producer.produce("t", b"x" * 1000, partition=number % 6)
        assert producer.flush(20) == 0
        yield made


def raftka(cluster: Cluster, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "raftka", *words, "--bootstrap-server", alive(cluster)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def alive(cluster: Cluster) -> str:
    """The address of a broker that is certainly alive."""
    return ",".join(cluster.bootstrap_servers.split(",")[:3])


def places(cluster: Cluster) -> dict[tuple[str, int], list[int]]:
    admin = AdminClient({"bootstrap.servers": alive(cluster)})
    return {
        (name, index): list(partition.replicas)
        for name, topic in admin.list_topics(timeout=10).topics.items()
        for index, partition in topic.partitions.items()
    }


def on_four(cluster: Cluster) -> list[tuple[str, int]]:
    return [which for which, replicas in places(cluster).items() if 4 in replicas]


def written(cluster: Cluster) -> int:
    found = raftka(cluster, "get-offsets", "--topic", "t")
    return sum(int(line.rpartition(":")[2]) for line in found.stdout.split())


def test_a_live_broker_is_drained_and_stays_empty(cluster: Cluster) -> None:
    before = places(cluster)
    shown = raftka(cluster, "drain", "4", "--dry-run")
    assert shown.returncode == 0 and "Nothing was changed" in shown.stdout, shown.stderr
    assert places(cluster) == before

    done = raftka(cluster, "drain", "4", "--throttle", "10000000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No replica is on broker 4 any longer" in done.stdout
    assert on_four(cluster) == []
    assert {which: len(each) for which, each in places(cluster).items()} == {
        which: len(each) for which, each in before.items()
    }
    assert written(cluster) == RECORDS
    for kind, name in (("topics", "t"), ("brokers", "1")):
        words = ("--entity-type", kind, "--entity-name", name, "--describe")
        assert "throttled" not in raftka(cluster, "configs", *words).stdout, "throttles are lifted"

    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    for future in admin.create_topics([NewTopic("later", 12, 2)]).values():
        future.result(10)
    assert on_four(cluster) == [], "a cordoned broker gets nothing new"
    again = raftka(cluster, "drain", "4")
    assert again.returncode == 0 and "0 partitions begin to move" in again.stdout

    back = raftka(cluster, "drain", "4", "--cancel")
    assert back.returncode == 0 and "may get new replicas again" in back.stdout, back.stderr
    deadline = time.monotonic() + 10
    while on_four(cluster) == []:
        name = f"back-{time.monotonic_ns()}"
        for future in admin.create_topics([NewTopic(name, 12, 2)]).values():
            future.result(10)
        assert time.monotonic() < deadline


def test_a_dead_broker_is_drained_and_the_command_may_be_killed(cluster: Cluster) -> None:
    kept = {which for which in on_four(cluster) if which[0] != "single"}
    cluster.kill(4)
    begun = raftka(cluster, "drain", "4", "--no-wait", "--throttle", "2000")
    assert begun.returncode == 0, begun.stdout + begun.stderr
    waiting = subprocess.Popen(
        [*(sys.executable, "-m", "raftka", "drain", "4"), "--bootstrap-server", alive(cluster)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert waiting.stdout is not None
    waiting.stdout.readline()
    waiting.kill()
    waiting.communicate(timeout=10)
    controller = cluster.controller()
    cluster.kill(controller)
    cluster.restart(controller)
    last = raftka(cluster, "drain", "4", "--throttle", "100000000")
    assert last.returncode == 1, "the only replica of some partitions died with the broker"
    assert "their records are nowhere else" in last.stderr and "single-" in last.stderr
    assert not kept & set(on_four(cluster))
    assert written(cluster) == RECORDS


def test_one_broker_replaces_another(cluster: Cluster) -> None:
    drained = raftka(cluster, "drain", "4")
    assert drained.returncode == 0, drained.stderr
    before = places(cluster)
    refused = raftka(cluster, "replace", "3", "4")
    assert refused.returncode == 1 and "cordoned" in refused.stderr, refused.stderr
    assert raftka(cluster, "drain", "4", "--cancel").returncode == 0
    replaced = raftka(cluster, "replace", "3", "4")
    assert replaced.returncode == 0, replaced.stdout + replaced.stderr
    expected = {
        which: [4 if each == 3 else each for each in replicas] for which, replicas in before.items()
    }
    assert places(cluster) == expected
    assert written(cluster) == RECORDS


def test_what_cannot_be_is_said_before_anything_changes(cluster: Cluster) -> None:
    before = places(cluster)
    for words, error in (
        (("drain", "4", "3"), "would have no broker for one of them"),
        (("drain", "9"), "There is no broker 9; there are 1, 2, 3, 4"),
        (("drain", "4", "--to", "7"), "There is no broker 7"),
        (("drain",), "give the id of the broker"),
        (("drain", "x"), "named by their ids"),
        (("replace", "3"), "give both brokers"),
        (("replace", "3", "3"), "cannot replace itself"),
    ):
        refused = raftka(cluster, *words)
        assert refused.returncode == 1 and error in refused.stderr, (words, refused.stderr)
    assert places(cluster) == before
