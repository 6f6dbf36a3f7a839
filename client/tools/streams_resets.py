"""kafka-streams-groups --reset-offsets: moves the offsets from which an application reads.

With --execute, internal topics can be deleted in the same step: the application then rebuilds
its state from the records that it reads again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from raftka.client.admin import Admin, StreamsGroupDescription
from raftka.client.tools import group_resets, group_tables
from raftka.client.tools.group_resets import Offsets
from raftka.client.tools.options import ToolError, UsageError, exclude
from raftka.client.tools.streams_internal import delete_topics, internal_topics, is_internal
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition

_INACTIVE = ("Empty", "Dead")
_WIDTH = 30
"""The widths of the columns of names, as in Apache Kafka's tool."""


def check(found: argparse.Namespace) -> None:
    """Raises UsageError for options that do not go together; ToolError for an invalid time."""
    if found.dry_run and found.execute:
        raise UsageError("Option [reset-offsets] only accepts one of [execute] and [dry-run]")
    if not (found.dry_run or found.execute):
        raise UsageError("Option [reset-offsets] takes the option: [execute] or [dry-run]")
    group_resets.check_scenario(found)
    exclude(found, "input-topic", "all-input-topics")
    if not (found.input_topic or found.all_input_topics or found.from_file):
        raise UsageError(
            "One of the reset scopes should be defined: --all-input-topics, --input-topic."
        )
    if (found.delete_all_internal_topics or found.delete_internal_topic) and not found.execute:
        raise UsageError(
            "Options [delete-all-internal-topics] and [delete-internal-topic] take [execute] when"
            " [reset-offsets] is used."
        )


async def reset_offsets(admin: Admin, groups: Sequence[str], found: argparse.Namespace) -> int:
    """Compute the new offsets, print them, and store them with --execute; the exit code."""
    plans: dict[str, Offsets] = {}
    failed = False
    for group in groups:
        try:
            plans[group] = await _reset(admin, group, found)
        except ToolError as error:
            print(f"\nError: {error}", file=sys.stderr)
            failed = True
    sys.stderr.flush()
    named = len(groups) > 1 or found.all_groups
    group_resets.show(plans, found.export, name_groups=named, width=_WIDTH)
    return 1 if failed else 0


async def _reset(admin: Admin, group_id: str, found: argparse.Namespace) -> Offsets:
    """The new offsets of one group. Raises ToolError, before anything is changed."""
    group = await _described(admin, group_id)
    if group is not None and group.state not in _INACTIVE:
        raise ToolError(
            f"Assignments can only be reset if the group '{group_id}' is inactive, but the current"
            f" state is {group.state}."
        )
    topics = _topics_to_delete(group_id, group, found)
    committed = await input_offsets(admin, group_id, group)
    targets = await _targets(admin, group_id, found, committed)
    offsets = await group_resets.plan(admin, group_id, found, committed, targets)
    if found.execute:
        await group_resets.store(admin, group_id, offsets)
        if topics and await delete_topics(admin, topics):
            raise ToolError(
                f"The offsets of '{group_id}' are reset, but not all of its internal topics are"
                " deleted. Run the command again when the cause above is gone."
            )
    return offsets


async def _described(admin: Admin, group_id: str) -> StreamsGroupDescription | None:
    """The description; None for a group without members, which may have offsets. Raises
    KafkaError.
    """
    try:
        return (await admin.describe_streams_groups([group_id]))[group_id]
    except KafkaError as error:
        if error.code is not ErrorCode.GROUP_ID_NOT_FOUND:
            raise
        return None


async def input_offsets(
    admin: Admin, group_id: str, group: StreamsGroupDescription | None
) -> Offsets:
    """A group's committed offsets in the source topics of its topology."""
    committed = await group_resets.committed_offsets(admin, group_id)
    if group is None or not group.subtopologies:
        return committed
    read = {
        topic
        for each in group.subtopologies
        for topic in (*each.source_topics, *each.repartition_source_topics)
    }
    return {target: offset for target, offset in committed.items() if target.topic in read}


async def _targets(
    admin: Admin,
    group_id: str,
    found: argparse.Namespace,
    committed: Mapping[TopicPartition, int],
) -> list[TopicPartition]:
    """The partitions to move; with --input-topic those of the group only. Raises ToolError."""
    if not found.input_topic:
        if found.all_input_topics and not committed:
            raise ToolError(
                f"The group '{group_id}' has committed no offsets of input topics, so there is"
                " nothing to reset. kafka-streams-groups --list names the groups there are."
            )
        return sorted(committed)
    targets = await group_tables.partitions_of(admin, found.input_topic)
    foreign = sorted({target.topic for target in targets if target not in committed})
    if foreign:
        raise ToolError(
            f"One or more topics are not part of the group '{group_id}': it has committed nothing"
            f" of {', '.join(foreign)}."
        )
    return targets


def _topics_to_delete(
    group_id: str, group: StreamsGroupDescription | None, found: argparse.Namespace
) -> list[str]:
    """The internal topics that the options name. Raises ToolError for other topics."""
    own = [] if group is None else internal_topics(group)
    if found.delete_all_internal_topics:
        return own
    foreign = [
        topic
        for topic in found.delete_internal_topic
        if topic not in own and not is_internal(topic, group_id)
    ]
    if foreign:
        raise ToolError(
            f"{', '.join(foreign)}: not an internal topic of the group '{group_id}', which has"
            f" {', '.join(own) or 'none'}. Nothing was changed."
        )
    return list(found.delete_internal_topic)
