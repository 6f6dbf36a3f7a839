"""No value of any option ends a tool in a traceback: all end in a sentence and exit code 1.

The tools run against a port without a listener, so that the network refuses whatever the command
line accepts.
"""

from __future__ import annotations

import argparse
import importlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raftka.client.tools.options import Options
from tests.client.tools.test_tool_command_lines import TOOLS

ABSURD = (
    "",
    " ",
    "-1",
    "0",
    "32768",
    "3000000000",
    "99999999999999999999",
    "9" * 5000,
    "1.5",
    "1e400",
    "\u0663",
    "x" * 40_000,
    "a b",
    "[(",
    "=",
    "k=",
    ",",
    ":",
    "\udcff",
    "\u20ac",
    "P999999999999999D",
    "/",
    "/no/such/file",
)
NOBODY = ("--bootstrap-server", "127.0.0.1:1")
COMMON: dict[str, tuple[tuple[str, ...], ...]] = {
    "broker_api_versions": ((),),
    "cluster": (("cluster-id",), ("unregister",)),
    "configs": (
        ("--describe", "--topic", "t"),
        ("--alter", "--topic", "t", "--add-config", "a=b"),
        ("--describe", "--entity-type", "brokers"),
    ),
    "console_consumer": (("--topic", "t"), ("--topic", "t", "--partition", "0")),
    "console_producer": (("--topic", "t"),),
    "consumer_groups": (
        ("--list",),
        ("--describe", "--group", "g"),
        ("--reset-offsets", "--group", "g", "--topic", "t:0", "--dry-run"),
        ("--delete-offsets", "--group", "g", "--topic", "t"),
    ),
    "consumer_perf_test": (("--topic", "t", "--num-records", "1", "--timeout", "10"),),
    "delete_records": ((),),
    "get_offsets": ((),),
    "groups": (("--list",),),
    "leader_election": (("--election-type", "preferred", "--topic", "t"),),
    "log_dirs": (("--describe",),),
    "metadata_quorum": (("describe", "--status"), ("remove-controller",)),
    "producer_perf_test": (
        ("--topic", "t", "--num-records", "1", "--throughput", "-1", "--record-size", "1"),
    ),
    "reassign_partitions": (("--list",), ("--execute",), ("--generate",)),
    "replica_verification": ((),),
    "share_groups": (
        ("--list",),
        ("--describe", "--group", "g"),
        ("--reset-offsets", "--group", "g", "--topic", "t:0", "--to-offset", "1", "--dry-run"),
        ("--delete-offsets", "--group", "g", "--topic", "t"),
    ),
    "streams_application_reset": (("--application-id", "a", "--input-topics", "t"),),
    "streams_groups": (
        ("--list",),
        ("--describe", "--group", "g"),
        ("--reset-offsets", "--group", "g", "--input-topic", "t:0", "--dry-run"),
        ("--delete-offsets", "--group", "g", "--input-topic", "t"),
    ),
    "transactions": (
        ("list",),
        ("describe-producers", "--topic", "t", "--partition", "0"),
        ("find-hanging", "--topic", "t"),
        ("forceTerminateTransaction",),
    ),
    "topics": (
        ("--create", "--topic", "t"),
        ("--alter", "--topic", "t"),
        ("--describe",),
        ("--delete", "--topic", "t"),
    ),
    "verifiable_consumer": (("--topic", "t", "--group-id", "g"),),
    "verifiable_producer": (("--topic", "t"),),
    "verifiable_share_consumer": (("--topic", "t", "--group-id", "g"),),
}


def options_of(tool: str) -> list[str]:
    options: Options = importlib.import_module(f"raftka.client.tools.{tool}").options
    return [
        action.option_strings[0]
        for action in options._actions
        if action.option_strings
        and action.nargs != 0
        and action.option_strings[0] != "--bootstrap-server"
    ]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Unforeseen errors are raised, and no tool waits for a cluster."""
    monkeypatch.setenv("RAFTKA_DEBUG", "1")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))


def command_lines(tool: str, option: str) -> Iterator[list[str]]:
    for rest in COMMON[tool]:
        for value in ABSURD:
            yield [*rest, *NOBODY, f"{option}={value}"]


@pytest.mark.parametrize("tool", TOOLS)
def test_no_value_of_an_option_is_a_traceback(
    tool: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module: Any = importlib.import_module(f"raftka.client.tools.{tool}")
    prepared: list[object] = []

    async def work(job: object) -> int:
        prepared.append(job)
        return 1

    # Well-formed command lines stop here: only parsing is tested.
    monkeypatch.setattr(module, "_work", work)
    for option in options_of(tool):
        for line in command_lines(tool, option):
            try:
                code = module.main(line)
            except Exception as error:
                raise AssertionError(f"{tool} {line}"[:300]) from error
            assert code == 1, line
            captured = capsys.readouterr()
            assert "Traceback" not in captured.err


def test_every_tool_has_its_command_lines() -> None:
    assert sorted(COMMON) == sorted(TOOLS)
    assert all(
        isinstance(
            importlib.import_module(f"raftka.client.tools.{tool}").options, argparse.ArgumentParser
        )
        for tool in TOOLS
    )
