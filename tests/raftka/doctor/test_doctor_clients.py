"""The doctor asks the brokers which clients speak which versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer

from raftka.doctor.clients import Clients, Spoken, lines
from raftka.local_cluster import LocalCluster
from raftka.local_ports import free_ports
from raftka.main import main


def test_clients_for_people() -> None:
    spoken = Spoken("librdkafka", "2", ("a", "b"), 3, {"Fetch": frozenset({12, 4})})
    assert list(lines(Clients((spoken,), {2: "it is silent"}))) == [
        "Clients that the brokers have met since they started, and the versions they speak:",
        "  librdkafka 2 (client.id a, b), 3 connections open",
        "    Fetch 4/12",
        "  Of broker 2 the clients are not known: it is silent",
    ]
    assert list(lines(Clients())) == []


@pytest.mark.wire
def test_brokers_say_what_their_clients_speak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    with LocalCluster(tmp_path, nodes=2) as cluster:
        cluster.configure(1, {"prometheus.metrics.reporter.listener": f"http://127.0.0.1:{port}"})
        cluster.start()
        producer = Producer(
            {"bootstrap.servers": f"127.0.0.1:{cluster.ports[1]}", "client.id": "shop"}
        )
        producer.produce("t", b"x")
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
