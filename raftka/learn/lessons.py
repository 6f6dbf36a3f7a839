"""Lessons: finds and loads them, and checks that their run matches."""

from __future__ import annotations

import importlib
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from raftka.learn.telling import Ask, Event, Moment, Reveal, Step, Trace, event
from raftka.simulations.runs.user_file import UnusableFile, module_of

LANGUAGES: Final = ("en", "pt")
SEED: Final = 7
_BEGIN: Final = event("produce")
_BEFORE_S: Final = 0.0005
"""How long before the answering event a question is asked."""


class WrongLesson(ValueError):
    """A lesson cannot be shown: its words or its trace do not match."""


@dataclass(frozen=True)
class Lesson:
    """One lesson, as its file has it."""

    name: str
    story: Callable[..., Any]
    steps: Sequence[Step]
    words: Mapping[str, Mapping[str, Any]]
    """Its tables by language."""
    nodes: int = 3
    settings: Mapping[str, str] = field(default_factory=dict)
    seed: int = SEED
    begin: Moment = _BEGIN

    def title(self) -> dict[str, str]:
        """By language."""
        return {language: str(table["title"]) for language, table in self.words.items()}


def names() -> tuple[str, ...]:
    """The lessons that ship, in the order of a course."""
    return tuple(importlib.import_module("raftka.lessons").NAMES)


def load(name: str) -> Lesson:
    """A lesson that ships, by its name, or one in a .py file. Raises UnusableFile, WrongLesson."""
    if name.endswith(".py"):
        return _lesson(Path(name).stem.replace("_", "-"), module_of(name))
    if name not in names():
        raise UnusableFile(f"there is no lesson {name}: there are {', '.join(names())}")
    return _lesson(name, importlib.import_module(f"raftka.lessons.{name.replace('-', '_')}"))


def _lesson(name: str, module: ModuleType) -> Lesson:
    steps, story = getattr(module, "STEPS", None), getattr(module, "story", None)
    if steps is None or story is None:
        raise UnusableFile(f"{name} is no lesson: it needs `async def story(stage)` and STEPS")
    assert module.__file__ is not None
    file = Path(module.__file__)
    words = {each: _table(file.with_suffix(f".{each}.toml"), steps) for each in LANGUAGES}
    return Lesson(
        name,
        story,
        steps,
        words,
        getattr(module, "NODES", 3),
        getattr(module, "SETTINGS", {}),
        getattr(module, "SEED", SEED),
        getattr(module, "BEGIN", _BEGIN),
    )


def _text(file: Path) -> str:
    """A file of words; a wheel has one file for all of its lessons (build_hook.py)."""
    together = file.with_name("words.json")
    if not file.is_file() and together.is_file():
        text: str | None = json.loads(together.read_text(encoding="utf-8")).get(file.name)
        if text is not None:
            return text
    return file.read_text(encoding="utf-8")


def _table(file: Path, steps: Sequence[Step]) -> dict[str, Any]:
    try:
        table = tomllib.loads(_text(file))
    except FileNotFoundError as error:
        raise WrongLesson(f"{file.name} is missing beside the lesson") from error
    except tomllib.TOMLDecodeError as error:
        raise WrongLesson(f"{file.name}: {error}") from error
    missing = [key for key in ("title", "story", "takeaway") if not table.get(key)]
    asked, revealed = table.get("ask", {}), table.get("reveal", {})
    for step in steps:
        if isinstance(step, Reveal):
            if step.key not in revealed:
                missing.append(f"reveal.{step.key}")
            continue
        words = asked.get(step.key, {})
        if "question" not in words:
            missing.append(f"ask.{step.key}.question")
        missing += [
            f"ask.{step.key}.answers.{each}"
            for each in step.answers
            if each not in words.get("answers", {})
        ]
    if missing:
        raise WrongLesson(f"{file.name} lacks {', '.join(missing)}")
    return table


def told(lesson: Lesson, events: Sequence[Event]) -> dict[str, Any]:
    """The lesson over its run, as the page takes it (web/src/model/recorded.ts).

    Raises WrongLesson when the run contradicts the lesson, and NotInTrace.
    """
    trace = Trace(events)
    order = names()
    number = order.index(lesson.name) + 1 if lesson.name in order else 1
    return {
        "name": lesson.name,
        "number": number,
        "total": max(len(order), number),
        "start_s": trace.find(lesson.begin)["t"],
        "steps": [_step(each, trace) for each in lesson.steps],
        "words": lesson.words,
    }


def _step(step: Step, trace: Trace) -> dict[str, Any]:
    values = {name: value(trace) for name, value in step.values.items()}
    if isinstance(step, Ask):
        seen = step.seen(trace)
        if seen != step.right:
            raise WrongLesson(f"{step.key}: the right answer is {step.right}, the run shows {seen}")
        return {
            "kind": "ask",
            "key": step.key,
            "answers": list(step.answers),
            "right": step.right,
            "t": max(0.0, round(trace.find(step.before)["t"] - _BEFORE_S, 6)),
            "with": values,
        }
    found = trace.find(step.point_at)
    return {
        "kind": "reveal",
        "key": step.key,
        "event": found["id"],
        "t": found["t"],
        "with": values,
    }
