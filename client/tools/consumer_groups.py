"""kafka-consumer-groups: list, describe and delete groups, and reset their offsets."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from raftka.client.admin import Admin, GroupListing, SomeFailed
from raftka.client.tools import group_actions, group_resets, group_tables
from raftka.client.tools.options import (
    Options,
    UsageError,
    admin_settings,
    exclude,
    given,
    require,
)
from raftka.client.tools.running import run
from raftka.client.tools.tables import Column, lines

_ACTIONS = ("list", "describe", "delete", "reset-offsets", "delete-offsets", "validate-regex")
_STATES = (
    "PreparingRebalance",
    "CompletingRebalance",
    "Stable",
    "Dead",
    "Empty",
    "Assigning",
    "Reconciling",
)
_TYPES = ("Classic", "Consumer")
_CONSUMER_PROTOCOLS = ("consumer", "")

options = Options(
    "kafka-consumer-groups",
    "This tool helps to list all consumer groups, describe a consumer group, delete consumer group"
    " info, or reset consumer group offsets.",
)
options.servers()
options.flag("--list", help="List all consumer groups.")
options.flag("--describe", help="Describe groups and the lag of their offsets.")
options.flag("--delete", help="Delete groups that have no members.")
options.flag("--reset-offsets", help="Move the offsets of a group that has no members.")
options.flag("--delete-offsets", help="Forget the offsets of topics.")
options.text("--validate-regex", metavar="REGEX", help="Check the syntax of a pattern of topics.")
options.many("--group", metavar="ID", help="A group to act on; may be given several times.")
options.flag("--all-groups", help="Act on all groups.")
options.many("--topic", metavar="TOPIC", help="A topic, or topic:0,1,2 for partitions of it.")
options.flag("--all-topics", help="All topics that the group has read, for --reset-offsets.")
options.flag("--members", help="With --describe: the members.")
options.flag("--offsets", help="With --describe: the offsets (the default).")
group_actions.state_option(options)
options.add_argument(
    "--type", nargs="?", const="", metavar="TYPES", help="With --list: the type, or only these."
)
options.flag("--verbose", help="With --describe: more columns, and how long records wait.")
options.number("--timeout", help="How long to wait for the brokers, in ms.")
group_resets.add_options(options)


def main(argv: Sequence[str]) -> int:
    return run(
        options,
        argv,
        _read,
        _work,
        failure="\nError: Executing consumer group command failed due to ",
    )


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    if len(given(found, *_ACTIONS)) != 1:
        raise UsageError(
            "Command must include exactly one action: --list, --describe, --delete,"
            " --reset-offsets, --delete-offsets, --validate-regex."
        )
    if found.validate_regex is not None:
        return found
    require(found, "bootstrap-server")
    if found.list:
        found.state = group_tables.names(found.state, _STATES, "state")
        found.type = group_tables.names(found.type, _TYPES, "type")
    if (found.describe or found.delete) and not (found.group or found.all_groups):
        action = "describe" if found.describe else "delete"
        raise UsageError(f"Option [{action}] takes one of these options: [group], [all-groups]")
    if found.describe:
        group_actions.check_description(found)
    if found.delete:
        exclude(found, "delete", "topic")
    if found.delete_offsets:
        require(found, "group", "topic")
    if found.reset_offsets:
        _check_reset(found)
    else:
        for scenario in group_resets.SCENARIOS:
            exclude(found, scenario, *_ACTIONS)
    return found


def _check_reset(found: argparse.Namespace) -> None:
    if found.dry_run and found.execute:
        raise UsageError("Option [reset-offsets] only accepts one of [execute] and [dry-run]")
    if not found.dry_run and not found.execute:
        print(
            "WARN: No action will be performed as the --execute option is missing. Add --dry-run to"
            " keep it so without this warning.",
            file=sys.stderr,
        )
    if not found.group and not found.all_groups:
        raise UsageError("Option [reset-offsets] takes one of these options: [group], [all-groups]")
    group_resets.check_scenario(found)
    if not (found.topic or found.all_topics or found.from_file):
        raise UsageError("One of the reset scopes should be defined: --all-topics, --topic.")


async def _work(found: argparse.Namespace) -> int:
    if found.validate_regex is not None:
        return _validate(found.validate_regex)
    settings = admin_settings(found)
    if found.timeout is not None:
        settings["default.api.timeout.ms"] = found.timeout
    async with Admin(settings) as admin:
        if found.list:
            await _list(admin, found)
            return 0
        groups = found.group
        if found.all_groups:
            groups = [listing.group_id for listing in await _consumer_groups(admin)]
        if found.describe:
            return await group_tables.describe(admin, groups, found)
        if found.delete:
            return await _delete(admin, groups)
        if found.reset_offsets:
            return await group_resets.reset_offsets(admin, groups, found)
        return await _delete_offsets(admin, groups[0], found.topic)


def _validate(text: str) -> int:
    try:
        re.compile(text)
    except re.error as error:
        print(f"The regular expression `{text}` is invalid: {error}.", file=sys.stderr)
        return 1
    print(f"The regular expression `{text}` is valid.")
    return 0


async def _consumer_groups(
    admin: Admin, states: Sequence[str] = (), types: Sequence[str] = ()
) -> list[GroupListing]:
    listed = await admin.list_groups(states=states, types=types)
    return [listing for listing in listed if listing.protocol_type in _CONSUMER_PROTOCOLS]


async def _list(admin: Admin, found: argparse.Namespace) -> None:
    listed = await _consumer_groups(admin, found.state or (), found.type or ())
    if found.state is None and found.type is None:
        for listing in listed:
            print(listing.group_id)
        return
    width = max([15, *(len(listing.group_id) for listing in listed)]) + 10
    columns = [Column("GROUP", width)]
    if found.type is not None:
        columns.append(Column("TYPE", 20))
    if found.state is not None:
        columns.append(Column("STATE", 20))
    rows = [
        [
            listing.group_id,
            *([listing.type.capitalize()] if found.type is not None else []),
            *([listing.state] if found.state is not None else []),
        ]
        for listing in listed
    ]
    print("\n".join(lines(columns, rows)))


async def _delete(admin: Admin, groups: Sequence[str]) -> int:
    try:
        await admin.delete_groups(groups)
    except SomeFailed as error:
        deleted = [g for g, outcome in error.outcomes.items() if outcome is None]
        group_actions.report_refused("consumer", group_actions.refusals(error), deleted)
        return 1
    names = ", ".join(f"'{group}'" for group in groups)
    print(f"Deletion of requested consumer groups ({names}) was successful.")
    return 0


async def _delete_offsets(admin: Admin, group: str, topics: Sequence[str]) -> int:
    targets = await group_tables.partitions_of(admin, topics)
    return await group_actions.forget_offsets(admin, group, targets)
