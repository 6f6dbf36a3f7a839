"""A session from its beginning to its end, without stops."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from raftka.simulations.runs.outcome import Outcome
from raftka.simulations.sessions.show import Ready, Show
from raftka.simulations.trace_file import Sink
from raftka.simulations.world import World


def perform(
    found: Ready,
    sink: Sink | None = None,
    watch: Callable[[World], None] = lambda world: None,
    *,
    healed_at_s: float | None = None,
) -> Outcome:
    """Run a session to its end, or to that time, where everything is healed and the cluster's
    guarantees are checked. Raises SessionError for an impossible action.
    """
    script, until_s = found.session.script, found.session.until_s
    if healed_at_s is not None:
        script = tuple(action for action in script if action.at_s < healed_at_s)
        until_s = None
    show = Show(found, script, sink, watch, healed_at_s=healed_at_s)
    try:
        show.go(inf if until_s is None else until_s)
    finally:
        outcome = show.end()
    return outcome
