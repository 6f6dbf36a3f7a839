"""kafka-verifiable-share-consumer: reads a topic in a share group, and prints each event."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from raftka.client.admin import Admin, Alteration, Resource, ResourceType
from raftka.client.config import SHARE_CONSUMER
from raftka.client.share import AcknowledgeType, ShareConsumer, ShareRecord
from raftka.client.tools.options import Options, UsageError, admin_settings, require
from raftka.client.tools.running import run, words
from raftka.client.tools.verifiable import counts, event, settings_from, text
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition

_MODES = ("auto", "sync", "async")
_RESETS = ("earliest", "latest")
_KINDS = {
    "accept": AcknowledgeType.ACCEPT,
    "release": AcknowledgeType.RELEASE,
    "reject": AcknowledgeType.REJECT,
    "renew": AcknowledgeType.RENEW,
}

options = Options(
    "kafka-verifiable-share-consumer",
    "This tool creates a share group and consumes messages from a specific topic and emits share"
    " consumer events (e.g. share consumer startup, received messages, and offsets acknowledged)"
    " as JSON objects to STDOUT.",
)
options.servers()
options.text("--topic", metavar="TOPIC", help="What is worked on.")
options.text("--group-id", metavar="ID", help="The share group.")
options.number("--max-messages", help="Stop after so many; -1 for no end (the default).")
options.flag("--verbose", help="Print each record.")
options.text(
    "--acknowledgement-mode",
    metavar="MODE",
    help="auto (the default): what a poll returned is accepted by the next one; sync, async:"
    " committed after each poll.",
)
options.text(
    "--ack-pattern",
    metavar="KINDS",
    help="accept, release, reject and renew in turn, by the records' offsets; with sync or async.",
)
options.text(
    "--offset-reset-strategy",
    metavar="WHERE",
    help="Sets share.auto.offset.reset of the group: earliest or latest.",
)


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    require(found, "bootstrap-server", "topic", "group-id")
    found.acknowledgement_mode = found.acknowledgement_mode or "auto"
    if found.acknowledgement_mode not in _MODES:
        raise UsageError(f"--acknowledgement-mode must be one of {', '.join(_MODES)}")
    if found.offset_reset_strategy and found.offset_reset_strategy not in _RESETS:
        raise UsageError(f"--offset-reset-strategy must be one of {', '.join(_RESETS)}")
    found.pattern = _pattern(found.ack_pattern or "")
    if found.pattern and found.acknowledgement_mode == "auto":
        raise UsageError("--ack-pattern needs --acknowledgement-mode sync or async")
    return found


def _pattern(written: str) -> list[AcknowledgeType]:
    kinds = [word.strip().lower() for word in written.split(",") if word.strip()]
    unknown = [kind for kind in kinds if kind not in _KINDS]
    if unknown:
        raise UsageError(f"--ack-pattern: {unknown[0]} is none of {', '.join(_KINDS)}")
    if kinds and set(kinds) == {"renew"}:
        raise UsageError("--ack-pattern: with renew alone no record would ever be done")
    return [_KINDS[kind] for kind in kinds]


async def _work(found: argparse.Namespace) -> int:
    settings: dict[str, object] = {"client.id": "verifiable-share-consumer"}
    settings |= settings_from(found, SHARE_CONSUMER)
    settings |= {
        "bootstrap.servers": found.bootstrap_server,
        "group.id": found.group_id,
        "share.acknowledgement.mode": "explicit",
    }
    try:
        async with ShareConsumer(settings) as consumer:
            event("startup_complete")
            if found.offset_reset_strategy:
                await _begin_at(found)
            consumer.subscribe([found.topic])
            await _Consuming(consumer, found).run()
    finally:
        event("shutdown_complete")
    return 0


async def _begin_at(found: argparse.Namespace) -> None:
    strategy = found.offset_reset_strategy
    async with Admin(admin_settings(found)) as admin:
        alteration = Alteration("share.auto.offset.reset", strategy)
        await admin.incremental_alter_configs(
            {Resource(ResourceType.GROUP, found.group_id): [alteration]}
        )
    event("offset_reset_strategy_set", offsetResetStrategy=strategy)


class _Consuming:
    """One run; a renewed record is held, and acknowledged again in the next round."""

    def __init__(self, consumer: ShareConsumer, found: argparse.Namespace) -> None:
        self._consumer = consumer
        self._found = found
        self._held: list[ShareRecord] = []
        self._renewed: dict[tuple[TopicPartition, int], int] = {}
        """The number of renewals of each held record."""

    async def run(self) -> None:
        found = self._found
        unlimited = found.max_messages is None or found.max_messages < 0
        left = sys.maxsize if unlimited else found.max_messages
        while left > 0:
            held, self._held = self._held, []
            records = held or await self._consumer.poll(1.0)
            if not records:
                continue
            if not held:
                left -= len(records)
                self._note(records)
            said = self._say(records)
            outcomes = await self._consumer.commit()
            _report(said, outcomes)

    def _note(self, records: Sequence[ShareRecord]) -> None:
        if self._found.verbose:
            for each in records:
                event(
                    "record_data",
                    key=text(each.record.key),
                    value=text(each.record.value),
                    topic=each.place.topic,
                    partition=each.place.partition,
                    offset=each.record.offset,
                )
        event(
            "records_consumed",
            count=len(records),
            partitions=counts(_by_place(records), spans=False),
        )

    def _say(self, records: Sequence[ShareRecord]) -> list[ShareRecord]:
        pattern = self._found.pattern or [AcknowledgeType.ACCEPT]
        done: list[ShareRecord] = []
        for each in records:
            where = (each.place, each.record.offset)
            renewed = self._renewed.get(where, 0)
            kind = pattern[(each.record.offset + renewed) % len(pattern)]
            self._consumer.acknowledge(each, kind)
            if kind is AcknowledgeType.RENEW:
                self._renewed[where] = renewed + 1
                self._held.append(each)
            else:
                self._renewed.pop(where, None)
                done.append(each)
        return done


def _by_place(records: Sequence[ShareRecord]) -> dict[tuple[str, int], list[int]]:
    found: dict[tuple[str, int], list[int]] = {}
    for each in records:
        found.setdefault((each.place.topic, each.place.partition), []).append(each.record.offset)
    return found


def _report(
    said: Sequence[ShareRecord], outcomes: Mapping[TopicPartition, KafkaError | None]
) -> None:
    for success in (True, False):
        some = [each for each in said if (outcomes.get(each.place) is None) is success]
        if not some:
            continue
        errors = {words(error) for error in outcomes.values() if error is not None}
        event(
            "offsets_acknowledged",
            count=len(some),
            partitions=counts(_by_place(some), spans=False),
            success=success,
            **({} if success else {"error": "; ".join(sorted(errors))}),
        )
