"""A run for the page: its events, and facts about it.

Every run is a session (docs/session.md): the same one gives the same recording everywhere, and the
page can change it and have it run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from raftka.learn import figures, lessons
from raftka.learn.explaining import has_lost, inevitable, story
from raftka.learn.measures import KINDS, Figures
from raftka.learn.places import places
from raftka.simulations.runs.user_file import UnusableFile
from raftka.simulations.scenarios import NAMES, stage
from raftka.simulations.sessions import show
from raftka.simulations.sessions.engine import Engine
from raftka.simulations.sessions.errors import SessionError, of_answer
from raftka.version_command import commit

Events = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Recording:
    """One run."""

    lines: Sequence[str]
    """Its events, as JSON (docs/trace.md)."""
    session: Mapping[str, Any]
    """Its session (docs/session.md); empty for a trace of unknown origin."""
    hash: str = ""
    lesson: Mapping[str, Any] | None = None
    violations: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    figures: Mapping[str, Any] | None = None
    """The results of many seeds (figures.py), for an unchanged lesson."""
    inevitable: Mapping[str, Any] | None = None
    """Until when a lost record could have been saved (explaining.py), if computed."""

    def about(self) -> dict[str, Any]:
        """Everything except the events."""
        return {
            "commit": commit(),
            "hash": self.hash,
            "session": dict(self.session),
            "places": places(),
            "lesson": self.lesson,
            "violations": list(self.violations),
            "inevitable": self.inevitable,
            "figures": self.figures,
        }

    def explained(self, lesson: lessons.Lesson | None = None) -> Recording:
        """The same, with the story of its violation or loss, if any."""
        if not self.session or not has_lost(json.loads(line) for line in self.lines):
            return self
        known = brought_by(lesson)
        return replace(
            self,
            violations=story(self.session, known),
            inevitable=inevitable(self.session, known),
        )


def record(what: str, *, seed: int | None = None) -> Recording:
    """A recording of a lesson (by name or file), a scenario (by name), a session or a trace file.

    Raises UnusableFile, WrongLesson, NotInTrace, SessionError.
    """
    if what in lessons.names():
        return of_session(session_of_lesson(lessons.load(what))).explained()
    if what.endswith(".py"):
        lesson = lessons.load(what)
        return of_session(session_of_lesson(lesson), lesson).explained(lesson)
    if what.replace("-", "_") in NAMES:
        session = {"scenario": what.replace("-", "_"), "seed": 1 if seed is None else seed}
        return of_session(session).explained()
    if not Path(what).is_file():
        raise UnusableFile(f"{what} is no lesson, no scenario and no file: see raftka learn --list")
    return _of_file(Path(what))


def session_of_lesson(lesson: lessons.Lesson) -> dict[str, Any]:
    """The session that the page and the command line run."""
    return {"lesson": lesson.name, "seed": lesson.seed}


def brought_by(lesson: lessons.Lesson | None = None) -> show.Lessons:
    """What sessions ask for a lesson by its name; `lesson` is one that does not ship."""

    def of(name: str) -> show.Lesson:
        try:
            found = lesson if lesson is not None and lesson.name == name else lessons.load(name)
        except (UnusableFile, lessons.WrongLesson) as error:
            raise SessionError("bad-session", f"the session: {error}") from error
        return show.Lesson(found.story, found.nodes, found.settings)

    return of


def of_session(
    session: Mapping[str, Any],
    lesson: lessons.Lesson | None = None,
    *,
    told: Callable[[Events], None] = lambda events: None,
) -> Recording:
    """Runs a session to its end. `told` gets the events while they come.

    A lesson without a script of hands is shown with its own text. Raises SessionError, and for
    such a lesson WrongLesson and NotInTrace.
    """
    engine = Engine(commit=commit(), lessons=brought_by(lesson))
    try:
        opened = _last(engine, {"op": "open", "session": session}, told)
        lines: list[str] = []
        events: list[Mapping[str, Any]] = []

        def take(some: Events) -> None:
            events.extend(some)
            lines.extend(json.dumps(each, separators=(",", ":")) for each in some)
            told(some)

        ended = _last(engine, {"op": "run", "session": opened["session"]}, take)
    finally:
        engine.close()
    whole = {**session, "settings": {**stage.SETTINGS, **session.get("settings", {})}}
    return Recording(
        lines,
        session if "plan" in session else whole,
        ended["hash"],
        _lesson_of(session, lesson, events),
        [
            {"name": each["name"], "t": each["at_s"], "words": each["story"]}
            for each in ended["violations"]
        ],
        _figures_of(session, lesson),
    )


def _figures_of(session: Mapping[str, Any], lesson: lessons.Lesson | None) -> dict[str, Any] | None:
    """Only for an unchanged lesson that ships: the figures belong to its story."""
    if lesson is not None or "lesson" not in session:
        return None
    if session.get("script") or session.get("rules_off"):
        return None
    return figures.of(session["lesson"])


def measured(session: Mapping[str, Any]) -> dict[str, Any]:
    """The three figures of a session's run (measures.py). Raises SessionError."""
    engine = Engine(commit=commit(), lessons=brought_by(), kinds=KINDS)
    try:
        opened = _last(engine, {"op": "open", "session": session}, lambda _: None)
        found = Figures()
        _last(engine, {"op": "run", "session": opened["session"]}, found.take)
    finally:
        engine.close()
    return found.told()


def _lesson_of(
    session: Mapping[str, Any], lesson: lessons.Lesson | None, events: Events
) -> dict[str, Any] | None:
    name = session.get("lesson")
    if name is None:
        return None
    found = lesson if lesson is not None else lessons.load(name)
    is_as_written = not session.get("script") and not session.get("rules_off")
    is_as_written &= session.get("seed", found.seed) == found.seed
    try:
        return lessons.told(found, events)
    except Exception:
        # Actions have changed the story, which its functions may not expect.
        if is_as_written:
            raise
        return None


def _last(
    engine: Engine, request: Mapping[str, Any], told: Callable[[Events], None]
) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for answer in engine.handle(request):
        if "events" in answer:
            told(answer["events"])
    if not answer["ok"]:
        raise of_answer(answer["error"])
    return answer


def _of_file(path: Path) -> Recording:
    text = path.read_text(encoding="utf-8")
    try:
        session = json.loads(text)
    except ValueError:
        return of_trace(path)
    if isinstance(session, dict) and not {"id", "kind"} & set(session):
        return of_session(session).explained()
    return of_trace(path)


def of_trace(path: Path) -> Recording:
    """A file that `--trace` wrote. Raises UnusableFile."""
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
