"""Every lesson's run matches the lesson, and its words exist in every language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from raftka.learn import lessons
from raftka.learn.lessons import WrongLesson
from raftka.learn.recording import Recording, of_session, session_of_lesson
from raftka.learn.telling import NotInTrace, Trace, ask, event, reveal
from raftka.simulations.runs.user_file import UnusableFile


def placeholders(words: str) -> set[str]:
    return set(re.findall(r"\{([\w-]+)", words))


@pytest.mark.parametrize("name", lessons.names())
def test_a_lesson_goes_as_it_says(name: str) -> None:
    """`of_session` raises when the run gives another answer, or lacks what it points at."""
    recording = of_session(session_of_lesson(lessons.load(name)))
    assert recording.lesson is not None
    steps = recording.lesson["steps"]
    assert steps[0]["kind"] == "ask", "it asks before it tells"
    assert sum(step["kind"] == "reveal" for step in steps) >= 2
    assert [step["t"] for step in steps] == sorted(step["t"] for step in steps)
    assert recording.lesson["start_s"] <= steps[0]["t"]
    in_words(recording)


def in_words(recording: Recording) -> None:
    """Every number in the words is one that the run gives, in each language."""
    assert recording.lesson is not None
    tables: Mapping[str, Mapping[str, Any]] = recording.lesson["words"]
    for table in tables.values():
        for step in recording.lesson["steps"]:
            if step["kind"] == "reveal":
                words = [table["reveal"][step["key"]]]
            else:
                asked = table["ask"][step["key"]]
                words = [asked["question"], *(asked["answers"][each] for each in step["answers"])]
            for each in words:
                assert placeholders(each) <= set(step["with"]), each
        for key in ("title", "story", "takeaway"):
            assert not placeholders(table[key])


@pytest.mark.parametrize("name", lessons.names())
def test_both_languages_of_a_lesson_have_the_same_keys(name: str) -> None:
    words = lessons.load(name).words
    assert set(words) == set(lessons.LANGUAGES)
    english, portuguese = (keys(words[each]) for each in lessons.LANGUAGES)
    assert english == portuguese


def keys(table: Mapping[str, Any], before: str = "") -> set[str]:
    found: set[str] = set()
    for key, value in table.items():
        found |= keys(value, f"{before}{key}.") if isinstance(value, dict) else {before + key}
    return found


EVENTS: tuple[Mapping[str, Any], ...] = (
    {"id": 1, "t": 0.5, "kind": "produce", "node": "producer0"},
    {"id": 2, "t": 1.0, "kind": "kill", "node": "n1"},
    {"id": 3, "t": 1.25, "kind": "leader-elected", "leader": 2},
    {"id": 4, "t": 2.0, "kind": "leader-elected", "leader": 3},
)


def test_a_trace_finds_the_first_the_last_and_what_comes_after() -> None:
    trace = Trace(EVENTS)
    kill, elected = event("kill"), event("leader-elected")
    assert trace.find(elected)["id"] == 3
    assert trace.find(event("leader-elected", last=True))["id"] == 4
    assert trace.find(event("leader-elected", after=elected))["leader"] == 3
    assert trace.ms(kill, elected) == 250
    assert trace.count(elected) == 2
    assert trace.count(elected, until=event("leader-elected", leader=3)) == 1
    assert not trace.happened(event("kill", node="n2"))
    with pytest.raises(NotInTrace, match="no kill with"):
        trace.find(event("kill", node="n2"))


def test_a_lesson_whose_run_shows_something_else_is_refused() -> None:
    kill = event("kill")
    question = ask("q", ["a", "b"], "a", before=kill, seen=lambda trace: "b")

    async def story(stage: object) -> None: ...

    lesson = lessons.Lesson("mine", story, (question,), {})
    with pytest.raises(WrongLesson, match="the right answer is a, the run shows b"):
        lessons.told(lesson, EVENTS)
    missing = lessons.Lesson("mine", story, (reveal("r", point_at=event("heal")),), {})
    with pytest.raises(NotInTrace, match="there is no heal"):
        lessons.told(missing, EVENTS)


def test_a_right_answer_is_one_of_those_offered() -> None:
    with pytest.raises(ValueError, match="'c' is none of"):
        ask("q", ["a", "b"], "c", before=event("kill"), seen=lambda trace: "a")


def test_a_lesson_of_ones_own_needs_its_words(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from raftka.learn.telling import event, reveal\n"
        "async def story(stage): ...\n"
        "STEPS = (reveal('seen', point_at=event('kill')),)\n"
    )
    with pytest.raises(WrongLesson, match=r"mine\.en\.toml is missing"):
        lessons.load(str(file))
    for language in lessons.LANGUAGES:
        (tmp_path / f"mine.{language}.toml").write_text('title="A"\nstory="B"\ntakeaway="C"\n')
    with pytest.raises(WrongLesson, match=r"mine\.en\.toml lacks reveal\.seen"):
        lessons.load(str(file))
    (tmp_path / "other.py").write_text("x = 1\n")
    with pytest.raises(UnusableFile, match="it needs"):
        lessons.load(str(tmp_path / "other.py"))
