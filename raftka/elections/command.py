"""`raftka elections`: lists elections: when, whom, why, and the time without a leader."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime

from raftka.client.admin import Admin
from raftka.client.admin.metadata_logs import MetadataLog, metadata_log
from raftka.client.admin.nodes import QuorumInfo
from raftka.client.admin.recorders import recorder_contents
from raftka.client.tools.options import Options, ToolError, admin_settings, exclude
from raftka.client.tools.running import run
from raftka.configuration import Unreadable
from raftka.elections.history import Election, elections
from raftka.elections.sources import NothingThere, events_of
from raftka.kraft.codec import UnreadableRecord
from raftka.kraft.delta import ReplayError
from raftka.model.ids import Endpoint
from raftka.model.settings import WrongSettings
from raftka.trace_command import NoRecording, recording_of
from raftka.tracing.flight_file import Recording

_SHOWN = 3
_DEFAULT = "raftka-data"
_PATIENCE_S = 5.0
"""The timeout for one node: one that is stopped or cut off does not answer."""

options = Options(
    "raftka elections",
    "Which leaders were elected, controllers and partitions' leaders alike: when (UTC), why, how"
    " long there was none, and what led to it, from what was noticed first to the first"
    " acknowledgement under the new one. It asks the nodes of a running cluster for their flight"
    " recorders and their metadata log (--bootstrap-server; takes DESCRIBE on the cluster), or"
    " reads both in the directories of nodes, which may run or not; more nodes know more.",
)
options.add_argument(
    "directory",
    nargs="*",
    metavar="DIRECTORY",
    help=f"Log directories or server.properties of nodes of one cluster (default: {_DEFAULT}).\n"
    "Beside --bootstrap-server: of nodes that cannot answer.",
)
options.servers()
options.text(
    "--bootstrap-controller",
    metavar="HOST:PORT",
    help="The controllers to connect to, while no broker can answer: they know all but when the\n"
    "first record under a new leader was acknowledged.",
)
options.number("--last", help="How many elections; 0 for all (default: 10).")
options.text("--partition", metavar="TOPIC-N", help="Only those of this partition.")
options.flag("--json", help="One JSON object a line.")


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    return run(options, list(argv) or [_DEFAULT], _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    exclude(found, "bootstrap-server", "bootstrap-controller")
    return found


async def _work(found: argparse.Namespace) -> None:
    answered: list[Recording] = []
    log = None
    if found.bootstrap_server or found.bootstrap_controller:
        answered, log = await _of_running_nodes(found)
    asked = bool(answered) or log is not None
    try:
        told_of = elections(events_of(found.directory if asked else _named(found), answered, log))
    except (ReplayError, UnreadableRecord) as error:
        raise ToolError(f"the metadata log cannot be read: {error}") from error
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


def _named(found: argparse.Namespace) -> Sequence[str]:
    return list(found.directory) or [_DEFAULT]


async def _of_running_nodes(
    found: argparse.Namespace,
) -> tuple[list[Recording], MetadataLog | None]:
    """The recorders of all brokers and controllers, and the metadata log of one of them. If a node
    does not answer, the reason goes to stderr.

    Raises ToolError when none answers, ConfigError, KafkaError.
    """
    settings = admin_settings(found, controllers=found.bootstrap_controller)
    async with Admin(settings) as admin:
        of_controllers = bool(found.bootstrap_controller)
        cluster = await admin.describe_cluster(
            controllers=of_controllers, include_fenced=not of_controllers
        )
        quorum = await admin.describe_quorum()
    nodes = {node.id: node.endpoint for node in cluster.nodes}
    for id_, listeners in sorted(quorum.endpoints.items()):
        if listeners:
            nodes.setdefault(id_, next(iter(listeners.values())))
    answers = await recorder_contents(settings, nodes.values(), patience_s=_PATIENCE_S)
    missing = {
        id_: answer for id_, where in nodes.items() if isinstance(answer := answers[where], str)
    }
    answered = [recording_of(each) for each in answers.values() if not isinstance(each, str)]
    candidates = _best_first(nodes, quorum, missing)
    log = await metadata_log(settings, candidates) if candidates else None
    if not answered and not isinstance(log, MetadataLog) and not found.directory:
        raise ToolError("; ".join(dict.fromkeys(missing.values())))
    for id_, why in missing.items():
        print(f"raftka elections: without what n{id_} recorded: {why}", file=sys.stderr)
    if isinstance(log, str):
        print(f"raftka elections: without the metadata log: {log}", file=sys.stderr)
        return answered, None
    return answered, log


def _best_first(
    nodes: Mapping[int, Endpoint], quorum: QuorumInfo, silent: Container[int]
) -> list[Endpoint]:
    """The nodes to ask for the metadata log, first the active controller, which has all of it.
    Silent nodes are left out.
    """
    order = sorted(nodes, key=lambda id_: (id_ != quorum.leader_id, id_ not in quorum.endpoints))
    return [nodes[id_] for id_ in order if id_ not in silent]


def told(election: Election) -> str:
    """An election as text."""
    who = "no leader" if election.leader < 0 else f"n{election.leader}"
    before = ""
    if election.before is not None and election.before != election.leader:
        before = " after no leader" if election.before < 0 else f" after n{election.before}"
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
