"""kafka-share-groups: list, describe and delete share groups, and reset their offsets."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from raftka.client.admin import Admin, GroupDescription, GroupListing, SomeFailed
from raftka.client.tools import group_actions, group_resets, group_tables
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    admin_settings,
    exclude,
    given,
    require,
)
from raftka.client.tools.running import run, words
from raftka.client.tools.tables import Column, lines
from raftka.model.errors import KafkaError

_ACTIONS = ("list", "describe", "delete", "reset-offsets", "delete-offsets")
_STATES = ("Dead", "Empty", "Stable")
_TYPE = "share"
_MISSING = "-"
_SCENARIOS = (
    "to-datetime",
    "to-earliest",
    "to-latest",
    "from-file",
    "to-current",
    "to-offset",
)

options = Options(
    "kafka-share-groups",
    "This tool helps to list, describe, delete and manage the offsets of share groups.",
)
options.servers()
options.flag("--list", help="List all share groups.")
options.flag("--describe", help="Describe groups and how much they have to do.")
options.flag("--delete", help="Delete groups that have no members.")
options.flag("--reset-offsets", help="Let a group that has no members begin elsewhere.")
options.flag("--delete-offsets", help="Forget topics of a group that has no members.")
options.many("--group", metavar="ID", help="A group to act on.")
options.flag("--all-groups", help="Act on all share groups.")
options.many("--topic", metavar="TOPIC", help="A topic, or topic:0,1,2 for partitions of it.")
options.flag("--all-topics", help="All topics of the group, for --reset-offsets.")
options.flag("--members", help="With --describe: the members.")
options.flag("--offsets", help="With --describe: the offsets (the default).")
group_actions.state_option(options)
options.flag("--verbose", help="With --describe: more columns.")
options.number("--timeout", bits=64, help="How long to wait for the brokers, in ms.")
options.flag("--dry-run", help="Show the new offsets, change nothing.")
options.flag("--execute", help="Change the offsets.")
options.flag("--export", help="Show the new offsets as CSV.")
options.flag("--to-earliest", help="To the first record there is.")
options.flag("--to-latest", help="To the end.")
options.flag("--to-current", help="To where they are.")
options.number("--to-offset", bits=64, help="To this offset.")
options.text("--to-datetime", metavar="TIME", help="To the time YYYY-MM-DDThh:mm:ss.sss.")
options.text("--from-file", metavar="FILE", help="To what a CSV file says.")


def main(argv: Sequence[str]) -> int:
    return run(
        options,
        argv,
        _read,
        _work,
        failure="\nError: Executing share group command failed due to ",
    )


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    if len(given(found, *_ACTIONS)) != 1:
        raise UsageError(
            "Command must include exactly one action: --list, --describe, --delete,"
            " --reset-offsets, --delete-offsets."
        )
    require(found, "bootstrap-server")
    if found.list:
        found.state = group_tables.names(found.state, _STATES, "state")
    if found.describe:
        _check_description(found)
    if found.delete:
        if not (found.group or found.all_groups):
            raise UsageError("Option [delete] takes one of these options: [all-groups], [group]")
        exclude(found, "delete", "topic")
    if found.delete_offsets:
        require(found, "group", "topic")
    if found.reset_offsets:
        _check_reset(found)
    else:
        for scenario in _SCENARIOS:
            exclude(found, scenario, *_ACTIONS)
    return found


def _check_description(found: argparse.Namespace) -> None:
    if not (found.group or found.all_groups):
        raise UsageError("Option [describe] takes one of these options: [all-groups], [group]")
    group_actions.check_description(found)


def _check_reset(found: argparse.Namespace) -> None:
    require(found, "group")
    if found.dry_run == found.execute:
        what = "only takes one of" if found.execute else "takes the option:"
        raise UsageError(f"Option [reset-offsets] {what} [execute] or [dry-run]")
    if len(given(found, *_SCENARIOS)) != 1:
        names = ", ".join(f"[{name}]" for name in _SCENARIOS)
        raise UsageError(f"Option [reset-offsets] takes exactly one of these options: {names}")
    if not (found.topic or found.all_topics or found.from_file):
        raise UsageError("One of the reset scopes should be defined: --all-topics, --topic.")
    if found.to_datetime:  # An invalid time is refused before a broker is asked.
        group_resets.datetime_ms(found.to_datetime)


async def _work(found: argparse.Namespace) -> int:
    settings = admin_settings(found)
    if found.timeout is not None:
        settings["default.api.timeout.ms"] = found.timeout
    async with Admin(settings) as admin:
        if found.list:
            listed = await _share_groups(admin, found.state or ())
            group_actions.print_listed(listed, with_state=found.state is not None)
            return 0
        groups = sorted(set(found.group))
        if found.all_groups:
            groups = [listing.group_id for listing in await _share_groups(admin)]
        if found.describe:
            return await _describe(admin, groups, found)
        if found.delete:
            return await _delete(admin, groups)
        if found.reset_offsets:
            return await _reset(admin, groups[0], found)
        return await _delete_offsets(admin, groups[0], found.topic)


async def _share_groups(admin: Admin, states: Sequence[str] = ()) -> list[GroupListing]:
    return await admin.list_groups(states=states, types=[_TYPE])


async def _describe(admin: Admin, groups: Sequence[str], found: argparse.Namespace) -> int:
    for group in (await admin.describe_share_groups(groups)).values():
        sys.stdout.flush()
        if group.state == "Empty" and (found.members or found.state is not None):
            print(f"\nShare group '{group.group_id}' has no active members.", file=sys.stderr)
        if found.members:
            if group.members:
                print("\n" + "\n".join(_members(group, found.verbose)))
        elif found.state is not None:
            print("\n" + "\n".join(_state(group, found.verbose)))
        elif table := await _offsets(admin, group.group_id, found.verbose):
            print("\n" + "\n".join(table))
    return 0


async def _offsets(admin: Admin, group_id: str, verbose: bool) -> list[str]:
    columns = [
        Column("GROUP", 15, grows=True),
        Column("TOPIC", 15, grows=True),
        Column("PARTITION", 10),
        *([Column("LEADER-EPOCH", 13)] if verbose else []),
        Column("START-OFFSET", 13),
        Column("LAG", 0),
    ]
    rows = [
        [
            group_id,
            target.topic,
            str(target.partition),
            *([str(each.leader_epoch)] if verbose else []),
            _MISSING if each.start_offset is None else str(each.start_offset),
            _MISSING if each.lag is None else str(each.lag),
        ]
        for target, each in sorted((await admin.list_share_group_offsets(group_id)).items())
    ]
    return lines(columns, rows) if rows else []


def _members(group: GroupDescription, verbose: bool) -> list[str]:
    columns = [
        Column("GROUP", 15, grows=True),
        Column("CONSUMER-ID", 15, grows=True),
        Column("HOST", 15, grows=True),
        Column("CLIENT-ID", 15, grows=True),
        Column("#PARTITIONS", 12),
        *([Column("MEMBER-EPOCH", 13)] if verbose else []),
        Column("ASSIGNMENT", 0),
    ]
    rows = [
        [
            group.group_id,
            member.member_id,
            member.host,
            member.client_id,
            str(len(member.assignment)),
            *([str(member.epoch)] if verbose else []),
            group_tables.assignment(member.assignment),
        ]
        for member in group.members
    ]
    return lines(columns, rows)


def _state(group: GroupDescription, verbose: bool) -> list[str]:
    at = group.coordinator
    columns = [
        Column("GROUP", 15, grows=True),
        Column("COORDINATOR (ID)", 25, grows=True),
        Column("STATE", 15),
        *([Column("GROUP-EPOCH", 12), Column("ASSIGNMENT-EPOCH", 17)] if verbose else []),
        Column("#MEMBERS", 0),
    ]
    row = [
        group.group_id,
        f"{at.host}:{at.port}  ({at.id})",
        group.state,
        *([str(group.epoch), str(group.target_epoch)] if verbose else []),
        str(len(group.members)),
    ]
    return lines(columns, [row])


async def _delete(admin: Admin, groups: Sequence[str]) -> int:
    known = {listing.group_id for listing in await _share_groups(admin)}
    failed: dict[str, str] = {
        group: f"Group '{group}' is not a share group." for group in groups if group not in known
    }
    wanted = [group for group in groups if group in known]
    try:
        await admin.delete_groups(wanted)
    except SomeFailed as error:
        failed |= group_actions.refusals(error)
    deleted = [group for group in wanted if group not in failed]
    if not failed:
        names = ", ".join(f"'{group}'" for group in deleted)
        print(f"Deletion of requested share groups ({names}) was successful.")
        return 0
    group_actions.report_refused("share", failed, deleted)
    return 1


async def _reset(admin: Admin, group: str, found: argparse.Namespace) -> int:
    described = (await admin.describe_share_groups([group]))[group]
    if described.state not in ("Empty", "Dead"):
        raise ToolError(f"Share group '{group}' is not empty.")
    known = await admin.list_share_group_offsets(group)
    current = {t: each.start_offset for t, each in known.items() if each.start_offset is not None}
    if found.all_topics:
        targets = sorted(current)
    else:
        targets = await group_tables.partitions_of(admin, found.topic)
    plan = await group_resets.plan(admin, group, found, current, targets)
    if found.execute and plan:
        await admin.alter_share_group_offsets(group, plan)
    group_resets.show({group: plan}, found.export, name_groups=False)
    return 0


async def _delete_offsets(admin: Admin, group: str, topics: Sequence[str]) -> int:
    try:
        outcomes = await admin.delete_share_group_offsets(group, topics)
    except KafkaError as error:
        raise ToolError(f"{error.code.name}: {words(error)}") from error
    columns = [Column("TOPIC", 15, grows=True), Column("STATUS", 0)]
    rows = [
        [topic, "Successful" if error is None else f"Error: {words(error)}"]
        for topic, error in sorted(outcomes.items())
    ]
    if any(outcomes.values()):
        print(
            "\nError: Encountered some partition-level error, see the follow-up details.",
            file=sys.stderr,
        )
    print("\n" + "\n".join(lines(columns, rows)))
    return 1 if any(outcomes.values()) else 0
