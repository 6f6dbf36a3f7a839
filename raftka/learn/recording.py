"""A run as the page takes it: its events, and what is known about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raftka.learn import lessons
from raftka.learn.places import places
from raftka.simulations.runs.run import Outcome
from raftka.simulations.runs.user_file import UnusableFile
from raftka.simulations.scenarios import NAMES
from raftka.simulations.scenarios import stage as scenarios
from raftka.version_command import commit


@dataclass(frozen=True)
class Recording:
    """One run."""

    lines: Sequence[str]
    """Its events, as JSON (docs/trace.md)."""
    session: Mapping[str, Any]
    """What it was run from (docs/session.md); empty for a trace of unknown origin."""
    hash: str = ""
    lesson: Mapping[str, Any] | None = None
    violations: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    def about(self) -> dict[str, Any]:
        """All but the events."""
        return {
            "commit": commit(),
            "hash": self.hash,
            "session": dict(self.session),
            "places": places(),
            "lesson": self.lesson,
            "violations": list(self.violations),
        }


class _Lines(list[str]):
    """A sink that keeps what is written."""

    def write(self, text: str, /) -> object:
        self.append(text.rstrip("\n"))
        return None


def record(what: str, *, seed: int | None = None) -> Recording:
    """A recording of a lesson (by name or file), a scenario (by name), or a trace file.

    Raises UnusableFile, WrongLesson, NotInTrace.
    """
    if what in lessons.names() or (what.endswith(".py") and _is_lesson(what)):
        return of_lesson(lessons.load(what))
    if what.replace("-", "_") in NAMES:
        return of_scenario(what.replace("-", "_"), seed if seed is not None else 1)
    return of_trace(Path(what))


def _is_lesson(path: str) -> bool:
    return Path(path).is_file()


def of_lesson(lesson: lessons.Lesson) -> Recording:
    """Runs its story. Raises WrongLesson when it does not go as it says."""
    lines = _Lines()
    outcome = scenarios.run_scenario(
        lesson.story,
        seed=lesson.seed,
        nodes=lesson.nodes,
        settings=lesson.settings,
        sink=lines,
    )
    events = [json.loads(line) for line in lines]
    settings = {**scenarios.SETTINGS, **lesson.settings}
    session = {"lesson": lesson.name, "seed": lesson.seed, "settings": settings}
    told = lessons.told(lesson, events)
    return Recording(lines, session, outcome.trace_hash, told, _violations(outcome))


def of_scenario(name: str, seed: int) -> Recording:
    """Runs a scenario that ships."""
    lines = _Lines()
    module = scenarios.load(name)
    settings = getattr(module, "SETTINGS", None) or {}
    outcome = scenarios.run_scenario(
        module.scenario,
        seed=seed,
        nodes=getattr(module, "NODES", 3),
        settings=settings,
        sink=lines,
    )
    session = {"scenario": name, "seed": seed, "settings": {**scenarios.SETTINGS, **settings}}
    return Recording(lines, session, outcome.trace_hash, None, _violations(outcome))


def of_trace(path: Path) -> Recording:
    """A file that `--trace` wrote. Raises UnusableFile."""
    if not path.is_file():
        raise UnusableFile(f"{path} is no lesson, no scenario and no file: see raftka learn --list")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except ValueError as error:
            raise UnusableFile(f"{path}, line {number}: {error}") from error
        if not isinstance(event, dict) or not {"id", "t", "kind"} <= set(event):
            raise UnusableFile(f"{path}, line {number} is no event of a trace (docs/trace.md)")
    if not lines:
        raise UnusableFile(f"{path} is empty")
    return Recording(lines, {})


def _violations(outcome: Outcome) -> list[dict[str, Any]]:
    if outcome.violation is None:
        return []
    found = outcome.violation
    return [{"name": found.name, "t": found.at_s, "words": found.story}]
