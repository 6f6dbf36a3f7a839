"""The vocabulary of lessons. lessons/README.md shows how; lessons/kill.py is one.

    _KILL = event("kill")
    _ELECTED = event("leader-elected", after=_KILL)

    async def story(stage: Stage) -> None: ...

    STEPS = (
        ask("how-long", ["at-once", "1-s", "3-s"], right="at-once", before=_KILL, seen=_how_long),
        reveal("moved", point_at=_ELECTED, ms=lambda trace: trace.ms(_KILL, _ELECTED)),
    )

Words are in NAME.en.toml and NAME.pt.toml beside it. `seen` computes the answer from the trace: a
lesson whose run contradicts it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Event = Mapping[str, Any]
Value = int | float | str


class NotInTrace(LookupError):
    """An event that a lesson points at did not happen."""


@dataclass(frozen=True)
class Moment:
    """A pattern for one event of a run."""

    kind: str
    fields: Mapping[str, Any]
    after: Moment | None = None
    """Only an event after that one."""
    is_last: bool = False
    """The last match instead of the first."""
    where: Callable[[Event], bool] | None = None

    def fits(self, event: Event) -> bool:
        """Whether an event is of this kind, with these fields."""
        if event["kind"] != self.kind:
            return False
        if any(event.get(name) != value for name, value in self.fields.items()):
            return False
        return self.where is None or self.where(event)


def event(
    kind: str,
    *,
    after: Moment | None = None,
    last: bool = False,
    where: Callable[[Event], bool] | None = None,
    **fields: Any,
) -> Moment:
    """The first event of a kind with these fields (docs/trace.md), or the last."""
    return Moment(kind, fields, after, last, where)


class Trace:
    """A run's events, as lessons ask about them."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events: Final = events
        self._by_id = {each["id"]: each for each in events}

    def find(self, moment: Moment) -> Event:
        """Raises NotInTrace."""
        found = list(self.all(moment)) if moment.is_last else next(iter(self.all(moment)), None)
        if isinstance(found, list):
            found = found[-1] if found else None
        if found is None:
            raise NotInTrace(f"there is no {moment.kind} with {dict(moment.fields)}")
        return found

    def all(self, moment: Moment) -> Iterator[Event]:
        """All matches, in order."""
        since = 0 if moment.after is None else self.find(moment.after)["id"]
        return (each for each in self.events if each["id"] > since and moment.fits(each))

    def count(self, moment: Moment, *, until: Moment | None = None) -> int:
        """The number of matches before another event."""
        end = None if until is None else self.find(until)["id"]
        return sum(1 for each in self.all(moment) if end is None or each["id"] < end)

    def happened(self, moment: Moment) -> bool:
        """Whether any event matches."""
        return next(iter(self.all(moment)), None) is not None

    def ms(self, start: Moment, end: Moment) -> int:
        """Milliseconds from one to the other."""
        return round(float(self.find(end)["t"] - self.find(start)["t"]) * 1000)

    def seconds(self, start: Moment, end: Moment) -> float:
        """Seconds from one to the other, to a tenth."""
        return round(float(self.find(end)["t"] - self.find(start)["t"]), 1)

    def by_id(self, number: int) -> Event:
        """Raises KeyError."""
        return self._by_id[number]


Told = Callable[[Trace], Value]


@dataclass(frozen=True)
class Ask:
    """The run pauses, and the page asks what comes next."""

    key: str
    answers: Sequence[str]
    right: str
    before: Moment
    seen: Callable[[Trace], str]
    values: Mapping[str, Told] = field(default_factory=dict)


@dataclass(frozen=True)
class Reveal:
    """The run continues to an event, and words explain it."""

    key: str
    point_at: Moment
    values: Mapping[str, Told] = field(default_factory=dict)


Step = Ask | Reveal


def ask(
    question: str,
    answers: Sequence[str],
    right: str,
    *,
    before: Moment,
    seen: Callable[[Trace], str],
    **values: Told,
) -> Ask:
    """A question by its key in the words, asked right before an event.

    `seen` gives the answer that the trace itself gives. `values` are for the words.
    Raises ValueError when the right answer is none of those offered.
    """
    if right not in answers:
        raise ValueError(f"the right answer {right!r} is none of {list(answers)}")
    return Ask(question, tuple(answers), right, before, seen, values)


def reveal(words: str, *, point_at: Moment, **values: Told) -> Reveal:
    """The words of a key, shown when the run has reached this event."""
    return Reveal(words, point_at, values)
