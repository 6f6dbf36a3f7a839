"""A story as data: facts, tables, a timeline, the moment from which something was lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

LINE: Final = 78
"""The width at which sentences are wrapped."""


@dataclass(frozen=True)
class Row:
    """One event of a timeline, and the state after it."""

    at_s: float
    words: str
    weight: float = 1.0
    columns: tuple[str, ...] = ()
    event: Mapping[str, Any] | None = None


MOMENTS: Final = (
    *("on-no-disk", "outside-of-isr", "leader-lacks", "member-lacks", "logs-diverge", "copy-gone"),
    *("fenced-in-isr", "stored-twice", "no-majority", "entry-gone"),
)
"""The codes of moments."""


class Moment(NamedTuple):
    """The point of no return, as a phrase, and as a code with parameters for translation
    (web/src/words, `moment.<code>`).
    """

    words: str = ""
    at_s: float | None = None
    """The time from which something was lost."""
    code: str = ""
    values: Mapping[str, Any] = MappingProxyType({})


@dataclass
class Table:
    """Some rows under a title."""

    title: str
    head: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)


@dataclass
class Story:
    """Everything about a violation except its one sentence."""

    rule: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    moment: str = ""
    moment_said: Moment = field(default_factory=Moment)
    lost_from_s: float | None = None
    record: dict[str, Any] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    title: str = ""
    """Lines of the timeline."""
    columns: tuple[str, ...] = ()
    timeline: list[Row] = field(default_factory=list)
    left_out: int = 0
    quote: list[str] = field(default_factory=list)
    """Lines of a traceback."""
    trouble: str = ""
    """Why the story is incomplete; empty when it is complete."""

    def came_to(self, moment: Moment) -> None:
        """Set the story's point of no return."""
        assert moment.code in ("", *MOMENTS), moment.code
        self.moment, self.lost_from_s, self.moment_said = moment.words, moment.at_s, moment

    def as_dict(self) -> dict[str, Any]:
        """The story for `violations` in the JSON summary."""
        found: dict[str, Any] = {"rule": self.rule}
        if self.record:
            found["record"] = self.record
        if self.lost_from_s is not None:
            found["lost_from_s"] = round(self.lost_from_s, 6)
        found |= {"moment": self.moment, "facts": dict(self.facts)}
        if self.moment_said.code:
            found["moment_code"] = self.moment_said.code
            found["moment_with"] = dict(self.moment_said.values)
        for table in self.tables:
            found.setdefault("tables", {})[table.title] = [
                dict(zip(table.head, row, strict=True)) for row in table.rows
            ]
        found["timeline"] = [
            {
                "at_s": row.at_s,
                "event": row.words,
                **dict(zip(map(_key, self.columns), row.columns, strict=False)),
            }
            for row in self.timeline
        ]
        found["events"] = [
            {k: v for k, v in row.event.items() if k != "now"}
            for row in self.timeline
            if row.event is not None
        ]
        if self.trouble:
            found["trouble"] = self.trouble
        return found

    def lines(self) -> list[str]:
        """The story as text."""
        lines: list[str] = []
        if self.trouble:
            lines += [f"  ({self.trouble})", ""]
        if self.rule:
            lines += [*_fact("the rule", self.rule), ""]
        for name, words in self.facts:
            lines += _fact(name, words)
        if self.moment:
            lines += ["", *_fact("THE MOMENT", self.moment)]
        for table in self.tables:
            lines += ["", f"  {table.title}", *_table([table.head, *table.rows])]
        if self.quote:
            lines += ["", "  where", *(f"    {line}" for line in self.quote)]
        if self.timeline:
            lines += ["", f"  {self.title}", *self._timeline()]
        return lines

    def _timeline(self) -> list[str]:
        rows: list[Sequence[str]] = [("seconds", "what happened", *self.columns)]
        for row in self.timeline:
            first, *more = wrapped(row.words, LINE)
            rows.append((f"{row.at_s:.3f}", first, *row.columns))
            rows += [("", f"  {line}", *("" for _ in self.columns)) for line in more]
        lines = _table(rows, right=(0,))
        if self.left_out:
            lines.append(f"    ({self.left_out} less important events are left out)")
        return lines


def _key(column: str) -> str:
    """The name of a column for scripts."""
    return column.lower() if " " not in column else "has"


def prune(rows: list[Row], most: int, telling: Sequence[float]) -> tuple[list[Row], int]:
    """The rows with the most weight; those shortly before a decisive time weigh more."""
    if len(rows) <= most:
        return rows, 0

    def score(place: int) -> tuple[float, float]:
        row = rows[place]
        near = any(-0.5 <= moment - row.at_s <= 2.0 for moment in telling)
        return row.weight + (1.0 if near else 0.0), row.at_s

    kept = sorted(sorted(range(len(rows)), key=score)[-most:])
    return [rows[place] for place in kept], len(rows) - most


def wrapped(words: str, width: int) -> list[str]:
    """A sentence wrapped into lines."""
    lines: list[str] = [""]
    for word in words.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def _fact(name: str, words: str) -> list[str]:
    first, *more = wrapped(words, LINE)
    return [f"  {name:13} {first}", *(f"  {'':13} {line}" for line in more)]


def _table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"    {'  '.join(cells)}".rstrip())
    return lines
