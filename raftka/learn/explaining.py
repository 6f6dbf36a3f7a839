"""Explains a run's violation or loss: the story, the point of no return, and until when the record
could be saved.

The session runs again for its story, and some ten times more to find the last moment at which
healing everything still saves every record (simulations/sessions/inevitable.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from raftka.learn.measures import measures
from raftka.simulations.runs.outcome import Outcome
from raftka.simulations.sessions.inevitable import find
from raftka.simulations.sessions.performing import perform
from raftka.simulations.sessions.show import Lessons, Ready, ready
from raftka.simulations.story.replay import explain
from raftka.simulations.trace_file import Sink
from raftka.simulations.world import World

Told = dict[str, Any]


def has_lost(events: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a run shows a violation or lost records."""
    found = list(events)
    kinds = {event["kind"] for event in found}
    return bool(kinds & {"violation", "allowed-loss"} or measures(found)["lost"])


def story(session: Mapping[str, Any], lessons: Lessons) -> list[Told]:
    """The violations of a session's run, for the page. Raises SessionError."""
    _, outcome = _explained(session, lessons)
    violation = outcome.violation
    if violation is None:
        return []
    told = violation.told
    found: Told = {"name": violation.name, "t": violation.at_s, "words": violation.story}
    found["about"] = {
        name: value for name, value in violation.about.__dict__.items() if value is not None
    }
    if told is not None:
        found["moment"] = told.moment
        found["moment_code"] = told.moment_said.code
        found["moment_with"] = dict(told.moment_said.values)
        found["lost_from_s"] = told.lost_from_s
        found["facts"] = [list(fact) for fact in told.facts]
        found["timeline"] = [
            {"id": row.event["id"], "t": row.at_s}
            for row in told.timeline
            if row.event is not None and "id" in row.event
        ]
    return [found]


def inevitable(session: Mapping[str, Any], lessons: Lessons) -> Told | None:
    """The two times between which the loss of a session became inevitable; None when nothing was
    lost. Raises SessionError.
    """
    found, outcome = _explained(session, lessons)
    moments = find(found, outcome)
    return None if moments is None else moments.as_dict()


def _explained(session: Mapping[str, Any], lessons: Lessons) -> tuple[Ready, Outcome]:
    found = ready(session, lessons)

    def again(
        *, sink: Sink | None = None, watch: Callable[[World], None] = lambda world: None
    ) -> Outcome:
        return perform(found, sink, watch)

    outcome = again()
    explain(outcome, again)
    return found, outcome
