"""kafka-streams-groups: list, describe, delete streams groups, move their offsets (KIP-1071)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from raftka.client.admin import (
    Admin,
    GroupListing,
    SomeFailed,
    StreamsAssignment,
    StreamsGroupDescription,
)
from raftka.client.tools import (
    group_actions,
    group_resets,
    group_tables,
    streams_resets,
    streams_topologies,
)
from raftka.client.tools.options import (
    Options,
    UsageError,
    admin_settings,
    exclude,
    given,
    require,
)
from raftka.client.tools.running import run, words
from raftka.client.tools.streams_internal import delete_topics, internal_topics
from raftka.client.tools.tables import Column, lines
from raftka.model.errors import KafkaError

_ACTIONS = ("list", "describe", "delete", "reset-offsets", "delete-offsets")
_STATES = ("Assigning", "Dead", "Empty", "NotReady", "Reconciling", "Stable")
_UNSETTLED = ("Assigning", "Reconciling", "NotReady")
_MISSING = "-"

options = Options(
    "kafka-streams-groups",
    "This tool helps to list, describe, delete and manage the offsets of streams groups.",
)
options.servers()
options.flag("--list", help="List all streams groups.")
options.flag("--describe", help="Describe groups and the lag of their offsets.")
options.flag("--delete", help="Delete groups that have no members.")
options.flag("--reset-offsets", help="Move the offsets of a group that has no members.")
options.flag("--delete-offsets", help="Forget the offsets of topics.")
options.many("--group", metavar="ID", help="A group to act on; may be given several times.")
options.flag("--all-groups", help="Act on all streams groups.")
options.many("--input-topic", metavar="TOPIC", help="A topic, or topic:0,1,2, of the offsets.")
options.flag("--all-input-topics", help="All topics that the group has committed offsets of.")
options.flag(
    "--delete-all-internal-topics",
    help="With --delete, or --reset-offsets --execute: the internal topics as well.",
)
options.many(
    "--delete-internal-topic",
    metavar="TOPIC",
    help="With --reset-offsets --execute: this internal topic as well.",
)
options.flag("--members", help="With --describe: the members and their tasks.")
options.flag("--offsets", help="With --describe: the offsets (the default).")
group_actions.state_option(options)
options.flag("--topology", help="With --describe: the topology's nodes, if the brokers keep them.")
options.flag("--verbose", help="With --describe: more columns.")
options.number("--timeout", bits=64, help="How long to wait for the brokers, in ms.")
group_resets.add_options(options)


def main(argv: Sequence[str]) -> int:
    return run(
        options,
        argv,
        _read,
        _work,
        failure="\nError: Executing streams group command failed due to ",
    )


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    if len(given(found, *_ACTIONS)) != 1:
        raise UsageError(
            "Command must include exactly one action: --list, --describe, --delete,"
            " --reset-offsets, or --delete-offsets."
        )
    require(found, "bootstrap-server")
    if found.list:
        found.state = group_tables.names(found.state, _STATES, "state")
        return found
    if not (found.group or found.all_groups):
        action = given(found, *_ACTIONS)[0]
        raise UsageError(f"Option [{action}] takes one of these options: [group], [all-groups]")
    if found.describe:
        _check_description(found)
    else:
        for name in ("members", "offsets", "state", "topology"):
            exclude(found, name, *_ACTIONS)
    if found.delete_offsets and not (found.input_topic or found.all_input_topics):
        raise UsageError(
            "Option [delete-offsets] takes one of these options: [input-topic], [all-input-topics]"
        )
    if found.reset_offsets:
        streams_resets.check(found)
    else:
        for option in (*group_resets.SCENARIOS, "dry-run", "execute", "export"):
            exclude(found, option, *_ACTIONS)
        exclude(found, "delete-internal-topic", *_ACTIONS)
    if not found.delete and not found.reset_offsets:
        exclude(found, "delete-all-internal-topics", *_ACTIONS)
    return found


def _check_description(found: argparse.Namespace) -> None:
    """Raises UsageError for --describe of two things at once, or of groups in certain states."""
    group_actions.check_description(found)
    if found.topology:
        for name in ("members", "offsets", "state"):
            exclude(found, name, "topology")


async def _work(found: argparse.Namespace) -> int:
    settings = admin_settings(found)
    if found.timeout is not None:
        settings["default.api.timeout.ms"] = found.timeout
    async with Admin(settings) as admin:
        if found.list:
            listed = await _listed(admin, found.state or ())
            group_actions.print_listed(listed, with_state=found.state is not None)
            return 0
        groups = found.group or [each.group_id for each in await _listed(admin)]
        if found.describe and found.topology:
            return await _describe_topologies(admin, groups)
        if found.describe:
            return await _describe(admin, groups, found)
        if found.delete:
            return await _delete(admin, groups, with_topics=found.delete_all_internal_topics)
        if found.reset_offsets:
            return await streams_resets.reset_offsets(admin, groups, found)
        return max([await _delete_offsets(admin, each, found) for each in groups], default=0)


async def _listed(admin: Admin, states: Sequence[str] = ()) -> list[GroupListing]:
    return await admin.list_groups(states=states, types=["streams"])


# Sub-command describe.


async def _describe(admin: Admin, groups: Sequence[str], found: argparse.Namespace) -> int:
    described = await admin.describe_streams_groups(sorted(set(groups)))
    for group in described.values():
        sys.stdout.flush()
        if group.state == "Empty":
            print(f"\nStreams group '{group.group_id}' has no active members.", file=sys.stderr)
        elif group.state in _UNSETTLED:
            print(f"\nWarning: Streams group '{group.group_id}' is rebalancing.", file=sys.stderr)
        if found.members:
            text = _members(group, found.verbose)
        elif found.state is not None:
            text = _state(group, found.verbose)
        else:
            text = await _offsets(admin, group, found.verbose)
        print("\n".join(text))
    return 0


async def _describe_topologies(admin: Admin, groups: Sequence[str]) -> int:
    code = 0
    all_of_them = await admin.describe_streams_groups(sorted(set(groups)), with_description=True)
    for group in all_of_them.values():
        text = streams_topologies.described(group)
        if text is None:
            sys.stdout.flush()
            print(f"\nError: {streams_topologies.missing(group)}", file=sys.stderr)
            code = 1
        else:
            print(text)
    return code


def _members(group: StreamsGroupDescription, verbose: bool) -> list[str]:
    columns = [Column("GROUP", 15, grows=True), Column("MEMBER", 15, grows=True)]
    if verbose:
        columns[1:1] = [Column("TARGET-ASSIGNMENT-EPOCH", 25), Column("TOPOLOGY-EPOCH", 14)]
        columns += [Column("MEMBER-PROTOCOL", 15), Column("MEMBER-EPOCH", 15)]
    columns += [
        Column("PROCESS", 15, grows=True),
        Column("CLIENT-ID", 15, grows=True),
        Column("ASSIGNMENTS", 0),
    ]
    rows = []
    for member in sorted(group.members, key=lambda each: each.member_id):
        tasks = _tasks(member.assignment, "")
        row = [group.group_id, member.member_id, member.process_id, member.client_id]
        if verbose:
            row[1:1] = [str(group.target_epoch), str(member.topology_epoch)]
            row[4:4] = ["streams", str(member.epoch)]
            tasks += _tasks(member.target, "TARGET-")
        rows.append([*row, tasks])
    return lines(columns, rows)


def _tasks(assignment: StreamsAssignment, prefix: str) -> str:
    """ACTIVE: 0:[0,1]; 1:[0]; and the same of standby and warm-up tasks."""
    text = ""
    for name in ("active", "standby", "warmup"):
        ids = getattr(assignment, name)
        if ids:
            text += f"{prefix}{name.upper()}: " + "".join(
                f"{subtopology}:[{','.join(map(str, ids[subtopology]))}]; "
                for subtopology in sorted(ids)
            )
    return text


def _state(group: StreamsGroupDescription, verbose: bool) -> list[str]:
    at = group.coordinator
    columns = [
        Column("GROUP", 15, grows=True),
        Column("COORDINATOR (ID)", 25, grows=True),
        Column("ASSIGNOR", 15),
        Column("STATE", 25),
    ]
    row = [group.group_id, f"{at.host}:{at.port} ({at.id})", group.assignor, group.state]
    if verbose:
        columns += [Column("GROUP-EPOCH", 15), Column("TARGET-ASSIGNMENT-EPOCH", 25)]
        row += [str(group.epoch), str(group.target_epoch)]
    return lines([*columns, Column("#MEMBERS", 0)], [[*row, str(len(group.members))]])


async def _offsets(admin: Admin, group: StreamsGroupDescription, verbose: bool) -> list[str]:
    """The partitions that the group reads; without a commit it starts at the beginning."""
    inputs = {
        topic
        for each in group.subtopologies
        for topic in (*each.source_topics, *each.repartition_source_topics)
    }
    committed = await admin.list_group_offsets(group.group_id)
    listed = set(await admin.list_topics())
    targets = sorted(
        {*committed, *await group_tables.partitions_of(admin, sorted(inputs & listed))}
    )
    ends = await group_tables.log_ends(admin, targets)
    columns = [
        Column("GROUP", 15, grows=True),
        Column("TOPIC", 15, grows=True),
        Column("PARTITION", 10),
    ]
    if verbose:
        columns += [
            Column("CURRENT-OFFSET", 15),
            Column("LEADER-EPOCH", 15),
            Column("LOG-END-OFFSET", 15),
        ]
    rows = []
    for target in targets:
        offset, end = committed.get(target), ends.get(target)
        row = [group.group_id, target.topic, str(target.partition)]
        if verbose:
            known = offset is not None and offset.leader_epoch >= 0
            row += [
                _MISSING if offset is None else str(offset.offset),
                str(offset.leader_epoch) if offset is not None and known else _MISSING,
                _MISSING if end is None else str(end),
            ]
        lag = None if end is None else max(0, end - (0 if offset is None else offset.offset))
        rows.append([*row, _MISSING if lag is None else str(lag)])
    return lines([*columns, Column("OFFSET-LAG", 15)], rows)


# Sub-command delete.


async def _delete(admin: Admin, groups: Sequence[str], *, with_topics: bool) -> int:
    """Delete groups, optionally with their applications' internal topics; returns the exit code."""
    internal: dict[str, list[str]] = {}
    problems: dict[str, str] = {}
    listed = {each.group_id for each in await _listed(admin)}
    for group in groups:
        if group not in listed:
            problems[group] = f"Group '{group}' does not exist or is not a streams group."
            continue
        described = (await admin.describe_streams_groups([group]))[group]
        if described.state != "Empty":
            problems[group] = f"Streams group '{group}' is not EMPTY."
            continue
        internal[group] = internal_topics(described) if with_topics else []
    outcomes: dict[str, KafkaError | None] = {}
    try:
        await admin.delete_groups(internal)
        outcomes = dict.fromkeys(internal)
    except SomeFailed as error:
        outcomes.update(error.outcomes)
    for group, outcome in outcomes.items():
        if outcome is not None:
            problems[group] = words(outcome)
    deleted = [group for group, outcome in outcomes.items() if outcome is None]
    if problems:
        group_actions.report_refused("streams", problems, deleted)
    elif deleted:
        print(f"Deletion of requested streams groups ({_quoted(deleted)}) was successful.")
    topics = {group: internal[group] for group in deleted if internal[group]}
    if topics:
        if await delete_topics(admin, {topic for each in topics.values() for topic in each}):
            return 1
        print(
            "Deletion of associated internal topics of the streams groups"
            f" ({_quoted(topics)}) was successful."
        )
    return 1 if problems else 0


def _quoted(groups: Iterable[str]) -> str:
    return ", ".join(f"'{group}'" for group in groups)


async def _delete_offsets(admin: Admin, group: str, found: argparse.Namespace) -> int:
    if found.all_input_topics:
        described = (await admin.describe_streams_groups([group]))[group]
        targets = sorted(await streams_resets.input_offsets(admin, group, described))
    else:
        targets = await group_tables.partitions_of(admin, found.input_topic)
    return await group_actions.forget_offsets(admin, group, targets)
