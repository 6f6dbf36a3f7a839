"""`raftka elections`: when leaders were elected, who, why, and how long there was none."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from raftka.client.admin import Admin
from raftka.client.tools.options import Options, ToolError, admin_settings
from raftka.client.tools.running import run
from raftka.configuration import Unreadable
from raftka.elections.history import Election, elections
from raftka.elections.sources import NothingThere, events_of
from raftka.model.settings import WrongSettings
from raftka.trace_command import NoRecording
from raftka.tracing import flight_file

_SHOWN = 3
_DEFAULT = "raftka-data"

options = Options(
    "raftka elections",
    "Which leaders were elected, controllers and partitions' leaders alike: when (UTC), why, how"
    " long there was none, and what led to it, from what was noticed first to the first"
    " acknowledgement under the new one. It reads the flight recorders and metadata logs of nodes,"
    " which may run or not; more nodes know more of the way.",
)
options.add_argument(
    "directory",
    nargs="*",
    metavar="DIRECTORY",
    help=f"Log directories or server.properties of nodes of one cluster (default: {_DEFAULT}).",
)
options.servers()
options.number("--last", help="How many elections; 0 for all (default: 10).")
options.text("--partition", metavar="TOPIC-N", help="Only those of this partition.")
options.flag("--json", help="One JSON object a line.")


def main(argv: Sequence[str]) -> int:
    """The exit code."""
    return run(options, list(argv) or [_DEFAULT], options.read, _work)


async def _work(found: argparse.Namespace) -> None:
    named = list(found.directory)
    if found.bootstrap_server is not None:
        named += await _directories_of(found)
    try:
        told_of = elections(events_of(named or [_DEFAULT]))
    except (NoRecording, NothingThere, Unreadable, WrongSettings) as error:
        raise ToolError(str(error)) from error
    if found.partition is not None:
        told_of = [each for each in told_of if found.partition in each.partitions]
    last = 10 if found.last is None else found.last
    shown = told_of[-last:] if last > 0 else told_of
    if found.json:
        for each in shown:
            print(json.dumps(each.as_dict()))
    else:
        print("\n\n".join(map(told, shown)) or "No election is on record.")


async def _directories_of(found: argparse.Namespace) -> list[str]:
    """The directories of the brokers that answer, as far as they are on this machine.

    Raises ToolError when none is.
    """
    async with Admin(admin_settings(found)) as admin:
        brokers = [node.id for node in (await admin.describe_cluster()).nodes]
        described = await admin.describe_log_dirs(brokers, ())
    here = [
        directory.path
        for directories in described.values()
        for directory in directories
        if (Path(directory.path) / flight_file.NAME).is_file()
    ]
    if not here and not found.directory:
        raise ToolError(
            f"none of the log directories of brokers {', '.join(map(str, brokers))} is on this"
            f" machine: run this on one of theirs, or copy their {flight_file.NAME} files here and"
            " name them"
        )
    return here


def told(election: Election) -> str:
    """An election as a person reads it."""
    who = "nobody" if election.leader < 0 else f"n{election.leader}"
    before = ""
    if election.before is not None and election.before != election.leader:
        before = " after nobody" if election.before < 0 else f" after n{election.before}"
    what = "controller" if election.kind == "controller" else _partitions(election.partitions)
    lines = [f"{_clock(election.at_s)}  {what}: {who}{before}, epoch {election.epoch}"]
    lines.append(f"    cause   {election.cause}")
    if election.reason:
        lines.append(f"    reason  {election.reason}")
    if election.without_leader_s is not None:
        until = _until(election)
        lines.append(f"    without a leader for {_seconds(election.without_leader_s)}, {until}")
    began = election.chain[0].at_s
    for step in election.chain:
        by = f"{step.node}: " if step.node is not None else ""
        after = f"+{_seconds(step.at_s - began)}"
        lines.append(f"    {_clock(step.at_s)[11:]} {after:>10}  {by}{step.words}")
    return "\n".join(lines)


def _until(election: Election) -> str:
    if election.kind == "controller":
        return "until its first batch was committed"
    if election.first_ack_s is None:
        return "until the election; no acknowledgement is on record"
    return "until the first acknowledgement"


def _partitions(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def _clock(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
