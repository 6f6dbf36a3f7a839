"""kafka-producer-perf-test: throughput and latency of produced records."""

from __future__ import annotations

import argparse
import itertools
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from raftka.client.config import PRODUCER
from raftka.client.producer import Producer, RecordMetadata
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    given,
    known_settings,
    parse_pairs,
    read_properties,
    reason_of,
)
from raftka.client.tools.running import run, words
from raftka.model.ids import uuid_text
from raftka.model.ports import Clock, Dice
from raftka.net.clock import system_clock, system_dice
from raftka.net.futures import Future

_MB = 1024 * 1024
_TRANSACTION_MS = 3_000

options = Options(
    "kafka-producer-perf-test", "This tool is used to verify the producer performance."
)
options.servers()
options.text("--topic", metavar="TOPIC", help="Produce records to this topic.")
options.number("--num-records", bits=64, help="Number of records to produce.")
options.number("--record-size", help="Record size in bytes.")
options.text("--payload-file", metavar="FILE", help="Take the records from this file, at random.")
options.text("--payload-delimiter", metavar="TEXT", default="\\n", help="Between its records.")
options.flag("--payload-monotonic", help="The records are 0, 1, 2, ...")
options.add_argument(
    "--throughput", type=float, metavar="N", help="At most so many records a second; -1: no limit."
)
for _name in ("--producer-props", "--command-property"):
    options.add_argument(
        _name, nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="Settings."
    )
options.text("--producer.config", metavar="FILE", help="Older name of --command-config.")
options.flag("--print-metrics", help="Accepted, without effect.")
options.number(
    "--warmup-records", bits=64, default=0, help="Records before the steady state begins."
)
options.text("--transactional-id", metavar="ID", help="Write in transactions, under this id.")
options.number(
    "--transaction-duration-ms",
    bits=64,
    metavar="MS",
    help="Commit a transaction when it has been open for so long (3000).",
)
options.number("--reporting-interval", default=5000, help="How often to report, in ms.")


@dataclass(slots=True)
class _Job:
    settings: dict[str, object]
    topic: str
    records: int
    payloads: Iterator[bytes]
    rate: float
    warmup: int
    interval_s: float
    transaction_s: float | None
    """How long a transaction is open; None without transactions."""


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> _Job:
    found = options.read(argv)
    for name in ("topic", "num-records", "throughput"):
        if not given(found, name):
            raise UsageError(f"argument --{name} is required")
    if len(given(found, "record-size", "payload-file", "payload-monotonic")) != 1:
        raise UsageError(
            "one of the arguments --record-size --payload-file --payload-monotonic is required"
        )
    if not 0 <= found.warmup_records < max(1, found.num_records):
        raise UsageError("The value for --warmup-records must be less than --num-records.")
    pairs = found.producer_props + found.command_property
    properties = read_properties(found.__dict__["producer.config"])
    properties |= read_properties(found.command_config)
    properties |= parse_pairs(pairs, "--command-property")
    settings: dict[str, object] = {"client.id": "perf-producer-client"}
    settings |= known_settings(PRODUCER, properties)
    if found.bootstrap_server:
        settings["bootstrap.servers"] = found.bootstrap_server
    if "bootstrap.servers" not in settings:
        raise UsageError("--bootstrap-server or the setting bootstrap.servers is required")
    return _Job(
        settings,
        found.topic,
        found.num_records,
        _payloads(found, system_dice()),
        found.throughput,
        found.warmup_records,
        found.reporting_interval / 1000,
        _transactions(found, settings),
    )


def _transactions(found: argparse.Namespace, settings: dict[str, object]) -> float | None:
    """How long each transaction is open, in seconds; sets the transactional id."""
    duration_ms = found.transaction_duration_ms
    if duration_ms is not None and duration_ms <= 0:
        raise UsageError("--transaction-duration-ms should be greater than zero.")
    if found.transactional_id:
        settings["transactional.id"] = found.transactional_id
    if duration_ms is None and not settings.get("transactional.id"):
        return None
    if not settings.get("transactional.id"):
        id = uuid_text(system_dice().randbytes(16))
        settings["transactional.id"] = f"performance-producer-{id}"
    return (_TRANSACTION_MS if duration_ms is None else duration_ms) / 1000


def _payloads(found: argparse.Namespace, dice: Dice) -> Iterator[bytes]:
    if found.payload_monotonic:
        return (b"%d" % number for number in itertools.count())
    if found.record_size is not None:
        if found.record_size <= 0:
            raise UsageError("--record-size should be greater than zero.")
        # Capital letters: they compress about as well as text does.
        payload = bytes(65 + byte % 26 for byte in dice.randbytes(found.record_size))
        return itertools.repeat(payload)
    try:
        with open(found.payload_file, encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError) as error:
        raise ToolError(f"{found.payload_file} cannot be read: {reason_of(error)}") from error
    delimiter = found.payload_delimiter.replace("\\n", "\n")
    listed = [part.encode() for part in text.removesuffix(delimiter).split(delimiter)]
    if not listed[0] and len(listed) == 1:
        raise ToolError("File does not exist or empty file provided.")
    return (listed[dice.randrange(len(listed))] for _ in itertools.count())


