"""kafka-metadata-quorum: the voters and observers of the metadata log, and their progress."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from raftka.client.admin import Admin, QuorumInfo, QuorumReplica
from raftka.client.settings import parse_endpoints
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    admin_settings,
    read_properties,
    require_server_or_controller,
)
from raftka.client.tools.running import run
from raftka.model.ids import ZERO_UUID, Endpoint, Uuid, parse_uuid, uuid_text
from raftka.net.clock import system_clock

options = Options("kafka-metadata-quorum", "This tool describes kraft metadata quorum status.")
options.add_argument(
    "action",
    choices=("describe", "add-controller", "remove-controller"),
    help="describe: the state of the quorum\nadd-controller: make a controller a voter\n"
    "remove-controller: take a voter out",
)
options.servers()
options.text("--bootstrap-controller", metavar="HOST:PORT", help="The controllers to connect to.")
options.flag("--status", help="With describe: a summary.")
options.flag("--replication", help="With describe: each voter and observer.")
options.flag("--human-readable", help="With --replication: ages rather than timestamps.")
options.number("--controller-id", "-i", help="With remove-controller: the voter's id.")
options.text(
    "--controller-directory-id", "-d", metavar="ID", help="With remove-controller: its directory."
)
options.flag("--dry-run", help="Show what would be done, and do nothing.")


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    require_server_or_controller(found)
    if found.action == "describe":
        if found.status and found.replication:
            raise UsageError(
                "Only one of --status or --replication should be specified with describe"
                " sub-command"
            )
        if found.human_readable and not found.replication:
            raise UsageError(
                "The option --human-readable is only supported along with --replication"
            )
        if not found.status and not found.replication:
            raise UsageError(
                "One of --status or --replication must be specified with describe sub-command"
            )
    if found.action == "remove-controller":
        if found.controller_id is None or found.controller_directory_id is None:
            raise UsageError("arguments --controller-id and --controller-directory-id are required")
        try:
            parse_uuid(found.controller_directory_id)
        except ValueError as error:
            raise UsageError(f"--controller-directory-id: {error}") from None
    if found.action == "add-controller" and not found.command_config:
        raise UsageError(
            "You must supply the configuration file of the controller you are adding when using"
            " add-controller: --command-config server.properties"
        )
    return found


async def _work(found: argparse.Namespace) -> None:
    if found.action == "add-controller":
        await _add(found)
        return
    async with Admin(_settings(found)) as admin:
        if found.action == "remove-controller":
            await _remove(admin, found)
        elif found.status:
            cluster = await admin.describe_cluster(controllers=bool(found.bootstrap_controller))
            _print_status(cluster.cluster_id, await admin.describe_quorum())
        else:
            _print_replication(await admin.describe_quorum(), found.human_readable)


def _settings(found: argparse.Namespace) -> dict[str, object]:
    return admin_settings(found, controllers=found.bootstrap_controller)


# Sub-command describe.


def _print_status(cluster_id: str, quorum: QuorumInfo) -> None:
    leader = _leader(quorum)
    last = min(quorum.voters, key=lambda voter: voter.log_end_offset)
    if last.id == leader.id:
        lag_ms = 0
    elif leader.last_caught_up_ms < 0 or last.last_caught_up_ms < 0:
        lag_ms = -1
    else:
        lag_ms = max(0, leader.last_caught_up_ms - last.last_caught_up_ms)
    for name, value in {
        "ClusterId": cluster_id,
        "LeaderId": quorum.leader_id,
        "LeaderEpoch": quorum.leader_epoch,
        "HighWatermark": quorum.high_watermark,
        "MaxFollowerLag": leader.log_end_offset - last.log_end_offset,
        "MaxFollowerLagTimeMs": lag_ms,
        "CurrentVoters": _nodes(quorum, quorum.voters),
        "CurrentObservers": _nodes(quorum, quorum.observers),
    }.items():
        print(f"{name + ':':<24}{value}")


def _leader(quorum: QuorumInfo) -> QuorumReplica:
    for voter in quorum.voters:
        if voter.id == quorum.leader_id:
            return voter
    raise ToolError("The quorum has no leader now: try again in a moment.")


def _nodes(quorum: QuorumInfo, replicas: Sequence[QuorumReplica]) -> str:
    shown: list[dict[str, object]] = []
    for replica in replicas:
        node: dict[str, object] = {"id": replica.id}
        if replica.directory_id != ZERO_UUID:
            node["directoryId"] = uuid_text(replica.directory_id)
        endpoints = quorum.endpoints.get(replica.id)
        if endpoints:
            node["endpoints"] = [f"{name}://{where}" for name, where in endpoints.items()]
        shown.append(node)
    return json.dumps(shown)


def _print_replication(quorum: QuorumInfo, human: bool) -> None:
    leader = _leader(quorum)
    followers = [voter for voter in quorum.voters if voter.id != leader.id]
    now_ms = system_clock().wall_ms()
    rows = [
        [
            "NodeId",
            "DirectoryId",
            "LogEndOffset",
            "Lag",
            "LastFetchTimestamp",
            "LastCaughtUpTimestamp",
            "Status",
        ]
    ]
    for status, replicas in (
        ("Leader", [leader]),
        ("Follower", followers),
        ("Observer", quorum.observers),
    ):
        rows += [
            [
                str(replica.id),
                uuid_text(replica.directory_id),
                str(replica.log_end_offset),
                str(leader.log_end_offset - replica.log_end_offset),
                _moment(replica.last_fetch_ms, now_ms, human),
                _moment(replica.last_caught_up_ms, now_ms, human),
                status,
            ]
            for replica in replicas
        ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        print("".join(f"{cell:<{width}}\t" for cell, width in zip(row, widths, strict=True)))


def _moment(timestamp_ms: int, now_ms: int, human: bool) -> str:
    if not human:
        return str(timestamp_ms)
    return "unknown" if timestamp_ms < 0 else f"{max(0, now_ms - timestamp_ms)} ms ago"


# Sub-commands add-controller and remove-controller.


async def _remove(admin: Admin, found: argparse.Namespace) -> None:
    directory = found.controller_directory_id
    dry = "DRY RUN of removing " if found.dry_run else "Removed"
    if not found.dry_run:
        await admin.remove_raft_voter(found.controller_id, parse_uuid(directory))
    print(f"{dry} KRaft controller {found.controller_id} with directory id {directory}")


async def _add(found: argparse.Namespace) -> None:
    properties = read_properties(found.command_config)
    node_id = _node_id(properties)
    directory = _directory_id(properties, node_id)
    endpoints = _endpoints(properties)
    where = ", ".join(f"{name}://{endpoint}" for name, endpoint in endpoints.items())
    if found.dry_run:
        done = "DRY RUN of adding controller"
    else:
        # The file has the controller's settings: none of them applies to this client.
        found.command_config = None
        async with Admin(_settings(found)) as admin:
            await admin.add_raft_voter(node_id, directory, endpoints)
        done = "Added controller"
    print(f"{done} {node_id} with directory id {uuid_text(directory)} and endpoints: {where}")


def _node_id(properties: dict[str, str]) -> int:
    text = properties.get("node.id", "")
    if "controller" not in properties.get("process.roles", ""):
        raise ToolError("process.roles did not contain 'controller' in the configuration file")
    if not text.strip().isdigit():
        raise ToolError("node.id was not found in the configuration file")
    return int(text)


def _directory_id(properties: dict[str, str], node_id: int) -> Uuid:
    """From meta.properties in the metadata log's directory. Raises ToolError."""
    directory = properties.get("metadata.log.dir") or properties.get("log.dirs", "").split(",")[0]
    directory = directory or properties.get("log.dir", "")
    if not directory.strip():
        raise ToolError("neither metadata.log.dir nor log.dirs is in the configuration file")
    path = f"{directory.strip()}/meta.properties"
    meta = read_properties(path)
    if meta.get("node.id") != str(node_id):
        raise ToolError(f"{path} is of node {meta.get('node.id')}, not of node {node_id}")
    try:
        return parse_uuid(meta.get("directory.id", ""))
    except ValueError as error:
        raise ToolError(f"{path}: directory.id: {error}") from None


def _endpoints(properties: dict[str, str]) -> dict[str, Endpoint]:
    """The controller's listeners, by name. Raises ToolError."""
    names = [name.strip() for name in properties.get("controller.listener.names", "").split(",")]
    found: dict[str, Endpoint] = {}
    for setting in ("listeners", "advertised.listeners"):
        for listener in properties.get(setting, "").split(","):
            name, _, address = listener.strip().partition("://")
            if name in names and name:
                (found[name],) = parse_endpoints(setting, [_with_host(address)])
    if not found:
        raise ToolError("no listener of controller.listener.names is in listeners")
    return found


def _with_host(address: str) -> str:
    return f"localhost{address}" if address.startswith(":") else address
