"""The errors of kafka-reassign-partitions about wrong files, with the text of Kafka's tool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from raftka.client.tools.options import ToolError
from raftka.client.tools.reassign_partitions import read_reassignment
from raftka.model.ids import TopicPartition


def written(path: Path, *entries: dict[str, Any]) -> str:
    named = [{"topic": "t", "partition": 0, **entry} for entry in entries]
    path.write_text(json.dumps({"version": 1, "partitions": named}))
    return str(path)


def test_each_partition_gets_its_replicas(tmp_path: Path) -> None:
    path = written(
        tmp_path / "moves.json",
        {"replicas": [2, 1]},
        {"partition": 1, "replicas": [1, 3], "log_dirs": ["any", "/disk2"]},
    )
    replicas, directories = read_reassignment(path)
    assert replicas == {TopicPartition("t", 0): [2, 1], TopicPartition("t", 1): [1, 3]}
    assert directories == {(3, TopicPartition("t", 1)): "/disk2"}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            {"replicas": [1], "log_dirs": ["any", "any"]},
            "Size of replicas list [1] is different from size of log dirs list [any, any]",
        ),
        ({"replicas": [1], "log_dirs": []}, "is different from size of log dirs list []"),
        ({"replicas": [1], "log_dirs": 5}, "the log_dirs of t-0 are no list"),
        ({"replicas": [1], "log_dirs": None}, "the log_dirs of t-0 are no list"),
        ({"replicas": [1], "log_dirs": [1]}, "the log_dirs of t-0 are no list"),
        ({"replicas": [1, 2, 1]}, "duplicate entries: t-0 contains multiple entries for 1"),
        ({"replicas": []}, "Partition replica list cannot be empty"),
        ({"replicas": None}, "the replicas of t-0 are no list"),
        ({"replicas": "12"}, "the replicas of t-0 are no list"),
        ({"replicas": [1.5]}, "the replicas of t-0 are no list"),
        ({"replicas": [True]}, "the replicas of t-0 are no list"),
        ({}, "the replicas of t-0 are no list"),
    ],
)
def test_what_cannot_be_meant_is_refused(entry: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        read_reassignment(written(tmp_path / "moves.json", entry))
    assert words in str(caught.value)


def test_a_partition_is_moved_once(tmp_path: Path) -> None:
    path = written(tmp_path / "moves.json", {"replicas": [1]}, {"replicas": [2]})
    with pytest.raises(ToolError, match="t-0 is there more than once"):
        read_reassignment(path)