@dataclass(slots=True)
class _Stats:
    """Counts and latencies (ms) since `started`, with a window for the reports in between."""

    clock: Clock
    interval_s: float = float("inf")
    started: float = 0.0
    count: int = 0
    bytes: int = 0
    latencies: array[float] = field(default_factory=lambda: array("d"))
    _window_started: float = 0.0
    _window_count: int = 0
    _window_bytes: int = 0
    _window_total: float = 0.0
    _window_max: float = 0.0

    def __post_init__(self) -> None:
        self.started = self._window_started = self.clock.monotonic()

    def record(self, size: int, latency_ms: float, now: float) -> None:
        self.count += 1
        self.bytes += size
        self.latencies.append(latency_ms)
        self._window_count += 1
        self._window_bytes += size
        self._window_total += latency_ms
        self._window_max = max(self._window_max, latency_ms)
        if now - self._window_started >= self.interval_s:
            self._print_window(now)

    def _print_window(self, now: float) -> None:
        seconds = now - self._window_started
        print(
            f"{self._window_count} records sent, {self._window_count / seconds:.1f} records/sec"
            f" ({self._window_bytes / seconds / _MB:.2f} MB/sec),"
            f" {self._window_total / self._window_count:.1f} ms avg latency,"
            f" {self._window_max:.1f} ms max latency.",
            flush=True,
        )
        self._window_started = now
        self._window_count = self._window_bytes = 0
        self._window_total = self._window_max = 0.0

    def print_total(self, kind: str = "") -> None:
        seconds = max(1e-9, self.clock.monotonic() - self.started)
        ordered = sorted(self.latencies)
        average = sum(ordered) / len(ordered) if ordered else 0.0
        points = [_percentile(ordered, share) for share in (0.5, 0.95, 0.99, 0.999)]
        print(
            f"{self.count}{kind} records sent, {self.count / seconds:f} records/sec"
            f" ({self.bytes / seconds / _MB:.2f} MB/sec), {average:.2f} ms avg latency,"
            f" {ordered[-1] if ordered else 0.0:.2f} ms max latency, {points[0]} ms 50th,"
            f" {points[1]} ms 95th, {points[2]} ms 99th, {points[3]} ms 99.9th."
        )


def _percentile(ordered: Sequence[float], share: float) -> int:
    return int(ordered[int(len(ordered) * share)]) if ordered else 0


@dataclass(slots=True)
class _Transactions:
    """Runs transactions that are open for `open_s` each; none for None."""

    producer: Producer
    open_s: float | None
    clock: Clock
    _until: float = 0.0

    async def start(self) -> None:
        if self.open_s is not None:
            await self.producer.init_transactions()
            self._begin()

    async def turn(self, now: float) -> None:
        """Commit what has been open for long enough, and begin the next."""
        if self.open_s is not None and now >= self._until:
            await self.producer.commit_transaction()
            self._begin()

    async def end(self) -> None:
        if self.open_s is not None:
            await self.producer.commit_transaction()

    def _begin(self) -> None:
        assert self.open_s is not None
        self.producer.begin_transaction()
        self._until = self.clock.monotonic() + self.open_s


async def _work(job: _Job) -> int:
    clock = system_clock()
    total = _Stats(clock, job.interval_s)
    steady: _Stats | None = None
    failed = 0
    reasons: Counter[str] = Counter()
    if job.warmup:
        print(
            f"Warmup first {job.warmup} records. Steady state results will print after the complete"
            " test summary."
        )

    def measure(
        size: int, begun: float, stats: Sequence[_Stats], done: Future[RecordMetadata]
    ) -> None:
        nonlocal failed
        if isinstance(done.error, Exception):
            failed += 1
            reasons[words(done.error)] += 1
            return
        now = clock.monotonic()
        for each in stats:
            each.record(size, (now - begun) * 1000, now)

    async with Producer(job.settings) as producer:
        transactions = _Transactions(producer, job.transaction_s, clock)
        await transactions.start()
        for number in range(job.records):
            if number == job.warmup and job.warmup:
                print("In steady state.", flush=True)
                steady = _Stats(clock)
            payload = next(job.payloads)
            begun = clock.monotonic()
            await transactions.turn(begun)
            future = await producer.send(job.topic, payload)
            stats = (total,) if steady is None else (total, steady)
            future.when_done(partial(measure, len(payload), begun, stats))
            if job.rate > 0:
                ahead_s = (number + 1) / job.rate - (clock.monotonic() - total.started)
                if ahead_s > 0.001:
                    await clock.sleep(ahead_s)
        await transactions.end()
        await producer.flush()
        total.print_total()
        if steady is not None:
            steady.print_total(" steady state")
    if failed:
        told = "; ".join(f"{count} times: {why}" for why, count in reasons.most_common(5))
        raise ToolError(f"{failed} of {job.records} records were not acknowledged: {told}")
    return 0
