"""The endings of a run besides success."""

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
    """Another offset of the same record, or of its neighbour."""
    node: str | None = None
    """The host that violated the rule, or is stuck."""
    other: str | None = None
    """The other host involved."""
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
    """An invariant that did not hold: its name, the reason in plain words, and the time."""

    name: str
    story: str
    exit: Exit = Exit.SAFETY
    at_s: float = 0.0
    events: list[dict[str, Any]] = field(default_factory=list)
    """The last events before it."""
    about: About = NOTHING
    told: Story | None = None
    """The story, once the run was repeated (simulations/story/)."""

    def as_dict(self) -> dict[str, Any]:
        """The violation for scripts."""
        found = {"name": self.name, "at_s": round(self.at_s, 6), "story": self.story}
        return found | (self.told.as_dict() if self.told is not None else {})


class Stopped(Exception):
    """The run ends here: a checker has stopped it."""
