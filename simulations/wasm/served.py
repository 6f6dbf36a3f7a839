"""The sessions of a page whose engine is in the page: one line of JSON in, lines of JSON out."""

from __future__ import annotations

import json
from collections.abc import Callable

from raftka.simulations.sessions.engine import Engine
from raftka.version_command import commit


class Served:
    """One page's engine; it runs what is asked for before it returns."""

    def __init__(self, answer: Callable[[str], object]) -> None:
        self._answer = answer
        self._engine = Engine(commit=commit())

    def ask(self, line: str) -> None:
        """Answer one request (docs/session.md), each line as soon as it is there."""
        for each in self._engine.handle(json.loads(line)):
            self._answer(json.dumps(each, separators=(",", ":")))
