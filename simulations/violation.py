"""What a run can end with, other than well."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any


class Exit(enum.IntEnum):
    """The exit code of a run, and of a batch: the worst of its runs'."""

    HELD = 0
    SAFETY = 1
    LIVENESS = 2
    CRASHED = 3


@dataclass
class Violation:
    """An invariant that did not hold: which, the story in plain words, and the moment."""

    name: str
    story: str
    exit: Exit = Exit.SAFETY
    at_s: float = 0.0
    events: list[dict[str, Any]] = field(default_factory=list)
    """The last events that matter."""

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "at_s": round(self.at_s, 6), "story": self.story}


class Stopped(Exception):
    """The run ends here: a checker has seen enough."""
