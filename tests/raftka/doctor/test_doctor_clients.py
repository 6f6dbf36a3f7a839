"""The doctor asks the brokers which versions their clients use."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from confluent_kafka import Producer

from raftka.client.admin import Admin
from raftka.client.admin.nodes import Node
from raftka.commands import main
from raftka.doctor.clients import Clients, Spoken, examine, gather, lines
from raftka.local_cluster import LocalCluster
from raftka.local_ports import free_ports


def test_clients_for_people() -> None:
    spoken = Spoken("librdkafka", "2", ("a", "b"), 3, {"Fetch": frozenset({12, 4})})
    assert list(lines(Clients((spoken,), {2: "it is silent"}))) == [
        "Clients that the brokers have met since they started, and the versions they speak:",
        "  librdkafka 2 (client.id a, b), 3 connections open",
        "    Fetch 4/12",
        "  Of broker 2 the clients are not known: it is silent",
    ]
    assert list(lines(Clients())) == []


def test_what_clients_call_themselves_does_nothing_to_a_terminal() -> None:
    hostile = Spoken("\x1b]0;mine\x07", "1\n2", ("\u202e", "é"), 1, {"Fetch": frozenset({0})})
    found = Clients((hostile,), {2: "\x1b[2J"})
    shown = "\\x1b]0;mine\\x07 1\\n2 (client.id \\u202e, é)"
    assert list(lines(found))[1] == f"  {shown}, 1 connections open"
    assert list(lines(found))[-1] == "  Of broker 2 the clients are not known: \\x1b[2J"
    (finding,) = examine(found)
    assert finding.what.startswith(shown)


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b"[" * 200_000,
        b"[]",
        b'{"clients": 7}',
        b'{"clients": [{"software": "a", "version": "1", "client_ids": [], "connections": 1e999}]}',
        b'{"clients": [{"software": "a", "version": "1", "client_ids": [], "connections": 1,'
        b' "apis": []}]}',
    ],
    ids=["no-json", "deep", "list", "number", "infinite", "apis"],
)
async def test_an_answer_of_another_form_is_a_reason_and_no_crash(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answering) as server:

        async def listener(*_: object) -> tuple[str, int]:
            return "127.0.0.1", server.server_port

        monkeypatch.setattr("raftka.doctor.clients._listener", listener)
        thread = Thread(target=server.handle_request)
        thread.start()
        found = await gather(Admin({"bootstrap.servers": "127.0.0.1:1"}), [Node(1, "h", 1)])
        thread.join()
    assert found.spoken == () and found.unknown is not None
    assert "is not understood" in found.unknown[1]


@pytest.mark.wire
def test_brokers_say_what_their_clients_speak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    with LocalCluster(tmp_path, nodes=2) as cluster:
        listener = f"http://127.0.0.1:{port}"
        # Each broker leads one, so that the producer stays connected to both.
        cluster.configure(
            1, {"num.partitions": "2", "prometheus.metrics.reporter.listener": listener}
        )
        cluster.configure(2, {"num.partitions": "2"})
        cluster.start()
        producer = Producer(
            {"bootstrap.servers": f"127.0.0.1:{cluster.ports[1]}", "client.id": "shop"}
        )
        for partition in (0, 1):
            producer.produce("t", b"x", partition=partition)
        assert producer.flush(20) == 0
        command = ["doctor", "--bootstrap-server", f"127.0.0.1:{cluster.ports[1]}"]
        main([*command, "--json"])
        told = json.loads(capsys.readouterr().out)
        (shop,) = (each for each in told["clients"] if "shop" in each["client_ids"])
        assert shop["software"] == "confluent-kafka-python" and shop["connections"] >= 1
        assert shop["apis"]["Metadata"]
        main(command)
        words = capsys.readouterr().out
        assert "confluent-kafka-python" in words and "(client.id shop)" in words
        without = "Of broker 2 the clients are not known: it counts no clients without"
        assert f"{without} prometheus.metrics.reporter.listener" in words
