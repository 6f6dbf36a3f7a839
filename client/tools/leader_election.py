"""kafka-leader-election: elect preferred leaders or, at the cost of records, any live replica."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from raftka.client.admin import Admin, ElectionType
from raftka.client.tools.json_files import partition_entries
from raftka.client.tools.options import Options, ToolError, UsageError, admin_settings, given
from raftka.client.tools.running import run, words
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition

options = Options(
    "kafka-leader-election",
    "This tool attempts to elect a new leader for a set of topic partitions. The type of elections"
    " supported are preferred replicas and unclean replicas.",
)
options.servers()
options.text("--admin.config", metavar="FILE", help="Older name of --command-config.")
options.text("--election-type", metavar="TYPE", help="preferred or unclean.")
options.text("--topic", metavar="TOPIC", help="The topic of the partition.")
options.number("--partition", help="The partition.")
options.flag("--all-topic-partitions", help="All partitions that are eligible.")
options.text(
    "--path-to-json-file",
    metavar="FILE",
    help='{"partitions": [{"topic": "foo", "partition": 1}]}',
)


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    missing = [n for n in ("bootstrap-server", "election-type") if not given(found, n)]
    if missing:
        raise UsageError(f"Missing required option(s): {', '.join(missing)}")
    if len(given(found, "topic", "all-topic-partitions", "path-to-json-file")) != 1:
        raise UsageError(
            "One and only one of the following options is required: topic, all-topic-partitions,"
            " path-to-json-file"
        )
    if found.topic is not None and found.partition is None:
        raise UsageError("Missing required option(s): partition")
    if found.topic is None and found.partition is not None:
        raise UsageError("Option partition is only allowed if topic is used")
    if found.election_type.upper() not in ElectionType.__members__:
        raise UsageError(
            f"Cannot parse argument '{found.election_type}' of option election-type: it must be"
            " preferred or unclean"
        )
    found.command_config = found.command_config or found.__dict__["admin.config"]
    return found


async def _work(found: argparse.Namespace) -> int:
    election = ElectionType[found.election_type.upper()]
    partitions: list[TopicPartition] | None = None
    if found.path_to_json_file:
        partitions = [target for target, _ in partition_entries(found.path_to_json_file)]
    elif found.topic is not None:
        partitions = [TopicPartition(found.topic, found.partition)]
    async with Admin(admin_settings(found)) as admin:
        outcomes = await admin.elect_leaders(election, partitions)
    elected = [target for target, error in outcomes.items() if error is None]
    valid = [
        target
        for target, error in outcomes.items()
        if error is not None and error.code == ErrorCode.ELECTION_NOT_NEEDED
    ]
    if elected:
        print(
            f"Successfully completed leader election ({election.name}) for partitions"
            f" {_names(elected)}"
        )
    if valid:
        print(f"Valid replica already elected for partitions {_names(valid)}")
    failed: dict[TopicPartition, KafkaError] = {
        target: error
        for target, error in outcomes.items()
        if error is not None and target not in valid
    }
    for target, error in failed.items():
        print(
            f"Error completing leader election ({election.name}) for partition: {target}:"
            f" {words(error)}"
        )
    if failed:
        sys.stdout.flush()
        raise ToolError(f"{len(failed)} replica(s) could not be elected")
    return 0


def _names(targets: Sequence[TopicPartition]) -> str:
    return ", ".join(map(str, sorted(targets)))
