"""`raftka simulate --session FILE`: one session from its beginning to its end."""

from __future__ import annotations

import json as json_
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

from raftka.simulations.runs import report
from raftka.simulations.runs.outcome import Outcome
from raftka.simulations.runs.user_file import UnusableFile
from raftka.simulations.sessions.errors import SessionError
from raftka.simulations.sessions.inevitable import find
from raftka.simulations.sessions.performing import perform
from raftka.simulations.sessions.show import Ready, ready
from raftka.simulations.story.replay import explain
from raftka.simulations.story.telling import Telling, telling
from raftka.simulations.trace_file import Sink
from raftka.simulations.world import World

_BYTES_MAX: Final = 16 << 20


def main(
    path: str,
    commit: str,
    *,
    sink: TextIO | None = None,
    json: bool = False,
    story: bool = False,
    inevitable: bool = False,
) -> int:
    """Run the session in a file; returns the exit code, as for every run. Raises UnusableFile, also
    for an action that proves impossible at its time.
    """
    try:
        return _run(
            ready(_contents(path)),
            commit,
            f"raftka simulate --session {path}",
            sink=sink,
            json=json,
            story=story,
            inevitable=inevitable,
        )
    except SessionError as error:
        raise UnusableFile(f"{path}: {error}") from error


def main_of(value: dict[str, object], commit: str, replay: str, *, json: bool = False) -> int:
    """Run a session, and find the time from which its loss was inevitable. Raises UnusableFile."""
    try:
        return _run(ready(value), commit, replay, json=json, inevitable=True)
    except SessionError as error:
        raise UnusableFile(str(error)) from error


def _run(
    found: Ready,
    commit: str,
    replay: str,
    *,
    sink: Sink | None = None,
    json: bool = False,
    story: bool = False,
    inevitable: bool = False,
) -> int:
    def again(
        *, sink: Sink | None = None, watch: Callable[[World], None] = lambda world: None
    ) -> Outcome:
        return perform(found, sink, watch)

    told = telling(sink, wanted=story)
    outcome = again(sink=told)
    explain(outcome, again)
    if isinstance(told, Telling):
        print(told.text())
        print()
    moments = find(found, outcome) if inevitable else None
    print(report.summary(outcome, commit, replay))
    if inevitable:
        print()
        print("nothing was lost" if moments is None else moments.words())
    if json:
        extra = {"inevitable": None if moments is None else moments.as_dict()} if inevitable else {}
        print(json_.dumps({**report.as_dict(outcome, commit), **extra}))
    return int(outcome.exit)


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
