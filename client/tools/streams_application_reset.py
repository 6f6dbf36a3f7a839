"""kafka-streams-application-reset: lets a Kafka Streams application start over.

It moves the offsets of input topics, to the beginning unless an option says otherwise, and those of
intermediate topics to the end; it deletes internal topics. Errors in the command are found before
the first change. The state on the application's own machines is not reached from here:
KafkaStreams#cleanUp() deletes it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from raftka.client.admin import Admin
from raftka.client.consumer import LATEST
from raftka.client.tools import group_resets, group_tables
from raftka.client.tools.group_resets import SCENARIOS, Offsets
from raftka.client.tools.options import Options, ToolError, admin_settings, exclude, given, require
from raftka.client.tools.running import run
from raftka.client.tools.streams_internal import delete_topics, is_internal
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition

_SERVER = "localhost:9092"
_SCENARIOS = [name for name in SCENARIOS if name != "to-current"]

options = Options(
    "kafka-streams-application-reset",
    "This tool resets an application of Kafka Streams, so that it processes its input again from\n"
    "scratch: it moves the offsets of input topics, to the beginning unless an option says where,\n"
    "and deletes the internal topics of the application (<application.id>-...-changelog and the\n"
    "like). Stop all instances of the application first, try --dry-run, and call\n"
    "KafkaStreams#cleanUp() on every instance before it starts again, or its output is wrong.",
)
options.servers()
options.text("--application-id", metavar="ID", help="The application.id; needed.")
options.many(
    "--input-topics", metavar="TOPICS", help="Topics that the application reads, by commas."
)
options.many(
    "--intermediate-topics",
    metavar="TOPICS",
    help="Deprecated: topics that it reads and writes; it goes on at their ends.",
)
options.many(
    "--internal-topics",
    metavar="TOPICS",
    help="Internal topics to delete; default: all, as --dry-run shows them.",
)
options.flag("--force", help="Remove members that the group still has.")
options.flag("--dry-run", help="Show what would be done, change nothing.")
options.text("--config-file", metavar="FILE", help="Older name of --command-config.")
group_resets.add_scenarios(options)


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work, failure="ERROR: ")


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    require(found, "application-id")
    for scenario in _SCENARIOS:
        exclude(found, scenario, *(each for each in _SCENARIOS if each != scenario))
    exclude(found, "config-file", "command-config")
    group_resets.check_times(found)
    if found.config_file:
        print(
            "Option --config-file has been deprecated and will be removed in a future version. Use"
            " --command-config instead."
        )
        found.command_config = found.config_file
    if found.intermediate_topics:
        print("WARN: `--intermediate-topics` is deprecated and will be removed in a future release")
    for name in ("input_topics", "intermediate_topics", "internal_topics"):
        setattr(found, name, _names(getattr(found, name)))
    found.to_current = False
    found.to_earliest = found.to_earliest or not given(found, *_SCENARIOS)
    found.bootstrap_server = found.bootstrap_server or _SERVER
    return found


def _names(lists: Sequence[str]) -> list[str]:
    names = [name.strip() for text in lists for name in text.split(",")]
    return [name for name in dict.fromkeys(names) if name]


async def _work(found: argparse.Namespace) -> int:
    async with Admin(admin_settings(found)) as admin:
        topics = sorted(await admin.list_topics(internal=False))
        doomed = _internal(found, topics)
        await _end_members(admin, found)
        if found.dry_run:
            print(
                "----Dry run displays the actions which will be performed when running Streams"
                " Reset Tool----"
            )
        code = await _move(admin, found, set(topics))
        which = "specified" if found.internal_topics else "inferred"
        print(f"Deleting {which} internal topics {_listed(doomed)}")
        if not found.dry_run and doomed and await delete_topics(admin, doomed):
            raise ToolError("Encountered an error deleting one or more topics")
        print("Done.")
        return code


def _internal(found: argparse.Namespace, topics: Sequence[str]) -> list[str]:
    """The internal topics to delete. Raises ToolError for topics that are not internal.

    A topic that the application reads is not internal, whatever its name (KAFKA-7930).
    """
    others = {*found.input_topics, *found.intermediate_topics}
    inferred = [t for t in topics if is_internal(t, found.application_id) and t not in others]
    wrong = [topic for topic in found.internal_topics if topic not in inferred]
    if wrong:
        raise ToolError(
            f"Invalid topic specified in the --internal-topics option: {', '.join(wrong)}. Ensure"
            " that the topics specified are all internal topics. Do a dry run without the"
            " --internal-topics option to see the list of all internal topics that can be deleted."
        )
    return found.internal_topics or inferred


# Members.


async def _end_members(admin: Admin, found: argparse.Namespace) -> None:
    """Make sure that the group has no members, with --force by removing them. Raises ToolError when
    members are left.
    """
    group = found.application_id
    streams = await _streams_members(admin, group)
    members = streams or await _consumers(admin, group)
    if not members:
        return
    if not found.force:
        raise ToolError(
            f"Consumer group '{group}' is still active and has following members:"
            f" {', '.join(members)}. Make sure to stop all running application instances before"
            " running the reset tool. You can use option '--force' to remove active members from"
            " the group."
        )
    print(f"Force deleting all active members in the group: {group}")
    if found.dry_run:
        return
    if streams:
        await admin.remove_streams_group_members(group, streams)
    else:
        await admin.remove_group_members(group, members)


async def _streams_members(admin: Admin, group: str) -> list[str]:
    try:
        described = await admin.describe_streams_groups([group])
    except KafkaError as error:
        # Brokers without streams groups have none; the other kind of group comes next.
        if error.code not in (ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.UNSUPPORTED_VERSION):
            raise
        return []
    return [member.member_id for member in described[group].members]


async def _consumers(admin: Admin, group: str) -> list[str]:
    try:
        described = await admin.describe_groups([group])
    except KafkaError as error:
        if error.code is not ErrorCode.GROUP_ID_NOT_FOUND:
            raise
        return []
    return [member.member_id for member in described[group].members]


# Offsets.


async def _move(admin: Admin, found: argparse.Namespace, topics: set[str]) -> int:
    """Move the offsets, or show the new ones; 1 when topics are missing."""
    group = found.application_id
    if not (found.input_topics or found.intermediate_topics):
        print("No input or intermediate topics specified. Skipping seek.")
        return 0
    if found.input_topics:
        print(f"Reset-offsets for input topics {_listed(found.input_topics)}")
    if found.intermediate_topics:
        print(f"Seek-to-end for intermediate topics {_listed(found.intermediate_topics)}")
    missing = _report_missing("input", found.input_topics, topics)
    missing |= _report_missing("intermediate", found.intermediate_topics, topics)
    inputs = await _partitions(admin, found.input_topics, missing)
    between = await _partitions(admin, found.intermediate_topics, {*missing, *found.input_topics})
    offsets = await _planned(admin, found, inputs)
    ends = await group_resets.offsets_at(admin, between, LATEST)
    if offsets:
        print(f"Following input topics offsets will be reset to (for consumer group {group})")
    for target, offset in sorted(offsets.items()):
        print(f"Topic: {target.topic} Partition: {target.partition} Offset: {offset}")
    if ends:
        print(
            "Following intermediate topics offsets will be reset to end (for consumer group"
            f" {group})"
        )
    for target in sorted(ends):
        print(f"Topic: {target.topic}")
    if not found.dry_run:
        await group_resets.store(admin, group, offsets | ends)
    if offsets or ends:
        print("Done.")
    return 1 if missing else 0


def _report_missing(kind: str, wanted: Sequence[str], topics: set[str]) -> set[str]:
    missing = [topic for topic in wanted if topic not in topics]
    if missing:
        print(f"Following {kind} topics are not found, skipping them")
    for topic in missing:
        print(f"Topic: {topic}")
    sys.stdout.flush()
    return set(missing)


async def _partitions(
    admin: Admin, topics: Sequence[str], without: set[str]
) -> list[TopicPartition]:
    return await group_tables.partitions_of(admin, [t for t in topics if t not in without])


async def _planned(
    admin: Admin, found: argparse.Namespace, targets: Sequence[TopicPartition]
) -> Offsets:
    """The new offsets of input topics. Raises ToolError."""
    group = found.application_id
    if found.from_file:
        return await group_resets.within_log(admin, _from_file(found.from_file, group, targets))
    committed: Offsets = {}
    if found.shift_by is not None:
        committed = await group_resets.committed_offsets(admin, group)
        new = [target for target in targets if target not in committed]
        # A consumer without a committed offset begins at the end by default.
        committed |= await group_resets.offsets_at(admin, new, LATEST)
    return await group_resets.plan(admin, group, found, committed, targets)


def _from_file(
    path: str, group: str, targets: Sequence[TopicPartition]
) -> Mapping[TopicPartition, int]:
    offsets = group_resets.from_file(path, group)
    missing = [str(target) for target in targets if target not in offsets]
    if missing:
        raise ToolError(
            f"{path} has no offset for {', '.join(missing)}: it must have a line"
            " TOPIC,PARTITION,OFFSET for each partition of --input-topics"
        )
    return {target: offsets[target] for target in targets}


def _listed(topics: Sequence[str]) -> str:
    return f"[{', '.join(topics)}]"
