"""kafka-console-consumer: prints the records of topics as they come."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from raftka.client.config import CONSUMER
from raftka.client.consumer import EARLIEST, LATEST, Consumer
from raftka.client.tools.filters import topic_pattern
from raftka.client.tools.formatters import Formatter, formatter
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    known_settings,
    parse_pairs,
    read_properties,
    require,
    shortened,
    whole_number,
)
from raftka.client.tools.running import run
from raftka.model.ids import TopicPartition
from raftka.net.clock import system_dice

options = Options(
    "kafka-console-consumer",
    "This tool helps to read data from Kafka topics and outputs it to standard output.",
)
options.servers()
options.text("--topic", metavar="TOPIC", help="The topic to read.")
options.text("--include", metavar="PATTERN", help="A pattern of topics to read.")
options.text("--group", metavar="ID", help="The group to read as a member of.")
options.flag(
    "--from-beginning", help="Begin at the start rather than the end, if nothing says where."
)
options.number("--partition", help="The partition to read; from its end unless --offset says.")
options.text("--offset", metavar="OFFSET", help="A number, earliest or latest (the default).")
options.number("--max-messages", help="Stop after so many records.")
options.number("--timeout-ms", bits=64, help="Stop when no record came for so long.")
options.text("--isolation-level", metavar="LEVEL", help="read_committed or read_uncommitted.")
options.text("--formatter", metavar="CLASS", help="How records are shown; see below.")
options.many("--formatter-property", metavar="NAME=VALUE", help="What is shown; see below.")
options.many("--property", metavar="NAME=VALUE", help="Older name of --formatter-property.")
options.text("--formatter-config", metavar="FILE", help="A file of formatter properties.")
options.many("--command-property", metavar="NAME=VALUE", help="A setting of the consumer.")
options.many("--consumer-property", metavar="NAME=VALUE", help="Older name of --command-property.")
options.text("--consumer.config", metavar="FILE", help="Older name of --command-config.")
options.text("--key-deserializer", metavar="CLASS", help="What keys are: StringDeserializer, ...")
options.text("--value-deserializer", metavar="CLASS", help="What values are.")
options.flag("--skip-message-on-error", help="Go on after a record that cannot be shown.")
options.flag("--enable-systest-events", help="Accepted, without effect.")
options.epilog = """\
formatters, by Kafka's names with or without the package:
  DefaultMessageFormatter  LoggingMessageFormatter  NoOpMessageFormatter
  OffsetsMessageFormatter  GroupMetadataMessageFormatter  ShareGroupMessageFormatter,
  for __consumer_offsets
  TransactionLogMessageFormatter, for __transaction_state
  ShareGroupStateMessageFormatter, for __share_group_state
