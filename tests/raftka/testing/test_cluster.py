"""Clusters for users' tests: they start, fail, recover, and leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import confluent_kafka
import confluent_kafka.admin
import pytest
import trio

from raftka.local_ports import free_ports
from raftka.testing import Cluster, NodeFailed, cluster_fixture
from tests.support.processes import until

pytestmark = pytest.mark.wire

QUICK_TO_NOTICE = {"broker.session.timeout.ms": 1500, "broker.heartbeat.interval.ms": 300}

quick = cluster_fixture(settings={"auto.create.topics.enable": False}, topics={"orders": 2})


def produce(servers: str, topic: str) -> None:
    failures: list[object] = []
    producer = confluent_kafka.Producer({"bootstrap.servers": servers, "log_level": 0})
    producer.produce(topic, b"one", on_delivery=lambda e, _: failures.append(e) if e else None)
    assert producer.flush(20) == 0
    assert failures == []


def test_a_broker_is_a_fixture_away(raftka_broker: Cluster, raftka_topic: str) -> None:
    produce(raftka_broker.bootstrap_servers, raftka_topic)


def test_a_fixture_has_settings_and_topics_of_its_own(quick: Cluster) -> None:
    produce(quick.bootstrap_servers, "orders")
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": quick.bootstrap_servers})
    topics = admin.list_topics(timeout=10).topics
    assert len(topics["orders"].partitions) == 2
    assert quick.isr("nobody made this") == []


def test_the_factory_makes_clusters_with_settings(raftka_factory: Callable[..., Cluster]) -> None:
    cluster = raftka_factory(settings={"num.partitions": 3})
    produce(cluster.bootstrap_servers, "made-by-the-first-record")
    assert cluster.leader("made-by-the-first-record", 2) == 1
    cluster.stop()
    assert not cluster.directory.exists()


def test_leaders_die_stand_still_and_come_back() -> None:
    with Cluster(nodes=3) as cluster:
        cluster.create_topic("orders", configs={"min.insync.replicas": 2})
        first = cluster.leader("orders")
        cluster.kill(first)
        second = cluster.leader("orders")
        assert second != first
        produce(cluster.bootstrap_servers, "orders")
        with pytest.raises(ValueError, match=f"restart\\({first}\\)"):
            cluster.kill(first)
        cluster.restart(first)
        assert cluster.wait_for_isr("orders") == [1, 2, 3]
        paused = cluster.controller()
        cluster.pause(paused)
        until(lambda: cluster.controller() != paused, "another controller")
        cluster.resume(paused)
        cluster.kill(paused)
        cluster.restart(paused)
    assert not cluster.directory.exists()


def test_a_leader_that_is_cut_off_is_replaced_and_comes_back() -> None:
    with Cluster(nodes=3, settings=QUICK_TO_NOTICE) as cluster:
        cluster.create_topic("orders", configs={"min.insync.replicas": 2})
        first = cluster.leader("orders")
        cluster.partition(first)
        until(lambda: cluster.leader("orders") != first, "another leader")
        assert cluster.wait_for_isr("orders", size=2) == sorted({1, 2, 3} - {first})
        produce(f"127.0.0.1:{cluster.ports[cluster.leader('orders')]}", "orders")
        with pytest.raises(ValueError, match="there is no node 9"):
            cluster.partition(9)
        cluster.heal()
        assert cluster.wait_for_isr("orders") == [1, 2, 3]
        produce(f"127.0.0.1:{cluster.ports[first]}", "orders")


def test_a_node_that_is_restarted_stays_cut_off() -> None:
    with Cluster(nodes=3, settings=QUICK_TO_NOTICE) as cluster:
        cluster.create_topic("orders")
        follower = min({1, 2, 3} - {cluster.controller(), cluster.leader("orders")})
        cluster.partition(follower)
        cluster.kill(follower)
        cluster.launch(follower)
        until(lambda: follower not in cluster.isr("orders"), "an ISR without it")
        with pytest.raises(NodeFailed, match="is not ready"):
            cluster.await_ready(follower, 0.1)
        cluster.heal()
        cluster.await_ready(follower)
        assert cluster.wait_for_isr("orders") == [1, 2, 3]


def test_a_slow_disk_holds_up_what_must_be_durable() -> None:
    with Cluster() as cluster:
        cluster.slow_disk(1, 0.4)
        begun = time.monotonic()
        cluster.create_topic("late")
        assert time.monotonic() - begun >= 0.4
        cluster.slow_disk(1, 0)
        cluster.create_topic("in-time")
        with pytest.raises(ValueError, match="0 seconds longer or more"):
            cluster.slow_disk(1, -1)


def test_what_cannot_start_says_why_and_leaves_nothing() -> None:
    cluster = Cluster(settings={"num.partitions": "many"})
    with pytest.raises(NodeFailed, match=r"num\.partitions"), cluster:
        pass
    assert not cluster.directory.exists()


@pytest.mark.parametrize("run", [asyncio.run, lambda made: trio.run(lambda: made)])
def test_async_with(run: Callable[..., None]) -> None:
    async def use() -> None:
        async with Cluster() as cluster:
            assert cluster.controller() == 1
            folders.append(cluster.directory)
        assert not cluster.directory.exists()

    folders: list[Path] = []
    run(use())
    assert folders


def test_ports_are_given_out_once() -> None:
    ports = free_ports(200)
    assert len(set(ports)) == 200
    script = "from raftka.local_ports import free_ports; print(*free_ports(3000))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    others = set(map(int, done.stdout.split()))
    assert len(others) == 3000 and not others & set(ports)


SUITE = """
import os, signal

def test_that_is_killed(raftka_cluster, tmp_path_factory):
    with open("pids", "w") as file:
        print(*(each.pid for each in raftka_cluster.processes.values()), file=file)
        print(raftka_cluster.directory, file=file)
    raftka_cluster.pause(2)
    {end}
"""


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os.killpg(0, signal.SIGKILL)",
        "os._exit(3)",
        "assert False",
    ],
)
def test_nothing_is_left_of_a_run_that_is_killed(end: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SUITE.format(end=end))
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        start_new_session=True,
        capture_output=True,
        timeout=60,
    )
    pids, directory = (tmp_path / "pids").read_text().splitlines()
    assert len(pids.split()) == 3
    until(lambda: not any(map(_runs, pids.split())), f"the processes {pids} have ended")
    until(lambda: not Path(directory).exists(), "the data is removed")


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
        # A process that ended and was not waited for stays as a zombie.
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_the_plugin_imports_nothing_before_a_fixture_is_used(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_nothing_is_there():\n"
        "    ours = {name for name in sys.modules if name.startswith('raftka.')}\n"
        "    assert ours <= {'raftka.pytest_plugin', 'raftka.model', 'raftka.model.version'}\n"
        "    assert 'trio' not in sys.modules\n"
    )
    plugins = ("cacheprovider", "trio", "pytest_trio", "hypothesispytest", "anyio")
    without = [word for plugin in plugins for word in ("-p", f"no:{plugin}")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *without, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_a_wrong_scope_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(raftka_broker): pass")
    (tmp_path / "pytest.ini").write_text("[pytest]\nraftka_scope = forever\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "raftka_scope is 'forever'; it is one of session" in done.stdout + done.stderr
