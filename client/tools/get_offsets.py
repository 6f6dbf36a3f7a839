"""kafka-get-offsets: the offsets of partitions by timestamp."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from raftka.client.admin import Admin, SomeFailed
from raftka.client.tools.filters import partition_filter, topic_pattern
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    admin_settings,
    require,
    shortened,
    whole_number,
)
from raftka.client.tools.running import run, words
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition

_TIMES = {
    "latest": -1,
    "earliest": -2,
    "max-timestamp": -3,
    "earliest-local": -4,
    "latest-tiered": -5,
    "earliest-pending-upload": -6,
}

options = Options("kafka-get-offsets", "An interactive shell for getting topic-partition offsets.")
options.servers()
options.text("--topic", metavar="TOPIC", help="A pattern of topics; default: all of them.")
options.text("--partitions", metavar="IDS", help="Partitions, separated by commas; default: all.")
options.text(
    "--topic-partitions",
    metavar="PATTERNS",
    help="topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3 (the upper bound is not included).",
)
options.text(
    "--time",
    metavar="TIME",
    default="latest",
    help="A timestamp in ms, or latest (-1), earliest (-2), max-timestamp (-3),\n"
    "earliest-local (-4), latest-tiered (-5), earliest-pending-upload (-6).",
)
options.flag("--exclude-internal-topics", help="Leave internal topics out.")


@dataclass(frozen=True, slots=True)
class _Job:
    found: argparse.Namespace
    time: int
    matches: Callable[[TopicPartition], bool]


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work, failure="Error occurred: ")


def _read(argv: Sequence[str]) -> _Job:
    found = options.read(argv)
    require(found, "bootstrap-server")
    if found.topic_partitions and (found.topic or found.partitions):
        raise UsageError("--topic-partitions cannot be used with --topic or --partitions")
    return _Job(found, _time(found.time), _matcher(found))


def _time(text: str) -> int:
    word = text.strip().lower()
    if word in _TIMES:
        return _TIMES[word]
    try:
        return whole_number(word, 64)
    except ValueError:
        raise UsageError(
            f"Malformed time argument {shortened(text)}, please use -1 or latest / -2 or earliest"
            " / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or"
            " earliest-pending-upload, or a specified long format timestamp"
        ) from None


def _matcher(found: argparse.Namespace) -> Callable[[TopicPartition], bool]:
    if found.topic_partitions:
        filters = [partition_filter(part) for part in found.topic_partitions.split(",")]
        return lambda target: any(matches(target) for matches in filters)
    pattern = topic_pattern(found.topic) if found.topic else re.compile(".*")
    wanted: set[int] | None = None
    if found.partitions:
        try:
            wanted = {whole_number(part) for part in found.partitions.split(",")}
        except ValueError:
            raise UsageError(
                f"--partitions expects a comma separated list of numeric partition ids, but"
                f" received: {found.partitions}"
            ) from None
    return lambda target: (
        bool(pattern.fullmatch(target.topic)) and (wanted is None or target.partition in wanted)
    )


async def _work(job: _Job) -> None:
    async with Admin(admin_settings(job.found)) as admin:
        topics = await admin.list_topics(internal=not job.found.exclude_internal_topics)
        described = await admin.describe_topics(topics)
        targets = [
            TopicPartition(topic.name, part.index)
            for topic in described.values()
            for part in topic.partitions
            if job.matches(TopicPartition(topic.name, part.index))
        ]
        if not targets:
            raise ToolError("Could not match any topic-partitions with the specified filters")
        try:
            offsets = await admin.list_offsets(dict.fromkeys(targets, job.time))
            outcomes: dict[TopicPartition, object] = dict(offsets)
        except SomeFailed as error:
            outcomes = dict(error.outcomes)
        for target in sorted(targets):
            outcome = outcomes[target]
            if isinstance(outcome, KafkaError):
                print(f"Skip getting offsets for {target}: {words(outcome)}", file=sys.stderr)
                continue
            offset = getattr(outcome, "offset", -1)
            if offset >= 0:
                print(f"{target.topic}:{target.partition}:{offset}")
