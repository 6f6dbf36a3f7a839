"""kafka-consumer-perf-test: how many records per second a consumer reads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from raftka.client.config import CONSUMER
from raftka.client.consumer import Consumer
from raftka.client.tools.filters import topic_pattern
from raftka.client.tools.options import (
    Options,
    UsageError,
    known_settings,
    parse_pairs,
    read_properties,
    require,
)
from raftka.client.tools.running import run
from raftka.model.ids import TopicPartition
from raftka.model.ports import Clock
from raftka.net.clock import system_clock, system_dice

_MB = 1024 * 1024
_TIMES = ("start.time", "end.time")
_COLUMNS = (
    "data.consumed.in.MB",
    "MB.sec",
    "data.consumed.in.nMsg",
    "nMsg.sec",
    "rebalance.time.ms",
    "fetch.time.ms",
    "fetch.MB.sec",
    "fetch.nMsg.sec",
)

options = Options(
    "kafka-consumer-perf-test", "This tool is used to verify the consumer performance."
)
options.servers()
options.text("--topic", metavar="TOPIC", help="The topic to read.")
options.text("--include", metavar="PATTERN", help="A pattern of topics to read.")
options.number("--num-records", bits=64, help="The number of records to read.")
options.number("--messages", bits=64, help="Older name of --num-records.")
options.text("--group", metavar="ID", help="The group to read as a member of.")
options.number("--fetch-size", default=1_048_576, help="Sets max.partition.fetch.bytes.")
options.flag("--from-latest", help="Begin at the end unless the group has its own place.")
options.number("--socket-buffer-size", help="Accepted, and left to the system.")
options.number(
    "--timeout", bits=64, default=10_000, help="Stop when no record came for so many ms."
)
options.many("--command-property", metavar="NAME=VALUE", help="A setting of the consumer.")
options.text("--consumer.config", metavar="FILE", help="Older name of --command-config.")
options.flag("--print-metrics", help="Accepted, without effect.")
options.flag("--show-detailed-stats", help="Report each interval.")
options.number("--reporting-interval", bits=64, default=5000, help="How long that is, in ms.")
options.flag("--hide-header", help="Leave the names of the columns out.")
options.text("--date-format", metavar="FORMAT", help="Accepted; times are as Kafka's default.")


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    require(found, "bootstrap-server")
    if (found.topic is None) == (found.include is None):
        raise UsageError("Exactly one of the following arguments is required: [topic], [include]")
    if (found.num_records is None) == (found.messages is None):
        raise UsageError(
            "Exactly one of the following arguments is required: [num-records], [messages]"
        )
    if found.messages is not None:
        print("Warning: --messages is deprecated. Use --num-records instead.", file=sys.stderr)
        found.num_records = found.messages
    return found


def _settings(found: argparse.Namespace) -> dict[str, object]:
    properties = read_properties(found.__dict__["consumer.config"])
    properties |= read_properties(found.command_config)
    properties |= parse_pairs(found.command_property, "--command-property")
    settings: dict[str, object] = {"client.id": "perf-consumer-client"}
    settings |= known_settings(CONSUMER, properties)
    settings["group.id"] = found.group or f"perf-consumer-{system_dice().randrange(100_000)}"
    settings["max.partition.fetch.bytes"] = found.fetch_size
    settings["auto.offset.reset"] = "latest" if found.from_latest else "earliest"
    settings["bootstrap.servers"] = found.bootstrap_server
    return settings


class _Rebalances:
    """How long the consumer was without partitions, in ms."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.monotonic()
        self.total_ms = 0.0

    async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self.total_ms += (self._clock.monotonic() - self._since) * 1000

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._since = self._clock.monotonic()

    async def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._since = self._clock.monotonic()


@dataclass(slots=True)
class _Point:
    """The totals at one time."""

    monotonic: float
    wall_ms: int
    bytes: int
    records: int
    rebalance_ms: float

    def since(self, start: _Point) -> str:
        """The eight figures of one line."""
        elapsed_ms = max(0.001, (self.monotonic - start.monotonic) * 1000)
        megabytes = (self.bytes - start.bytes) / _MB
        records = self.records - start.records
        rebalance_ms = self.rebalance_ms - start.rebalance_ms
        fetch_ms = max(0.001, elapsed_ms - rebalance_ms)
        return (
            f"{self.bytes / _MB:.4f}, {megabytes * 1000 / elapsed_ms:.4f}, {self.records},"
            f" {records * 1000 / elapsed_ms:.4f}, {rebalance_ms:.0f}, {fetch_ms:.0f},"
            f" {megabytes * 1000 / fetch_ms:.4f}, {records * 1000 / fetch_ms:.4f}"
        )


def _moment(wall_ms: int) -> str:
    return f"{datetime.fromtimestamp(wall_ms // 1000):%Y-%m-%d %H:%M:%S}:{wall_ms % 1000:03}"


async def _work(found: argparse.Namespace) -> None:
    if not found.hide_header:
        times = ("time", "threadId") if found.show_detailed_stats else _TIMES
        print(", ".join((*times, *_COLUMNS)), flush=True)
    clock = system_clock()
    rebalances = _Rebalances(clock)
    async with Consumer(_settings(found)) as consumer:
        chosen = topic_pattern(found.include) if found.include else [found.topic]
        consumer.subscribe(chosen, rebalances)
        start, end = await _read_records(consumer, found, clock, rebalances)
    if not found.show_detailed_stats:
        print(f"{_moment(start.wall_ms)}, {_moment(end.wall_ms)}, {end.since(start)}")


async def _read_records(
    consumer: Consumer, found: argparse.Namespace, clock: Clock, rebalances: _Rebalances
) -> tuple[_Point, _Point]:
    size = records = 0

    def point() -> _Point:
        now = clock.monotonic()
        return _Point(now, clock.wall_ms(), size, records, rebalances.total_ms)

    start = reported = point()
    last = clock.monotonic()
    while records < found.num_records:
        polled = await consumer.poll(0.1)
        now = clock.monotonic()
        if polled:
            last = now
        elif now - last > found.timeout / 1000:
            print(
                "WARNING: Exiting before consuming the expected number of records: timeout"
                f" ({found.timeout} ms) exceeded. You can use the --timeout option to increase the"
                " timeout."
            )
            break
        records += len(polled)
        size += sum(len(r.key or b"") + len(r.value or b"") for r in polled)
        interval_s = found.reporting_interval / 1000
        if found.show_detailed_stats and now - reported.monotonic >= interval_s:
            here = point()
            print(f"{_moment(here.wall_ms)}, 0, {here.since(reported)}", flush=True)
            reported = here
    return start, point()
