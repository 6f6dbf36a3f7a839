"""`raftka simulate --session FILE --inevitable`: until when a lost record could have been saved.

A violation says from when on no replica had the record (`lost_from_s`). Long before, it may be too
late for any operator to save it. The session runs again up to t, where everything is healed and
nothing more happens to the cluster, which must then keep its guarantees. Bisection finds the last t
at which that saves every record, and the first at which it does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from raftka.simulations.runs.outcome import Outcome
from raftka.simulations.sessions.performing import perform
from raftka.simulations.sessions.show import Ready
from raftka.simulations.violation import Exit

APART_S: Final = 0.001
"""The largest distance between the two times."""


@dataclass(frozen=True)
class Inevitable:
    """The two times between which the loss became inevitable."""

    saved_until_s: float | None
    """Healing everything at this time still saves every record; None if not even at the start."""
    inevitable_from_s: float
    """Healing everything at this time does not."""
    lost_from_s: float | None
    """The time from which no replica had the record, as far as the violation's story knows."""
    runs: int
    """How often the session was run to find it."""

    def as_dict(self) -> dict[str, Any]:
        """The result for --json."""
        return {
            "saved_until_s": self.saved_until_s,
            "inevitable_from_s": self.inevitable_from_s,
            "lost_from_s": self.lost_from_s,
            "runs": self.runs,
        }

    def words(self) -> str:
        """The result as text."""
        if self.saved_until_s is None:
            return (
                f"INEVITABLE   from the beginning: healing everything at"
                f" {self.inevitable_from_s:.4f} s loses a record, too"
            )
        words = (
            f"INEVITABLE   healing everything at {self.saved_until_s:.4f} s still saves it, at"
            f" {self.inevitable_from_s:.4f} s no longer"
        )
        if self.lost_from_s is not None:
            words += f"; gone it was at {self.lost_from_s:.4f} s"
        return f"{words} ({self.runs} runs)"


def loses(outcome: Outcome) -> bool:
    """Whether a run has violated safety, or lost records that no guarantee covers."""
    return outcome.exit is Exit.SAFETY or bool(outcome.losses or outcome.lost_acks_1)


def healed_at(found: Ready, at_s: float) -> Outcome:
    """Run the session up to a time, and heal everything then."""
    return perform(found, healed_at_s=at_s)


def find(found: Ready, outcome: Outcome) -> Inevitable | None:
    """The two times for a session that ended with this outcome; None when it lost nothing."""
    violation = outcome.violation
    if not loses(outcome):
        return None
    told = None if violation is None else violation.told
    lost_from_s = None if told is None else told.lost_from_s
    late = outcome.virtual_s if violation is None else violation.at_s
    early, runs = 0.0, 1
    if loses(healed_at(found, early)):
        return Inevitable(None, early, lost_from_s, runs)
    while late - early > APART_S:
        middle = (early + late) / 2
        runs += 1
        if loses(healed_at(found, middle)):
            late = middle
        else:
            early = middle
    return Inevitable(round(early, 6), round(late, 6), lost_from_s, runs)
