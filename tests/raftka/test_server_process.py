"""`raftka server` as a process: its start, its errors, its end, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raftka.client.admin import Admin, NewTopic
from raftka.client.producer import Producer
from raftka.commands import main
from raftka.configuration import SINGLE_NODE
from raftka.local_cluster import READY_LINE
from raftka.local_ports import free_ports

pytestmark = pytest.mark.wire

ROOT = Path(__file__).parent.parent.parent
ENVIRON = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


class Server:
    """One node in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, controller = free_ports(2)
        self.file = directory / "server.properties"
        self.settings = {
            **SINGLE_NODE,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(directory / "data"),
        }
        self.write()
        self.process: subprocess.Popen[str] | None = None
        self.seen: list[str] = []

    def write(self, **changes: str) -> None:
        self.settings.update({name.replace("_", "."): value for name, value in changes.items()})
        self.file.write_text("".join(f"{n}={v}\n" for n, v in self.settings.items()))

    def launch(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "raftka", "server", *arguments],
            cwd=self.directory,
            env={**ENVIRON, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self.process

    def wait_for(self, words: str) -> None:
        assert self.process is not None and self.process.stdout is not None
        for line in self.process.stdout:
            self.seen.append(line)
            if words in line:
                return
        raise AssertionError(f"{words!r} did not come:\n{''.join(self.seen)}")

    def refused(self, *arguments: str, **environ: str) -> str:
        """Why it does not start."""
        out, _ = self.launch(*arguments, **environ).communicate(timeout=20)
        assert self.process is not None and self.process.returncode == 1, out
        return out


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    process = made.process
    if process is not None:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def write_one(port: int) -> None:
    servers = {"bootstrap.servers": f"127.0.0.1:{port}"}
    async with Admin(servers) as admin:
        await admin.create_topics([NewTopic("songs", partitions=2, replication_factor=1)])
    async with Producer(servers) as producer:
        await (await producer.send("songs", b"Barco Negro", b"fado"))


async def test_a_node_formats_itself_serves_and_stops_in_order(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    process = server.launch(str(server.file), "--dev")
    server.wait_for(READY_LINE)
    await write_one(server.port)
    process.terminate()
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0, out
    assert "leadership moves first" in out
    assert "node 1 has shut down" in out
    assert (server.directory / "data" / "songs-0" / "00000000000000000000.log").exists()
    look_inside(server, capsys)


def look_inside(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """The output of `raftka metadata` about a stopped node, by directory and by file."""

    def told(*arguments: str) -> str:
        assert main(["metadata", *arguments]) == 0
        return capsys.readouterr().out

    data = str(server.directory / "data")
    summary = json.loads(told("summary", data, "--json"))
    assert (summary["topics"], summary["partitions"], summary["brokers"]) == (1, 2, "1")
    assert "TopicRecord name=songs" in told("log", str(server.file))
    assert told("ls", data, "--path", "/topics") == "songs\n"
    partition = json.loads(told("cat", data, "--path", "/topics/songs/partitions/1"))
    assert partition["replicas"] == [1]
    assert "└─ 1" in told("tree", data, "--path", "/topics/songs/partitions")
    created = next(
        record["offset"]
        for record in map(json.loads, told("log", data, "--json").splitlines())
        if record["type"] == "TopicRecord"
    )
    assert told("ls", data, "--path", "/topics", "--at", str(created - 1)) == ""
    assert main(["metadata", "ls", data, "--path", "/topics/nowhere"]) == 1
    assert "there is no /topics/nowhere" in capsys.readouterr().err
    assert main(["metadata", "summary", str(server.directory)]) == 1
    assert "__cluster_metadata-0" in capsys.readouterr().err


def test_a_node_that_finds_no_quorum_stops_when_told(server: Server) -> None:
    voters = server.settings["controller.quorum.voters"]
    server.write(controller_quorum_voters=f"{voters},2@127.0.0.1:1")
    process = server.launch(str(server.file), "--dev", CLUSTER_ID="ours")
    server.wait_for("starts node 1, broker and controller")
    process.terminate()
    process.communicate(timeout=5)
    assert process.returncode == 0


async def test_a_second_signal_ends_a_node_at_once(server: Server) -> None:
    process = server.launch(str(server.file), "--dev")
    server.wait_for(READY_LINE)
    # The first is not served yet when the second comes: both are in the same turn of the loop.
    process.send_signal(signal.SIGSTOP)
    process.terminate()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=5)
    assert process.returncode in (128 + signal.SIGTERM, 128 + signal.SIGINT)


def test_an_unformatted_directory_is_refused_in_words(server: Server) -> None:
    out = server.refused(str(server.file))
    assert f"{server.directory}/data is not formatted" in out
    assert "raftka storage format" in out
    assert "Traceback" not in out


def test_a_directory_of_another_node_is_refused_in_words(server: Server) -> None:
    main(["storage", "format", "-t", "ours", "-c", str(server.file)])
    voters = server.settings["controller.quorum.voters"].replace("1@", "5@")
    server.write(node_id="5", controller_quorum_voters=voters)
    assert "belongs to another node" in server.refused(str(server.file))


def test_wrong_settings_are_refused_in_words(server: Server) -> None:
    out = server.refused(str(server.file), "--override", "log.segmnt.bytes=5")
    assert "log.segmnt.bytes=5: there is no such setting; did you mean log.segment.bytes?" in out
    assert "num.partitions=x" in server.refused(str(server.file), KAFKA_NUM_PARTITIONS="x")
    assert "nowhere: No such file" in server.refused("nowhere")
    assert "log level" in server.refused(str(server.file), "--log-level", "loud")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"raftka.otlp.traces.endpoint": "file:///spans"},
            "raftka.otlp.traces.endpoint=file:///spans: it must be http://host/path",
        ),
        (
            {
                "listener.security.protocol.map": "PLAINTEXT:SSL,CONTROLLER:PLAINTEXT",
                "ssl.keystore.location": "/nowhere.pem",
                "ssl.keystore.type": "PEM",
            },
            "TLS cannot be set up: ssl.keystore.location: /nowhere.pem cannot be read",
        ),
        (
            {
                "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
                "sasl.enabled.mechanisms": "OAUTHBEARER",
                "sasl.oauthbearer.jwks.endpoint.url": "http://issuer/keys",
                "sasl.oauthbearer.expected.audience": "kafka",
                "sasl.mechanism.inter.broker.protocol": "OAUTHBEARER",
                "sasl.oauthbearer.token.endpoint.url": "https:///token",
                "listener.name.plaintext.oauthbearer.sasl.jaas.config": "org.apache.kafka.common"
                '.security.oauthbearer.OAuthBearerLoginModule required clientId="a" '
                'clientSecret="b";',
            },
            "sasl.oauthbearer.token.endpoint.url=https:///token: it must be http://host/path",
        ),
    ],
)
def test_settings_that_are_understood_where_they_are_used_are_refused_in_words(
    server: Server, settings: dict[str, str], words: str
) -> None:
    server.write(**settings)
    out = server.refused(str(server.file), "--dev")
    assert words in out and "Traceback" not in out