formatter properties and their defaults:
  print.timestamp=false  print.partition=false  print.offset=false  print.epoch=false
  print.headers=false  print.key=false  print.value=true  key.separator=\\t
  line.separator=\\n  headers.separator=,  null.literal=null
  key.deserializer=  value.deserializer=  headers.deserializer="""


@dataclass(slots=True)
class _Job:
    settings: dict[str, object]
    formatter: Formatter
    topic: str | None
    pattern: re.Pattern[str] | None
    partition: int | None
    offset: int | None
    limit: int
    timeout_s: float
    skip_errors: bool
    shown: int = field(default=0)


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> _Job:
    found = options.read(argv)
    if (found.topic is None) == (found.include is None):
        raise UsageError("Exactly one of --include/--topic is required.")
    require(found, "bootstrap-server")
    if found.partition is not None:
        if found.topic is None:
            raise UsageError("The topic is required when partition is specified.")
        if found.group is not None:
            raise UsageError("Options group and partition cannot be specified together.")
        if found.from_beginning and found.offset is not None:
            raise UsageError("Options from-beginning and offset cannot be specified together.")
    elif found.offset is not None:
        raise UsageError("The partition is required when offset is specified.")
    properties = read_properties(found.formatter_config)
    properties |= parse_pairs(found.property + found.formatter_property, "--formatter-property")
    for side in ("key", "value"):
        name = getattr(found, f"{side}_deserializer")
        if name:
            properties[f"{side}.deserializer"] = name
    limit = -1 if found.max_messages is None else found.max_messages
    return _Job(
        _settings(found),
        formatter(found.formatter, properties),
        found.topic,
        topic_pattern(found.include) if found.include else None,
        found.partition,
        _offset(found),
        limit,
        math.inf if found.timeout_ms is None or found.timeout_ms < 0 else found.timeout_ms / 1000,
        found.skip_message_on_error,
    )


def _offset(found: argparse.Namespace) -> int | None:
    """Where to start in a single partition: an offset, EARLIEST or LATEST."""
    if found.partition is None:
        return None
    if found.offset is None:
        return EARLIEST if found.from_beginning else LATEST
    word = found.offset.strip().lower()
    if word in ("earliest", "latest"):
        return EARLIEST if word == "earliest" else LATEST
    try:
        offset = whole_number(word, 64)
    except ValueError:
        offset = -1
    if offset < 0:
        raise UsageError(
            f"The provided offset value '{shortened(found.offset)}' is incorrect. Valid values are"
            " 'earliest', 'latest', or a non-negative long."
        )
    return offset


def _settings(found: argparse.Namespace) -> dict[str, object]:
    given = read_properties(found.__dict__["consumer.config"])
    given |= read_properties(found.command_config)
    given |= parse_pairs(found.consumer_property, "--consumer-property")
    given |= parse_pairs(found.command_property, "--command-property")
    settings: dict[str, object] = {"client.id": "console-consumer"}
    settings |= known_settings(CONSUMER, given)
    groups = {str(g) for g in (found.group, settings.get("group.id")) if g is not None}
    if len(groups) > 1:
        raise UsageError(
            "The group ids provided in different places (directly using '--group', via"
            " '--command-property', or via '--command-config') do not match. Detected group ids: "
            + ", ".join(f"'{group}'" for group in sorted(groups))
        )
    if groups:
        settings["group.id"] = groups.pop()
    elif found.partition is None:
        # A group of its own, which is not left behind.
        settings["group.id"] = f"console-consumer-{system_dice().randrange(100_000)}"
        settings.setdefault("enable.auto.commit", False)
    reset = settings.get("auto.offset.reset")
    if found.from_beginning and reset not in (None, "earliest"):
        raise UsageError(
            f"Can't simultaneously specify --from-beginning and 'auto.offset.reset={reset}', please"
            " remove one option"
        )
    if found.from_beginning or reset is None:
        settings["auto.offset.reset"] = "earliest" if found.from_beginning else "latest"
    if found.isolation_level:
        settings["isolation.level"] = found.isolation_level
    settings["bootstrap.servers"] = found.bootstrap_server
    return settings


async def _work(job: _Job) -> int:
    try:
        async with Consumer(job.settings) as consumer:
            _choose(consumer, job)
            return await _show_all(consumer, job)
    finally:
        print(f"Processed a total of {job.shown} messages", file=sys.stderr)


def _choose(consumer: Consumer, job: _Job) -> None:
    if job.partition is None:
        consumer.subscribe(job.pattern if job.pattern is not None else [job.topic or ""])
        return
    target = TopicPartition(job.topic or "", job.partition)
    consumer.assign([target])
    if job.offset == EARLIEST:
        consumer.seek_to_beginning()
    elif job.offset == LATEST:
        consumer.seek_to_end()
    elif job.offset is not None:
        consumer.seek(target, job.offset)


async def _show_all(consumer: Consumer, job: _Job) -> int:
    last = trio.current_time()
    out = sys.stdout.buffer
    while job.limit < 0 or job.shown < job.limit:
        wait_s = min(1.0, last + job.timeout_s - trio.current_time())
        if wait_s <= 0:
            break
        room = None if job.limit < 0 else job.limit - job.shown
        records = await consumer.poll(wait_s, max_records=room)
        for record in records:
            try:
                out.write(job.formatter.format(record))
            except ToolError as error:
                if not job.skip_errors:
                    raise
                print(f"Error processing message, skipping it: {error}", file=sys.stderr)
            job.shown += 1
        if records:
            out.flush()
            last = trio.current_time()
    return 0
