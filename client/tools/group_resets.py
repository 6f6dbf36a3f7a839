"""--reset-offsets of the tools for groups: computes new offsets, then prints or stores them."""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from raftka.client.admin import Admin
from raftka.client.consumer import EARLIEST, LATEST, OffsetAndMetadata
from raftka.client.tools.group_tables import partitions_of
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    given,
    reason_of,
    shortened,
    whole_number,
)
from raftka.client.tools.tables import Column, lines
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.net.clock import system_clock

SCENARIOS = (
    "to-latest",
    "to-current",
    "to-earliest",
    "to-offset",
    "shift-by",
    "from-file",
    "to-datetime",
    "by-duration",
)
_INACTIVE = ("Empty", "Dead")
_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<days>[+-]?[0-9]{1,19})D)?(?P<time>T(?:(?P<hours>[+-]?[0-9]{1,19})H)?"
    r"(?:(?P<minutes>[+-]?[0-9]{1,19})M)?(?:(?P<seconds>[+-]?[0-9]{1,19}(?:[.,][0-9]{0,9})?)S)?)?"
)
_UNITS_S = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Offsets = dict[TopicPartition, int]


def add_options(options: Options) -> None:
    """The positions to which offsets may be moved, and what to do with them."""
    options.flag("--dry-run", help="Show the new offsets, change nothing.")
    options.flag("--execute", help="Change the offsets.")
    options.flag("--export", help="Show the new offsets as CSV.")
    add_scenarios(options)
    options.flag("--to-current", help="To where they are.")


def add_scenarios(options: Options) -> None:
    """The positions to which offsets may be moved."""
    options.flag("--to-earliest", help="To the first record there is.")
    options.flag("--to-latest", help="To the end.")
    options.number("--to-offset", bits=64, help="To this offset.")
    options.number("--shift-by", bits=64, help="Forward by so many records, or back when negative.")
    options.text("--to-datetime", metavar="TIME", help="To the time YYYY-MM-DDThh:mm:ss.sss.")
    options.text("--by-duration", metavar="DURATION", help="Back by PnDTnHnMnS from now.")
    options.text("--from-file", metavar="FILE", help="To what a CSV file says.")


def check_scenario(found: argparse.Namespace) -> None:
    """Raises UsageError unless one position is given; ToolError for an invalid time.

    No broker has been asked by then.
    """
    if len(given(found, *SCENARIOS)) != 1:
        names = ", ".join(f"[{name}]" for name in SCENARIOS)
        raise UsageError(
            f"Option '[reset-offsets]' requires one of the following scenarios: [{names}]"
        )
    check_times(found)


def check_times(found: argparse.Namespace) -> None:
    """Raises ToolError for an invalid time or duration."""
    if found.to_datetime:
        datetime_ms(found.to_datetime)
    if found.by_duration:
        duration_ms(found.by_duration)


async def reset_offsets(admin: Admin, groups: Sequence[str], found: argparse.Namespace) -> int:
    """Compute the new offsets, print them, and store them with --execute."""
    plans: dict[str, Offsets] = {}
    failed = False
    for group in groups:
        state = await _state(admin, group)
        if state not in _INACTIVE:
            print(
                f"\nError: Assignments can only be reset if the group '{group}' is inactive, but"
                f" the current state is {state}.",
                file=sys.stderr,
            )
            failed = True
            continue
        committed = await committed_offsets(admin, group)
        if found.all_topics:
            targets = sorted(committed)
        else:
            targets = await partitions_of(admin, found.topic)
        plans[group] = await plan(admin, group, found, committed, targets)
        if found.execute:
            await store(admin, group, plans[group])
    show(plans, found.export, name_groups=len(groups) > 1 or found.all_groups)
    return 1 if failed else 0


async def store(admin: Admin, group: str, offsets: Mapping[TopicPartition, int]) -> None:
    """Make these the committed offsets. Raises SomeFailed, KafkaError."""
    if offsets:
        await admin.alter_group_offsets(
            group, {target: OffsetAndMetadata(offset) for target, offset in offsets.items()}
        )


def show(plans: Mapping[str, Offsets], as_csv: bool, *, name_groups: bool, width: int = 15) -> None:
    """Print the new offsets of groups, in columns of at least these widths."""
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        for group, offsets in plans.items():
            for target, offset in sorted(offsets.items()):
                writer.writerow([*([group] if name_groups else []), *target, offset])
        print()
        return
    rows = [
        [group, target.topic, str(target.partition), str(offset)]
        for group, offsets in plans.items()
        for target, offset in sorted(offsets.items())
    ]
    columns = [
        Column("GROUP", width, grows=True),
        Column("TOPIC", width, grows=True),
        Column("PARTITION", 10),
        Column("NEW-OFFSET", 0),
    ]
    print("\n" + "\n".join(lines(columns, rows)))