def test_a_port_in_use_is_refused_in_words(server: Server) -> None:
    server.launch(str(server.file), "--dev")
    server.wait_for(READY_LINE)
    other = Server(server.directory)
    other.write(listeners=server.settings["listeners"], log_dirs=str(server.directory / "other"))
    out = other.refused(str(other.file), "--dev")
    if other.process is not None and other.process.stdout is not None:
        other.process.stdout.close()
    assert "in use" in out and "Traceback" not in out


START = """
import json, os, sys
started = []
sys.addaudithook(lambda event, _: started.append(event) if event == "subprocess.Popen" else None)
import dataclasses
made = []
make = dataclasses._process_class
dataclasses._process_class = lambda cls, *rest: made.append(cls.__module__) or make(cls, *rest)
import typing
tuples = []
make_tuple = typing.NamedTupleMeta.__new__
def count(cls, name, bases, body):
    tuples.append(body["__module__"])
    return make_tuple(cls, name, bases, body)
typing.NamedTupleMeta.__new__ = count
import raftka.server_command as command
def ready():
    print(json.dumps({"modules": sorted(sys.modules), "started": started, "made": made,
        "tuples": tuples}))
    sys.stdout.flush()
    os._exit(0)
command._settle = ready
command.main(sys.argv[1:])
"""


def test_a_start_loads_what_it_needs_and_starts_no_program(tmp_path: Path) -> None:
    """Imports are four fifths of a start's CPU time: the test counts them instead of measuring."""
    server = Server(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", START, str(server.file), "--dev"],
        cwd=tmp_path,
        env=ENVIRON,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["started"] == [], "trio's look for pthread takes longer than forming a quorum"
    slow = [name for name in found["made"] if name.startswith("raftka")]
    assert len(slow) <= 8, "use raftka.model.dataclass: each of these takes a millisecond"
    slow = [name for name in found["tuples"] if name.startswith("raftka")]
    assert len(slow) <= 5, "use raftka.model.named_tuple: each of these takes 0.3 ms"
    modules = set(found["modules"])
    heavy = {"argparse", "asyncio", "rich", "lupa", "tomllib", "cryptography", "jwt", "h11"}
    heavy |= {"cramjam", "raftka.storage.cleaning.job", "ssl", "hashlib"}
    assert not heavy & modules
    handlers = {name for name in modules if name.startswith("raftka.broker.handlers.")}
    assert {name.rpartition(".")[2] for name in handlers} == {
        "broker_heartbeat",
        "broker_registration",
    }
    assert sum(name.startswith("raftka") for name in modules) <= 280


def test_a_service_manager_hears_when_the_node_serves_and_stops(server: Server) -> None:
    path = server.directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(30)
        process = server.launch(str(server.file), "--dev", NOTIFY_SOCKET=str(path))
        assert manager.recv(1000).splitlines() == [b"READY=1", b"STATUS=node 1 serves"]
        socket.create_connection(("127.0.0.1", server.port)).close()
        process.send_signal(signal.SIGTERM)
        assert manager.recv(1000) == b"STOPPING=1"
        assert process.wait(30) == 0
