"""kafka-replica-verification: whether all replicas of topics have the same records.

Reads every replica from its broker and compares the batches up to the high watermark, continuously
until it is stopped; it regularly reports how far it is behind.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import trio

from raftka.client.admin import Admin, ReplicaRecords
from raftka.client.consumer import EARLIEST
from raftka.client.tools.filters import topic_pattern
from raftka.client.tools.group_resets import offsets_at
from raftka.client.tools.options import Options, ToolError, UsageError, admin_settings, require
from raftka.client.tools.replica_comparison import Comparison
from raftka.client.tools.running import run, words
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.net.clock import system_clock

_FETCH_BYTES = 1 << 20
_ANSWER_MS = 5_000
_PAUSE_S = 0.5

options = Options(
    "kafka-replica-verification",
    "Validate that all replicas for a set of topics have the same data. It goes on until it is\n"
    "stopped, or until two replicas have other offsets, which ends it with 1. Replicas of a\n"
    "compacted topic may differ where one of them is cleaned already.",
)
options.servers()
options.text(
    "--broker-list", metavar="HOST:PORT", help="Older name of --bootstrap-server: the brokers."
)
options.text(
    "--topics-include",
    metavar="PATTERN",
    default=".*",
    help="The topics to compare: names or patterns, separated by commas; default: all.",
)
options.number("--fetch-size", default=_FETCH_BYTES, help="Bytes of a partition per request.")
options.number("--max-wait-ms", default=1_000, help="How long a broker may wait for records.")
options.number(
    "--time",
    bits=64,
    default=-1,
    help="Where to begin: a timestamp in ms, -1 for the end (the default), -2 for the beginning.",
)
options.number(
    "--report-interval-ms", bits=64, default=30_000, help="How often to say how far it is."
)


@dataclass(frozen=True, slots=True)
class _Scope:
    """The partitions to compare."""

    replicas: Mapping[TopicPartition, tuple[int, ...]]
    """The brokers of each partition."""
    topic_ids: Mapping[str, bytes]

    @property
    def by_broker(self) -> Mapping[int, list[TopicPartition]]:
        found: dict[int, list[TopicPartition]] = defaultdict(list)
        for target, brokers in sorted(self.replicas.items()):
            for broker in brokers:
                found[broker].append(target)
        return found


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> tuple[argparse.Namespace, re.Pattern[str]]:
    found = options.read(argv)
    found.bootstrap_server = found.bootstrap_server or found.broker_list
    if not found.bootstrap_server:
        require(found, "broker-list")
    for name in ("fetch_size", "max_wait_ms", "report_interval_ms"):
        if getattr(found, name) < (1 if name == "fetch_size" else 0):
            raise UsageError(f"--{name.replace('_', '-')} must not be so small")
    return found, topic_pattern(found.topics_include)


async def _work(job: tuple[argparse.Namespace, re.Pattern[str]]) -> int:
    found, pattern = job
    settings = admin_settings(found)
    settings["default.api.timeout.ms"] = str(_ANSWER_MS + found.max_wait_ms)
    async with Admin(settings) as admin:
        scope = await _scope(admin, pattern)
        comparison = Comparison(await offsets_at(admin, sorted(scope.replicas), found.time))
        verifier = _Verifier(admin, scope, comparison, found.fetch_size, found.max_wait_ms)
        _say("verification process is started")
        clock = system_clock()
        reported = clock.monotonic()
        while await verifier.round():
            if clock.monotonic() - reported >= found.report_interval_ms / 1000:
                reported = clock.monotonic()
                _report(comparison, len(scope.replicas))
            if verifier.missing:
                await trio.sleep(_PAUSE_S)
        return 1


async def _scope(admin: Admin, pattern: re.Pattern[str]) -> _Scope:
    names = [name for name in await admin.list_topics() if pattern.fullmatch(name)]
    described = await admin.describe_topics(names) if names else {}
    if not described:
        raise ToolError(
            "No topics found. --topics-include, if specified, is either filtering out all topics or"
            " there is no topic."
        )
    return _Scope(
        {
            TopicPartition(topic.name, part.index): part.replicas
            for topic in described.values()
            for part in topic.partitions
        },
        {topic.name: topic.id for topic in described.values()},
    )


@dataclass(slots=True)
class _Verifier:
    """Reads all replicas and compares them, round after round."""

    admin: Admin
    scope: _Scope
    comparison: Comparison
    fetch_bytes: int
    max_wait_ms: int
    missing: dict[tuple[int, TopicPartition | None], str] = field(default_factory=dict)
    """Why a replica, or every replica of a broker, is not compared at present."""
    out_of_range: set[TopicPartition] = field(default_factory=set)

    async def round(self) -> bool:
        """Send a request to every broker; False when the comparison cannot continue."""
        answers: dict[TopicPartition, dict[int, ReplicaRecords]] = defaultdict(dict)
        async with trio.open_nursery() as nursery:
            for broker, targets in self.scope.by_broker.items():
                nursery.start_soon(self._read, broker, targets, answers)
        same = [self._same(target, told) for target, told in sorted(answers.items())]
        await self._follow_starts()
        return all(same)

    async def _read(
        self,
        broker: int,
        targets: Sequence[TopicPartition],
        answers: Mapping[TopicPartition, dict[int, ReplicaRecords]],
    ) -> None:
        try:
            told = await self.admin.fetch_replicas(
                broker,
                {target: self.comparison.offsets[target] for target in targets},
                self.scope.topic_ids,
                partition_bytes=self.fetch_bytes,
                max_wait_ms=self.max_wait_ms,
            )
        except KafkaError as error:
            self._left_out(broker, None, error)
            return
        self._is_back(broker, None)
        for target, outcome in told.items():
            if isinstance(outcome, KafkaError):
                self._left_out(broker, target, outcome)
                if outcome.code is ErrorCode.OFFSET_OUT_OF_RANGE:
                    self.out_of_range.add(target)
            else:
                self._is_back(broker, target)
                answers[target][broker] = outcome

    def _same(self, target: TopicPartition, told: Mapping[int, ReplicaRecords]) -> bool:
        """Compare a partition's answers, print differences; False when it cannot continue."""
        if len(told) < len(self.scope.replicas[target]):
            return True
        try:
            differences = self.comparison.compare(target, told)
        except KafkaError as error:
            _say(f"partition {target} at offset {self.comparison.offsets[target]}: {words(error)}")
            return False
        for difference in differences:
            _say(difference.words)
        return not any(each.fatal for each in differences)

    async def _follow_starts(self) -> None:
        """Continue at the start of logs whose next records retention has deleted."""
        deleted, self.out_of_range = self.out_of_range, set()
        try:
            starts = await offsets_at(self.admin, sorted(deleted), EARLIEST)
        except KafkaError as error:
            _say(f"where logs begin now is not known, which is asked again: {words(error)}")
            return
        for target, start in starts.items():
            self.comparison.skip_to(target, start)

    def _left_out(self, broker: int, target: TopicPartition | None, error: KafkaError) -> None:
        """Report once that replicas are not compared, with the reason."""
        reason = words(error)
        if self.missing.get((broker, target)) != reason:
            self.missing[broker, target] = reason
            _say(f"{_place(broker, target)} is left out until it answers again: {reason}")

    def _is_back(self, broker: int, target: TopicPartition | None) -> None:
        if self.missing.pop((broker, target), None) is not None:
            _say(f"{_place(broker, target)} answers again")


def _place(broker: int, target: TopicPartition | None) -> str:
    return f"broker {broker}" if target is None else f"partition {target} of broker {broker}"


def _report(comparison: Comparison, partitions: int) -> None:
    lag, target, offset = comparison.worst()
    _say(
        f"max lag is {lag} for partition {target} at offset {offset} among {partitions} partitions"
    )


def _say(text: str) -> None:
    """Print a line with the time, in the layout of Apache Kafka's tool."""
    moment = datetime.fromtimestamp(system_clock().wall_ms() / 1000)
    stamp = f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03d}"
    print(f"{stamp}: {text}")
    sys.stdout.flush()
