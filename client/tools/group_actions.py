"""The common actions of the tools for groups of each kind: an option, lists, deletions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from raftka.client.admin import Admin, GroupListing, SomeFailed
from raftka.client.tools.options import Options, ToolError, UsageError, given
from raftka.client.tools.running import words
from raftka.client.tools.tables import Column, lines
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition


def state_option(options: Options) -> None:
    """Declare --state, with or without a list of states."""
    options.add_argument(
        "--state",
        nargs="?",
        const="",
        metavar="STATES",
        help="With --describe or --list: the state; with --list also only groups in these.",
    )


def check_description(found: argparse.Namespace) -> None:
    """Raises UsageError for --describe of two things at once, or of groups in certain states."""
    if len(given(found, "members", "offsets", "state")) > 1:
        raise UsageError(
            "Option [describe] takes at most one of these options: [members], [offsets], [state]"
        )
    if found.state:
        raise UsageError("Option [describe] does not take a value for [state]")


def print_listed(listed: Sequence[GroupListing], *, with_state: bool) -> None:
    """Print the ids of groups, with their states if the options select them."""
    if not with_state:
        for listing in listed:
            print(listing.group_id)
        return
    columns = [Column("GROUP", 15, grows=True), Column("STATE", 0)]
    print("\n".join(lines(columns, [[each.group_id, each.state] for each in listed])))


def report_refused(kind: str, reasons: Mapping[str, str], deleted: Sequence[str] = ()) -> None:
    """Print on stderr the groups that were not deleted, with reasons, and those that were."""
    print(f"\nError: Deletion of some {kind} groups failed:", file=sys.stderr)
    for group, reason in reasons.items():
        print(f"* Group '{group}' could not be deleted due to: {reason}", file=sys.stderr)
    if deleted:
        print(
            f"\nThese {kind} groups were deleted successfully: {', '.join(deleted)}",
            file=sys.stderr,
        )


def refusals(error: SomeFailed) -> dict[str, str]:
    """The errors of the groups that were not deleted."""
    outcomes = error.outcomes.items()
    return {group: words(each) for group, each in outcomes if isinstance(each, KafkaError)}


async def forget_offsets(admin: Admin, group: str, targets: Sequence[TopicPartition]) -> int:
    """Delete committed offsets of a group, and print each outcome; returns the exit code. Raises
    ToolError when the coordinator refuses the whole group.
    """
    outcomes: dict[TopicPartition, KafkaError | None] = dict.fromkeys(targets)
    try:
        await admin.delete_group_offsets(group, targets)
    except SomeFailed as error:
        outcomes |= error.outcomes
        print(
            "\nError: Encountered some partition-level error, see the follow-up details.",
            file=sys.stderr,
        )
    except KafkaError as error:
        raise ToolError(f"{error.code.name}: {words(error)}") from error
    else:
        print(f"Request succeeded for deleting offsets from group {group}.")
    rows = [
        [
            target.topic,
            str(target.partition),
            "Successful" if outcome is None else f"Error: {words(outcome)}",
        ]
        for target, outcome in sorted(outcomes.items())
    ]
    columns = [Column("TOPIC", 15, grows=True), Column("PARTITION", 10), Column("STATUS", 15)]
    print("\n" + "\n".join(lines(columns, rows)))
    return 1 if any(outcome is not None for outcome in outcomes.values()) else 0