async def _state(admin: Admin, group: str) -> str:
    try:
        return (await admin.describe_groups([group]))[group].state
    except KafkaError as error:
        if error.code != ErrorCode.GROUP_ID_NOT_FOUND:
            raise
        # A group may have offsets before it has its first member.
        return "Dead"


async def committed_offsets(admin: Admin, group: str) -> Offsets:
    """The committed offsets of a group; none for one that does not exist."""
    return {t: each.offset for t, each in (await admin.list_group_offsets(group)).items()}


async def plan(
    admin: Admin,
    group: str,
    found: argparse.Namespace,
    committed: Mapping[TopicPartition, int],
    targets: Sequence[TopicPartition],
) -> Offsets:
    """The new offsets of a group that has these now, for these partitions. Raises ToolError.

    With --from-file the file has the partitions.
    """
    if found.from_file:
        return await within_log(admin, from_file(found.from_file, group))
    if found.to_earliest or found.to_latest:
        return await offsets_at(admin, targets, EARLIEST if found.to_earliest else LATEST)
    if found.to_offset is not None:
        return await within_log(admin, dict.fromkeys(targets, found.to_offset))
    if getattr(found, "shift_by", None) is not None:
        missing = [target for target in targets if target not in committed]
        if missing:
            raise ToolError(
                f"Cannot shift offset for partition {missing[0]} since there is no current"
                " committed offset"
            )
        moved = {target: committed[target] + found.shift_by for target in targets}
        return await within_log(admin, moved)
    if found.to_current:
        known = {t: committed[t] for t in targets if t in committed}
        return known | await offsets_at(admin, [t for t in targets if t not in committed], LATEST)
    if found.to_datetime:
        return await offsets_at(admin, targets, datetime_ms(found.to_datetime))
    moment_ms = system_clock().wall_ms() - duration_ms(found.by_duration)
    return await offsets_at(admin, targets, moment_ms)


async def offsets_at(admin: Admin, targets: Sequence[TopicPartition], timestamp: int) -> Offsets:
    """The offsets at a timestamp; the end where no record is that recent."""
    if not targets:
        return {}
    answers = await admin.list_offsets(dict.fromkeys(targets, timestamp))
    found = {target: answer.offset for target, answer in answers.items()}
    beyond = [target for target, offset in found.items() if offset < 0]
    return found | await offsets_at(admin, beyond, LATEST)


async def within_log(admin: Admin, wanted: Mapping[TopicPartition, int]) -> Offsets:
    """The requested offset, moved into the log's range."""
    starts = await offsets_at(admin, list(wanted), EARLIEST)
    ends = await offsets_at(admin, list(wanted), LATEST)
    found: Offsets = {}
    for target, offset in wanted.items():
        found[target] = min(max(offset, starts[target]), ends[target])
        if found[target] != offset:
            side = "higher than latest" if offset > ends[target] else "lower than earliest"
            print(
                f"WARN: New offset ({offset}) is {side} offset for topic partition {target}. Value"
                f" will be set to {found[target]}",
                file=sys.stderr,
            )
    return found


def from_file(path: str, group: str) -> Offsets:
    """topic,partition,offset lines, or group,topic,partition,offset. Raises ToolError."""
    found: Offsets = {}
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                cells = [cell.strip() for cell in row]
                if not any(cells):
                    continue
                if len(cells) == 4:
                    owner, *cells = cells
                    if owner != group:
                        continue
                topic, partition, offset = cells
                found[TopicPartition(topic, whole_number(partition))] = whole_number(offset, 64)
    except (OSError, ValueError, csv.Error) as error:
        raise ToolError(f"{path} cannot be read as CSV of offsets: {reason_of(error)}") from error
    return found


def datetime_ms(text: str) -> int:
    """ISO 8601; UTC unless it names another zone. Raises ToolError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        words = f"{shortened(text)!r} is not a time like YYYY-MM-DDThh:mm:ss.sss"
        raise ToolError(words) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def duration_ms(text: str) -> int:
    """ISO 8601 as Java's Duration reads it: days to seconds, each with a sign. Raises ToolError."""
    match = _DURATION.fullmatch(text.strip().upper())
    parts = {unit: match[unit] for unit in _UNITS_S if match[unit]} if match else {}
    if match is None or not parts or match["time"] == "T":
        raise ToolError(f"{shortened(text)!r} is not a duration like P1DT2H3M4S, P1D or PT1H-30M")
    seconds = sum(
        Decimal(value.replace(",", ".")) * _UNITS_S[unit] for unit, value in parts.items()
    )
    duration_ms = int(seconds * 1000) * (-1 if match["sign"] == "-" else 1)
    if abs(duration_ms) >= 2**62:
        raise ToolError(f"{shortened(text)!r} is longer than all time")
    return duration_ms
