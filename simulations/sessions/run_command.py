"""`raftka simulate --session FILE`: one session from its beginning to its end."""

from __future__ import annotations

import json as json_
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Final, TextIO

from raftka.simulations.runs import report
from raftka.simulations.runs.outcome import Outcome
from raftka.simulations.runs.user_file import UnusableFile
from raftka.simulations.sessions.errors import SessionError
from raftka.simulations.sessions.show import Ready, Show, ready
from raftka.simulations.story.replay import explain
from raftka.simulations.trace_file import Sink
from raftka.simulations.world import World

_BYTES_MAX: Final = 16 << 20


def main(path: str, commit: str, *, sink: TextIO | None = None, json: bool = False) -> int:
    """Run it; the exit code, as of every run. Raises UnusableFile, also for an action that turns
    out to be impossible at its moment."""
    try:
        found = ready(_contents(path))

        def again(
            *, sink: Sink | None = None, watch: Callable[[World], None] = lambda world: None
        ) -> Outcome:
            return perform(found, sink, watch)

        outcome = again(sink=sink)
        explain(outcome, again)
    except SessionError as error:
        raise UnusableFile(f"{path}: {error}") from error
    print(report.summary(outcome, commit, f"raftka simulate --session {path}"))
    if json:
        print(report.as_json(outcome, commit))
    return int(outcome.exit)


def perform(
    found: Ready,
    sink: Sink | None = None,
    watch: Callable[[World], None] = lambda world: None,
) -> Outcome:
    """Run a session to its end. Raises SessionError for an action that is impossible."""
    show = Show(found, found.session.script, sink, watch)
    until_s = found.session.until_s
    try:
        show.go(inf if until_s is None else until_s)
    finally:
        outcome = show.end()
    return outcome


def _contents(path: str) -> object:
    file = Path(path)
    if not file.is_file():
        raise UnusableFile(f"there is no file {path}")
    if file.stat().st_size > _BYTES_MAX:
        raise UnusableFile(f"{path} is larger than {_BYTES_MAX} bytes: no session is")
    try:
        found: object = json_.loads(file.read_text())
    except (ValueError, RecursionError) as error:
        raise UnusableFile(f"{path} is no JSON: {error}") from error
    return found
