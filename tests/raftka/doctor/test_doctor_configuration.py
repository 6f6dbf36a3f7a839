"""The rules for one node's settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raftka.commands import main

SOUND = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
    "advertised.listeners": "PLAINTEXT://localhost:9092",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@localhost:9093",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "log.dirs": "/var/lib",
}
VOTERS = "1@10.0.0.1:9093,2@10.0.0.2:9093,3@10.0.0.3:9093"
THREE = {
    "controller.quorum.voters": VOTERS,
    "advertised.listeners": "PLAINTEXT://10.0.0.1:9092",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
}

FAULTS: dict[str, dict[str, str]] = {
    "0.0.0.0": {"advertised.listeners": "PLAINTEXT://0.0.0.0:9092"},
    "to themselves": {**THREE, "advertised.listeners": "PLAINTEXT://localhost:9092"},
    "cannot be resolved": {"advertised.listeners": "PLAINTEXT://no.such.host.invalid:9092"},
    "throw things away": {"log.dirs": "/tmp/raftka-data"},
    "on one volume": {"log.dirs": "/var/lib/a,/var/lib/b"},
    "may be on one disk alone": {"default.replication.factor": "3", "min.insync.replicas": "1"},
    "while one broker is down": {"default.replication.factor": "2", "min.insync.replicas": "2"},
    "losing a disk loses": {**THREE, "offsets.topic.replication.factor": "1"},
    "if it stays alone": {"offsets.topic.replication.factor": "3"},
    "names 2 voters": {**THREE, "controller.quorum.voters": VOTERS.rpartition(",")[0]},
    "they fail together": {
        **THREE,
        "controller.quorum.voters": "1@10.0.0.1:1,2@10.0.0.1:2,3@10.0.0.1:3",
    },
    "node.idd": {"node.idd": "1"},
}


def examine(
    tmp_path: Path, settings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[dict[str, str]]]:
    path = tmp_path / "server.properties"
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    code = main(["doctor", str(path), "--json"])
    problems: list[dict[str, str]] = json.loads(capsys.readouterr().out)["problems"]
    return code, problems


def test_sound_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, problems = examine(tmp_path, SOUND, capsys)
    machine = ("% full", "files at most", "cannot be written")
    rest = [each for each in problems if not any(words in each["what"] for words in machine)]
    assert rest == []
    assert code == (1 if problems else 0)


@pytest.mark.parametrize("words", FAULTS)
def test_each_fault_is_named_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    code, problems = examine(tmp_path, SOUND | FAULTS[words], capsys)
    assert code == 1
    assert any(words in each["what"] for each in problems), problems
    assert all(each["remedy"] for each in problems)


def test_neither_or_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 1
    assert "either FILE" in capsys.readouterr().err
    assert main(["doctor", "/no/such/file"]) == 1
    assert "/no/such/file" in capsys.readouterr().out
