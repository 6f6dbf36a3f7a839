"""What a run can end with, besides success."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from raftka.simulations.story.story import Story


class Exit(enum.IntEnum):
    """The exit code of a run, and of a batch: the worst of its runs'."""

    HELD = 0
    SAFETY = 1
    LIVENESS = 2
    CRASHED = 3


@dataclass(frozen=True)
class About:
    """The subject of a violation: its story is about what happened to this."""

    partition: tuple[str, int] | None = None
    offset: int | None = None
    """The record's offset in `partition`."""
    elsewhere: int | None = None
    """Where the same record, or its neighbour, is too."""
    node: str | None = None
    """The host that did it, or is stuck."""
    other: str | None = None
    """With whom."""
    term: int | None = None
    """A term of the quorum."""
    index: int | None = None
    """The index of a metadata log entry."""
    group: str | None = None


NOTHING: Final = About()


class Report(Protocol):
    """Takes an invariant that does not hold, and the reason in one sentence."""

    def __call__(self, name: str, story: str, *, about: About = NOTHING) -> None: ...


@dataclass
class Violation:
    """An invariant that did not hold: which, why in plain words, and the moment."""

    name: str
    story: str
    exit: Exit = Exit.SAFETY
    at_s: float = 0.0
    events: list[dict[str, Any]] = field(default_factory=list)
    """The last events before it."""
    about: About = NOTHING
    told: Story | None = None
    """Everything else, once the run was run again (simulations/story/)."""

    def as_dict(self) -> dict[str, Any]:
        """What scripts get."""
        found = {"name": self.name, "at_s": round(self.at_s, 6), "story": self.story}
        return found | (self.told.as_dict() if self.told is not None else {})


class Stopped(Exception):
    """The run ends here: a checker has stopped it."""
