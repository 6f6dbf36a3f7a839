"""The results of many seeds of a lesson: three figures per run, by a setting.

figures.json beside this file has them; `python -m raftka.learn.counting` makes it.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

SETTING: Final = "broker.session.timeout.ms"
"""The setting after which a silent broker counts as dead."""
VALUES: Final = ("3000", "9000")
"""A class's patience, and Kafka's default."""
FILE: Final = "figures.json"
"""The file with the figures, in this folder."""

Run = list[int | None]
"""Election and outage in milliseconds (None: there was none), and records lost; empty for a seed in
which the story was not possible."""
Figures = dict[str, dict[str, list[Run]]]
"""By lesson and value, the runs of seeds 1, 2, 3 ..."""


def of(name: str) -> dict[str, Any] | None:
    """The figures of a lesson for the page; None where nothing was run."""
    runs = _shipped().get(name)
    return None if not runs else {"setting": SETTING, "runs": runs}


@cache
def _shipped() -> Figures:
    return read(files("raftka.learn").joinpath(FILE).read_text(encoding="utf-8"))


def read(text: str) -> Figures:
    """The file's content."""
    found: Figures = json.loads(text)
    return found


def written(found: Figures) -> str:
    """The file's text, a line for each lesson and value."""
    rows = [
        f"{json.dumps(name)}:{{\n"
        + ",\n".join(
            f"{json.dumps(value)}:{json.dumps(runs, separators=(',', ':'))}"
            for value, runs in by_value.items()
        )
        + "}"
        for name, by_value in found.items()
    ]
    return "{" + ",\n".join(rows) + "}\n"
