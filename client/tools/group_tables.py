"""kafka-consumer-groups --describe: offsets, members and states of groups in columns."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

import trio

from raftka.client.admin import Admin, GroupDescription, GroupMember
from raftka.client.config import CONSUMER
from raftka.client.consumer import LATEST, Consumer
from raftka.client.consumer.group_messages import by_topic
from raftka.client.tools.options import (
    ToolError,
    UsageError,
    known_settings,
    read_properties,
    whole_number,
)
from raftka.client.tools.tables import Column, lines
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition
from raftka.net.clock import system_clock

_MISSING = "-"
_EPOCH_COLUMN = 3
_READ_S = 3.0
_UNSETTLED = ("PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling")


async def describe(admin: Admin, groups: Sequence[str], found: argparse.Namespace) -> int:
    """Print what the options ask for. Raises KafkaError for a group that does not exist."""
    described = await admin.describe_groups(sorted(set(groups)))
    for group in described.values():
        _mention_state(group)
        if found.members:
            print("\n" + "\n".join(_members(group, found.verbose)))
        elif found.state is not None:
            print("\n" + "\n".join(_state(group, found.verbose)))
        else:
            rows = await _offset_rows(admin, group, found)
            if rows:
                print("\n" + "\n".join(_offsets(rows, found.verbose)))
    return 0


async def partitions_of(admin: Admin, topics: Sequence[str]) -> list[TopicPartition]:
    """The partitions that `topic` or `topic:0,1` name. Raises ToolError, SomeFailed."""
    found: list[TopicPartition] = []
    whole: list[str] = []
    for text in topics:
        name, colon, numbers = text.partition(":")
        if not colon:
            whole.append(name)
            continue
        try:
            found += [TopicPartition(name, whole_number(number)) for number in numbers.split(",")]
        except ValueError:
            raise ToolError(f"Invalid topic-partition {text}: it must be like topic:0,1") from None
    for topic in (await admin.describe_topics(whole)).values():
        found += [TopicPartition(topic.name, part.index) for part in topic.partitions]
    return found


def names(text: str | None, known: Sequence[str], what: str) -> list[str] | None:
    """The names in a list; an empty list stands for all. Raises UsageError."""
    if text is None:
        return None
    by_lower = {name.lower(): name for name in known}
    words_given = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words_given if word.lower() not in by_lower]
    if unknown:
        raise UsageError(
            f"Invalid {what} list '{text}'. Valid {what}s are: {', '.join(sorted(known))}"
        )
    return [by_lower[word.lower()] for word in words_given]


def _mention_state(group: GroupDescription) -> None:
    sys.stdout.flush()
    if group.state == "Empty":
        print(f"\nConsumer group '{group.group_id}' has no active members.", file=sys.stderr)
    elif group.state in _UNSETTLED:
        print(f"\nWarning: Consumer group '{group.group_id}' is rebalancing.", file=sys.stderr)


async def _offset_rows(
    admin: Admin, group: GroupDescription, found: argparse.Namespace
) -> list[list[str]]:
    """Members with most partitions first, then the partitions without a member."""
    committed = await admin.list_group_offsets(group.group_id)
    owners: dict[TopicPartition, GroupMember] = {}
    for member in sorted(group.members, key=lambda member: -len(member.assignment)):
        owners |= dict.fromkeys(member.assignment, member)
    targets = list(owners) + [target for target in sorted(committed) if target not in owners]
    ends = await log_ends(admin, targets)
    waits: Mapping[TopicPartition, float] = {}
    if found.verbose:
        unread = {t: o.offset for t, o in committed.items() if o.offset < ends.get(t, 0)}
        waits = await seconds_unread(found, unread)
    rows: list[list[str]] = []
    for target in targets:
        offset, end = committed.get(target), ends.get(target)
        owner = owners.get(target)
        # The ends are newer than the offsets: only a truncated log can end before one.
        lag = None if offset is None or end is None else max(0, end - offset.offset)
        rows.append(
            [
                group.group_id,
                target.topic,
                str(target.partition),
                _MISSING if offset is None or offset.leader_epoch < 0 else str(offset.leader_epoch),
                _MISSING if offset is None else str(offset.offset),
                _MISSING if end is None else str(end),
                _MISSING if lag is None else str(lag),
                owner.member_id if owner else _MISSING,
                owner.host if owner else _MISSING,
                owner.client_id if owner else _MISSING,
                _seconds(lag, waits.get(target)),
            ]
        )
    return rows


def _seconds(lag: int | None, waits_s: float | None) -> str:
    if lag == 0:
        return "0"
    return _MISSING if lag is None or waits_s is None else f"{waits_s:.1f}"


async def seconds_unread(
    found: argparse.Namespace, offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, float]:
    """The age in seconds of the record at each of these offsets, by its own timestamp. Records that
    cannot be read quickly are left out. Never negative: clocks may differ.
    """
    missing = dict(offsets)
    ages: dict[TopicPartition, float] = {}
    if not missing:
        return ages
    settings = known_settings(CONSUMER, read_properties(found.command_config))
    settings |= {
        "bootstrap.servers": found.bootstrap_server,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "max.partition.fetch.bytes": 1024,
    }
    async with Consumer(settings) as consumer:
        consumer.assign(missing)
        for target, offset in missing.items():
            consumer.seek(target, offset)
        # A user may describe a group without permission to read its topics.
        with trio.move_on_after(_READ_S), suppress(KafkaError):
            while missing:
                for record in await consumer.poll(_READ_S):
                    target = TopicPartition(record.topic, record.partition)
                    if missing.pop(target, None) is not None:
                        now_ms = system_clock().wall_ms()
                        ages[target] = max(0, now_ms - record.timestamp_ms) / 1000
                        consumer.pause([target])
    return ages


async def log_ends(admin: Admin, targets: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """The end of each partition; those without an answer are left out."""
    if not targets:
        return {}
    try:
        answers = await admin.list_offsets(dict.fromkeys(targets, LATEST))
    except KafkaError as error:
        outcomes = getattr(error, "outcomes", {})
        answers = {t: o for t, o in outcomes.items() if not isinstance(o, KafkaError)}
    return {target: answer.offset for target, answer in answers.items()}


def _offsets(rows: Sequence[Sequence[str]], verbose: bool) -> list[str]:
    columns = [
        Column("GROUP", 15, grows=True),
        Column("TOPIC", 15, grows=True),
        Column("PARTITION", 10),
        Column("LEADER-EPOCH", 15),
        Column("CURRENT-OFFSET", 15),
        Column("LOG-END-OFFSET", 15),
        Column("LAG", 15),
        Column("CONSUMER-ID", 15, grows=True),
        Column("HOST", 15, grows=True),
        Column("CLIENT-ID", 15, grows=True),
        Column("LAG-SECONDS", 0),
    ]
    if not verbose:
        # The columns of Apache Kafka; the age of records is raftka's own, and comes last.
        del columns[-1], columns[_EPOCH_COLUMN]
        columns[-1] = Column("CLIENT-ID", 0)
        rows = [[*row[:_EPOCH_COLUMN], *row[_EPOCH_COLUMN + 1 : -1]] for row in rows]
    return lines(columns, rows)


def _members(group: GroupDescription, verbose: bool) -> list[str]:
    static = any(member.instance_id is not None for member in group.members)
    columns = [Column("GROUP", 15, grows=True), Column("CONSUMER-ID", 15, grows=True)]
    if static:
        columns.append(Column("GROUP-INSTANCE-ID", 17, grows=True))
    columns += [
        Column("HOST", 15, grows=True),
        Column("CLIENT-ID", 15, grows=True),
        Column("#PARTITIONS", 15),
    ]
    if verbose:
        columns += [
            Column("CURRENT-EPOCH", 15),
            Column("CURRENT-ASSIGNMENT", 20, grows=True),
            Column("TARGET-EPOCH", 15),
            Column("TARGET-ASSIGNMENT", 20, grows=True),
        ]
    else:
        columns.append(Column("", 0))
    rows: list[list[str]] = []
    for member in group.members:
        row = [group.group_id, member.member_id]
        if static:
            row.append(member.instance_id or "")
        row += [member.host, member.client_id, str(len(member.assignment))]
        if verbose:
            row += [
                _number(member.epoch),
                assignment(member.assignment),
                _number(group.target_epoch),
                _MISSING if member.target is None else assignment(member.target),
            ]
        else:
            row.append("")
        rows.append(row)
    return lines(columns, rows)


def _number(epoch: int | None) -> str:
    return _MISSING if epoch is None else str(epoch)


def assignment(partitions: Sequence[TopicPartition]) -> str:
    """The partitions of a member, as topic:0,1;other:2."""
    return (
        ";".join(
            f"{topic}:{','.join(map(str, sorted(indexes)))}"
            for topic, indexes in sorted(by_topic(partitions).items())
        )
        or _MISSING
    )


def _state(group: GroupDescription, verbose: bool) -> list[str]:
    coordinator = group.coordinator
    columns = [
        Column("GROUP", 15, grows=True),
        Column("COORDINATOR (ID)", 25, grows=True),
        Column("ASSIGNMENT-STRATEGY", 20),
        Column("STATE", 20),
    ]
    row = [
        group.group_id,
        f"{coordinator.host}:{coordinator.port}  ({coordinator.id})",
        group.strategy or _MISSING,
        group.state,
    ]
    if verbose:
        columns += [Column("GROUP-EPOCH", 15), Column("TARGET-ASSIGNMENT-EPOCH", 25)]
        row += [_number(group.epoch), _number(group.target_epoch)]
    return lines([*columns, Column("#MEMBERS", 0)], [[*row, str(len(group.members))]])
