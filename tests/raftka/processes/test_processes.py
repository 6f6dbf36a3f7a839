"""Several nodes from one configuration: their settings, and their common life."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka.admin
import pytest

from raftka.configuration import SINGLE_NODE
from raftka.local_ports import free_ports
from raftka.processes.plan import plan
from tests.support.processes import until

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "2",
    "listeners": "PLAINTEXT://10.0.0.2:9092,CONTROLLER://10.0.0.2:9093,SSL://:0",
    "advertised.listeners": "PLAINTEXT://b.example:19092",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@10.0.0.1:9093,2@10.0.0.2:9093",
    "log.dirs": "/one, /two/",
    "prometheus.metrics.reporter.listener": "http://:9404",
}


def test_further_processes_are_brokers_beside_the_first() -> None:
    first, second, third = plan(SETTINGS, 3)
    assert first == {**SETTINGS, "broker.rack": "machine-2"}
    assert {name for name in second if second[name] != first[name]} == {
        "node.id",
        "process.roles",
        "listeners",
        "advertised.listeners",
        "log.dirs",
        "prometheus.metrics.reporter.listener",
    }
    assert (second["node.id"], third["node.id"]) == ("1002", "2002")
    assert second["process.roles"] == "broker"
    assert second["listeners"] == "PLAINTEXT://10.0.0.2:9102,SSL://:0"
    assert third["advertised.listeners"] == "PLAINTEXT://b.example:19112"
    assert second["log.dirs"] == "/one-1,/two-1"
    assert third["prometheus.metrics.reporter.listener"] == "http://:9424"


def test_defaults_are_counted_from_too() -> None:
    first, second = plan({"process.roles": "broker", "broker.id": "7", "broker.rack": "r"}, 2)
    assert first["log.dirs"] == "/tmp/kafka-logs"
    assert second["log.dirs"] == "/tmp/kafka-logs-1"
    assert (second["node.id"], second["listeners"]) == ("1007", "PLAINTEXT://:9102")
    assert second["broker.rack"] == "r"
    assert "broker.id" not in second


@pytest.mark.parametrize(
    ("settings", "processes", "words"),
    [
        (SETTINGS, 0, "from 1 to 64, not 0"),
        (SETTINGS, 65, "from 1 to 64, not 65"),
        ({**SETTINGS, "process.roles": "controller"}, 2, "process.roles names none"),
        ({**SETTINGS, "node.id": "one"}, 2, "needs a node.id to count from, not 'one'"),
        ({**SETTINGS, "listeners": "PLAINTEXT"}, 2, "'PLAINTEXT' in listeners has no port"),
    ],
)
def test_what_cannot_be_shared_out(settings: dict[str, str], processes: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        plan(settings, processes)


class Machine:
    """`raftka server --processes 2`, and what it prints."""

    def __init__(self, directory: Path, **changes: str) -> None:
        self.port = next(port for port in free_ports(40) if port % 10 < 5)
        self.log = directory / "log"
        self.temporary = directory / "temporary"
        self.temporary.mkdir()
        file = directory / "server.properties"
        settings = {
            **SINGLE_NODE,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:0",
            "log.dirs": str(directory / "data"),
            **{name.replace("_", "."): value for name, value in changes.items()},
        }
        (controller,) = free_ports(1)
        settings = {
            n: v.replace("127.0.0.1:0", f"127.0.0.1:{controller}") for n, v in settings.items()
        }
        settings["controller.quorum.voters"] = f"1@127.0.0.1:{controller}"
        file.write_text("".join(f"{n}={v}\n" for n, v in settings.items()))
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "raftka", "server", str(file), "--dev", "--processes=2"],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(self.temporary)},
            )

    def wait_for(self, words: str, times: int = 1) -> None:
        until(lambda: self.log.read_text().count(words) >= times, words)

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.process.kill()
    made.process.wait()


@pytest.mark.wire
@pytest.mark.skipif(sys.platform != "linux", reason="finds children by /proc")
def test_nodes_live_and_stop_as_one(machine: Machine) -> None:
    machine.wait_for("nodes 1, 1001 serve under one supervisor")
    servers = f"127.0.0.1:{machine.port + 10}"
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": servers})
    assert sorted(admin.list_topics(timeout=20).brokers) == [1, 1001]
    racks = {node.rack for node in admin.describe_cluster().result(20).nodes}
    assert racks == {"machine-1"}
    children = machine.children()
    assert len(children) == 2
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    machine.wait_for("ended with -9; it is started again in 0.2 s", times=2)
    machine.wait_for("is unfenced and serves", times=4)
    machine.process.terminate()
    assert machine.process.wait(30) == 0
    ends = re.findall(r"\[node (\d+)\] node \d+ has shut down", machine.log.read_text())
    assert ends == ["1001", "1"]


@pytest.mark.wire
@pytest.mark.skipif(sys.platform != "linux", reason="finds children by /proc")
def test_nodes_stop_when_their_supervisor_is_killed(machine: Machine) -> None:
    machine.wait_for("nodes 1, 1001 serve under one supervisor")
    children = machine.children()
    machine.process.kill()
    machine.process.wait()
    machine.wait_for("has shut down", times=2)
    until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in children), "their ends")
    assert list(machine.temporary.iterdir()) == []


@pytest.mark.wire
def test_what_cannot_start_is_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    machine = Machine(tmp_path)
    assert machine.process.wait(30) == 1
    assert "raftka server: " in machine.log.read_text()
    assert "started again" not in machine.log.read_text()
