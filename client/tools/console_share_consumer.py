"""kafka-console-share-consumer: prints records as a member of a share group (KIP-932)."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from raftka.client.config import SHARE_CONSUMER
from raftka.client.share import AcknowledgeType, ShareConsumer
from raftka.client.tools.formatters import Formatter, formatter
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    known_settings,
    parse_pairs,
    read_properties,
    require,
)
from raftka.client.tools.running import run

_GROUP = "console-share-consumer"

options = Options(
    "kafka-console-share-consumer",
    "This tool helps to read data from Kafka topics using share groups and outputs it to standard"
    " output.",
)
options.servers()
options.text("--topic", metavar="TOPIC", help="The topic to work on.")
options.text("--group", metavar="ID", help=f"The share group to join (default: {_GROUP}).")
options.number("--max-messages", help="Stop after so many records.")
options.number("--timeout-ms", bits=64, help="Stop when no record came for so long.")
options.flag("--reject", help="Reject what was shown: no member gets it again.")
options.flag("--release", help="Release what was shown: it is delivered again.")
options.flag("--reject-message-on-error", help="Go on after a record that cannot be shown.")
options.text("--formatter", metavar="CLASS", help="How records are shown.")
options.many("--formatter-property", metavar="NAME=VALUE", help="What is shown.")
options.many("--property", metavar="NAME=VALUE", help="Older name of --formatter-property.")
options.text("--formatter-config", metavar="FILE", help="A file of formatter properties.")
options.many("--command-property", metavar="NAME=VALUE", help="A setting of the consumer.")
options.many("--consumer-property", metavar="NAME=VALUE", help="Older name of --command-property.")
options.text("--consumer-config", metavar="FILE", help="Older name of --command-config.")
options.text("--key-deserializer", metavar="CLASS", help="What keys are: StringDeserializer, ...")
options.text("--value-deserializer", metavar="CLASS", help="What values are.")
options.flag("--enable-systest-events", help="Accepted, without effect.")
options.epilog = """\
Formatters and their properties are those of kafka-console-consumer. What is shown is accepted,
unless --reject or --release says otherwise. Where a new group begins is a setting of the group:
  kafka-configs --alter --entity-type groups --entity-name ID --add-config
  share.auto.offset.reset=earliest"""


@dataclass(slots=True)
class _Job:
    settings: dict[str, object]
    formatter: Formatter
    topic: str
    limit: int
    timeout_s: float
    says: AcknowledgeType
    rejects_errors: bool
    shown: int = field(default=0)


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> _Job:
    found = options.read(argv)
    require(found, "topic", "bootstrap-server")
    if found.reject and found.release:
        raise UsageError("At most one of --reject and --release may be specified.")
    properties = read_properties(found.formatter_config)
    properties |= parse_pairs(found.property + found.formatter_property, "--formatter-property")
    for side in ("key", "value"):
        name = getattr(found, f"{side}_deserializer")
        if name:
            properties[f"{side}.deserializer"] = name
    says = AcknowledgeType.REJECT if found.reject else AcknowledgeType.ACCEPT
    return _Job(
        _settings(found),
        formatter(found.formatter, properties),
        found.topic,
        -1 if found.max_messages is None else found.max_messages,
        math.inf if found.timeout_ms is None or found.timeout_ms < 0 else found.timeout_ms / 1000,
        AcknowledgeType.RELEASE if found.release else says,
        found.reject_message_on_error,
    )


def _settings(found: argparse.Namespace) -> dict[str, object]:
    given = read_properties(found.consumer_config)
    given |= read_properties(found.command_config)
    given |= parse_pairs(found.consumer_property, "--consumer-property")
    given |= parse_pairs(found.command_property, "--command-property")
    settings: dict[str, object] = {"client.id": _GROUP}
    settings |= known_settings(SHARE_CONSUMER, given)
    settings["group.id"] = found.group or settings.get("group.id") or _GROUP
    settings["share.acknowledgement.mode"] = "explicit"
    settings["bootstrap.servers"] = found.bootstrap_server
    return settings


async def _work(job: _Job) -> int:
    try:
        async with ShareConsumer(job.settings) as consumer:
            consumer.subscribe([job.topic])
            return await _show_all(consumer, job)
    finally:
        print(f"Processed a total of {job.shown} messages", file=sys.stderr)


async def _show_all(consumer: ShareConsumer, job: _Job) -> int:
    last = trio.current_time()
    out = sys.stdout.buffer
    while job.limit < 0 or job.shown < job.limit:
        wait_s = min(1.0, last + job.timeout_s - trio.current_time())
        if wait_s <= 0:
            break
        records = await consumer.poll(wait_s)
        for each in records:
            if 0 <= job.limit <= job.shown:
                consumer.acknowledge(each, AcknowledgeType.RELEASE)
                continue
            says = job.says
            try:
                out.write(job.formatter.format(each.record))
            except ToolError as error:
                if not job.rejects_errors:
                    raise
                print(f"Error processing message, rejecting it: {error}", file=sys.stderr)
                says = AcknowledgeType.REJECT
            consumer.acknowledge(each, says)
            job.shown += 1
        if records:
            out.flush()
            last = trio.current_time()
    return 0
