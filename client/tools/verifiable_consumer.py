"""kafka-verifiable-consumer: reads a topic in a group, and prints each event."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from raftka.client.config import CONSUMER
from raftka.client.consumer import Consumer, ConsumerRecord, OffsetAndMetadata, RebalanceListener
from raftka.client.tools.options import Options, UsageError, require
from raftka.client.tools.running import run, words
from raftka.client.tools.verifiable import counts, event, settings_from, text
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition

_RESETS = ("earliest", "latest", "none")
_PROTOCOLS = ("classic", "consumer")
_STRATEGIES = {
    "RangeAssignor": "range",
    "RoundRobinAssignor": "roundrobin",
    "StickyAssignor": "sticky",
    "CooperativeStickyAssignor": "cooperative-sticky",
}

options = Options(
    "kafka-verifiable-consumer",
    "This tool consumes messages from a specific topic and emits consumer events (e.g. group"
    " rebalances, received messages, and offsets committed) as JSON objects to STDOUT.",
)
options.servers()
options.text("--topic", metavar="TOPIC", help="What is read.")
options.text("--group-id", metavar="ID", help="The group.")
options.text("--group-protocol", metavar="NAME", help="classic (the default) or consumer.")
options.text("--group-remote-assignor", metavar="NAME", help="Sets group.remote.assignor.")
options.text("--group-instance-id", metavar="ID", help="Sets group.instance.id.")
options.number("--max-messages", help="Stop after so many; -1 for no end (the default).")
options.number("--session-timeout", help="Sets session.timeout.ms, for --group-protocol classic.")
options.flag("--verbose", help="Print each record.")
options.flag("--enable-autocommit", help="Commit in the background, not after each poll.")
options.number("--close-timeout", bits=64, help="Accepted: closing has request.timeout.ms.")
options.text("--reset-policy", metavar="POLICY", help=f"{', '.join(_RESETS)} (first: default).")
options.text("--assignment-strategy", metavar="CLASS", help="Sets partition.assignment.strategy.")
options.text("--consumer.config", metavar="FILE", help="Older name of --command-config.")


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    require(found, "bootstrap-server", "topic", "group-id")
    found.group_protocol = (found.group_protocol or "classic").lower()
    if found.group_protocol not in _PROTOCOLS:
        raise UsageError(f"--group-protocol must be one of {', '.join(_PROTOCOLS)}")
    found.reset_policy = found.reset_policy or "earliest"
    if found.reset_policy not in _RESETS:
        raise UsageError(f"--reset-policy must be one of {', '.join(_RESETS)}")
    if found.session_timeout is not None and found.group_protocol == "consumer":
        raise UsageError("--session-timeout goes with --group-protocol classic only")
    found.strategy = None
    if found.assignment_strategy is not None:
        found.strategy = _strategies(found.assignment_strategy)
    return found


def _strategies(classes: str) -> str:
    found = []
    for name in classes.split(","):
        short = name.strip().rpartition(".")[2]
        if short not in _STRATEGIES:
            raise UsageError(f"{name} is not known; there are {', '.join(_STRATEGIES)}")
        found.append(_STRATEGIES[short])
    return ",".join(found)


def _settings(found: argparse.Namespace) -> dict[str, object]:
    settings: dict[str, object] = {"client.id": "verifiable-consumer"}
    settings |= settings_from(found, CONSUMER, "consumer.config")
    settings |= {
        "bootstrap.servers": found.bootstrap_server,
        "group.id": found.group_id,
        "group.protocol": found.group_protocol,
        "auto.offset.reset": found.reset_policy,
        "enable.auto.commit": found.enable_autocommit,
    }
    optional = {
        "group.instance.id": found.group_instance_id,
        "group.remote.assignor": found.group_remote_assignor,
        "session.timeout.ms": found.session_timeout,
    }
    if found.group_protocol == "classic":
        optional["partition.assignment.strategy"] = found.strategy
    return settings | {name: value for name, value in optional.items() if value is not None}


class _Listener(RebalanceListener):
    """Prints the consumer's events."""

    async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        event("partitions_assigned", partitions=_places(partitions))

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        event("partitions_revoked", partitions=_places(partitions))

    async def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        event("partitions_revoked", partitions=_places(partitions))


def _places(partitions: Iterable[TopicPartition]) -> list[dict[str, object]]:
    return [{"topic": each.topic, "partition": each.partition} for each in partitions]


async def _work(found: argparse.Namespace) -> int:
    try:
        async with Consumer(_settings(found)) as consumer:
            event("startup_complete")
            consumer.subscribe([found.topic], _Listener())
            await _consume(consumer, found)
    finally:
        event("shutdown_complete")
    return 0


async def _consume(consumer: Consumer, found: argparse.Namespace) -> None:
    left = (
        sys.maxsize if found.max_messages is None or found.max_messages < 0 else found.max_messages
    )
    while left > 0:
        records = await consumer.poll(1.0, max_records=min(left, 500))
        if not records:
            continue
        left -= len(records)
        offsets = _note(records, verbose=found.verbose)
        if not found.enable_autocommit:
            await _commit(consumer, offsets)


def _note(records: Sequence[ConsumerRecord], *, verbose: bool) -> dict[tuple[str, int], list[int]]:
    offsets: dict[tuple[str, int], list[int]] = {}
    for each in records:
        offsets.setdefault((each.topic, each.partition), []).append(each.offset)
        if verbose:
            event(
                "record_data",
                key=text(each.key),
                value=text(each.value),
                topic=each.topic,
                partition=each.partition,
                offset=each.offset,
            )
    event("records_consumed", count=len(records), partitions=counts(offsets, spans=True))
    return offsets


async def _commit(consumer: Consumer, read: dict[tuple[str, int], list[int]]) -> None:
    offsets = {TopicPartition(*place): max(some) + 1 for place, some in read.items()}
    said: list[dict[str, object]] = [
        {"topic": place.topic, "partition": place.partition, "offset": offset}
        for place, offset in offsets.items()
    ]
    try:
        await consumer.commit(
            {place: OffsetAndMetadata(offset) for place, offset in offsets.items()}
        )
    except KafkaError as error:
        event("offsets_committed", offsets=said, success=False, error=words(error))
    else:
        event("offsets_committed", offsets=said, success=True)
