"""Three real nodes with default settings: their flight recorders after a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from raftka.local_cluster import LocalCluster
from raftka.tracing.kinds import COMMON, KINDS
from tests.support.processes import Load, partitions, until
from tests.wire.test_cluster_life import SETTINGS, create

pytestmark = pytest.mark.wire


def traced(*nodes: Path | str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "raftka", "trace", *map(str, nodes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_kill_is_told_from_the_broken_link_to_the_first_acknowledgement(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster", settings=SETTINGS) as cluster:
        cluster.start(60)
        create(cluster.ports[1], "recorded", [3, 1, 2])
        with Load(cluster.bootstrap, "recorded") as load:
            load.progress()
            killed = time.time()
            cluster.kill(3)
            until(
                lambda: partitions(cluster.ports[1], "recorded")[0].leader_id in (1, 2), "a leader"
            )
            load.progress()
        running = traced(*(cluster.data(node) for node in cluster.node_ids))
        cluster.start_node(3, 60)
        third = f"127.0.0.1:{cluster.ports[3]}"
        events = traced(third, cluster.config_path(1), cluster.data(2))
    for event in events:
        kind = KINDS[event["kind"]]
        fields = set(event) - set(COMMON)
        assert set(kind.fields) <= fields, event
        assert kind.is_open or fields <= {*kind.fields, *kind.optional}, event
        assert all(
            cause < event["id"] for cause in (event.get("cause", 0), *event.get("after", ()))
        )
    times = [event["t"] for event in events]
    assert times == sorted(times)
    lives = [e for e in events if e["kind"] == "start" and e["node"] == "n3"]
    assert len(lives) == 2, "the file outlives a kill, and the next process goes on with it"
    by_id = {event["id"]: event for event in running}
    unix_s = running[0]["unix_s"]
    ack = [e for e in running if e["kind"] == "first-ack" and e["partition"] == "recorded-0"][-1]
    elected = by_id[ack["cause"]]
    assert (elected["kind"], elected["leader"] in (1, 2)) == ("leader-elected", True)
    assert "was fenced" in elected["reason"]
    fenced = by_id[elected["cause"]]
    assert (fenced["kind"], fenced["broker"]) == ("broker-fenced", 3)
    lost = by_id[fenced["cause"]]
    assert (lost["kind"], lost["peer"]) == ("connection-lost", "n3")
    assert killed < unix_s + lost["t"] < unix_s + ack["t"] < killed + 10
    epochs = [(e["partition"], e["epoch"]) for e in running if e["kind"] == "leader-elected"]
    assert len(epochs) == len(set(epochs)), "an election that all nodes saw is one event"


def test_elections_name_an_operators_kill_and_stop(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster", settings=SETTINGS) as cluster:
        cluster.start(60)
        create(cluster.ports[1], "told", [3, 1, 2])
        with Load(cluster.bootstrap, "told") as load:
            load.progress()
            killed = time.time()
            cluster.kill(3)
            until(lambda: partitions(cluster.ports[1], "told")[0].leader_id in (1, 2), "a leader")
            load.progress()
        running = elections("--bootstrap-server", f"127.0.0.1:{cluster.ports[1]}", "--last", "0")
        stopped = time.time()
        for node in (1, 2):
            cluster.stop_node(node)
        found = elections(str(cluster.data(1)), "--partition", "told-0")
    assert next(each["leader"] for each in running if "told-0" in each["partitions"]) == 3
    after_kill = next(each for each in found if each["before"] == 3)
    assert after_kill["cause"] == "the connection broke and the port is refused"
    assert killed < after_kill["noticed_s"] <= after_kill["at_s"] < killed + 10
    assert after_kill["leader"] in (1, 2)
    if after_kill["leader"] == 1:
        moved = next(each for each in found if each["before"] == 1)
        assert moved["cause"] == "an operator stopped the broker"
        assert stopped < moved["at_s"] < stopped + 10


def test_a_node_that_stood_still_is_named_with_the_moment_from_another_machine(
    tmp_path: Path,
) -> None:
    """Asked over the network alone, as for brokers on other machines."""
    with LocalCluster(tmp_path / "cluster", settings=SETTINGS) as cluster:
        cluster.start(60)
        create(cluster.ports[1], "paused", [3, 1, 2])
        asked = ("--bootstrap-server", f"127.0.0.1:{cluster.ports[1]}", "--partition", "paused-0")
        with Load(cluster.bootstrap, "paused") as load:
            load.progress()
            stopped = time.time()
            cluster.processes[3].send_signal(signal.SIGSTOP)
            until(lambda: partitions(cluster.ports[1], "paused")[0].leader_id in (1, 2), "a leader")
            cluster.processes[3].send_signal(signal.SIGCONT)
            load.progress()
            until(lambda: partitions(cluster.ports[1], "paused")[0].leader_id == 3, "it is back")
        moved = next(each for each in elections(*asked) if each["before"] == 3)
    assert moved["cause"] == "heartbeats were missed: n3 did not run"
    assert abs(moved["noticed_s"] - stopped) < 0.25, "half a heartbeat, on a machine that is busy"


def test_elections_of_a_large_batch_are_told_from_another_machine(tmp_path: Path) -> None:
    """A recorder has 200 partitions of a batch, the metadata log all of them."""
    many = 230
    with LocalCluster(tmp_path / "cluster", settings=SETTINGS) as cluster:
        cluster.start(60)
        create(cluster.ports[1], "many", *([3, 1, 2] for _ in range(many)))
        until(lambda: len(partitions(cluster.ports[1], "many")) == many, "its partitions")
        cluster.kill(3)
        until(
            lambda: all(p.leader_id == 1 for p in partitions(cluster.ports[1], "many").values()),
            "leaders",
        )
        broker, controller = cluster.ports[1], cluster.controller_ports[1]
        asked = elections("--bootstrap-server", f"127.0.0.1:{broker}", "--last", "0")
        last = ("--last", "1", "--partition", f"many-{many - 1}")
        by_controller = elections("--bootstrap-controller", f"127.0.0.1:{controller}", *last)
    told = [each for each in asked if each["kind"] == "partition" and each["before"] == 3]
    assert sum(len(each["partitions"]) for each in told) == many
    moved = told[0]
    assert moved["cause"] == "the connection broke and the port is refused"
    (found,) = by_controller
    assert (found["before"], found["leader"], found["cause"]) == (3, 1, moved["cause"])
    assert len(found["chain"]) >= 3


def elections(*arguments: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "raftka", "elections", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_is_no_recorders_place_is_refused_in_words(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "raftka", "trace", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "has no flight-recorder; name a node's address (HOST:PORT)" in done.stderr
    command[-1] = "127.0.0.1:1"
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "127.0.0.1:1: Connection refused" in done.stderr


def test_a_node_without_a_place_for_it_runs_all_the_same(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster", nodes=1, settings=SETTINGS) as cluster:
        cluster.write_properties(1)
        cluster.format(1)
        (cluster.data(1) / "flight-recorder").mkdir()
        cluster.launch(1)
        cluster.await_ready(1, 30)
        assert "there is no flight recorder" in cluster.log(1)
        assert cluster.stop_node(1) in (0, -signal.SIGTERM)
