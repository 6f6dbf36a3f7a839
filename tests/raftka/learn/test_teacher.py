"""Requests of a page: those of sessions are passed on, and some are the teacher's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from raftka.learn.measures import measures
from raftka.learn.teacher import Teacher, titles

SESSION = {"scenario": "lost_leader", "seed": 3, "until_s": 2.5}


def answers(teacher: Teacher, request: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in teacher.lines(json.dumps(request))]


def test_a_session_is_recorded_whole_and_a_hand_changes_only_what_comes_after() -> None:
    teacher = Teacher()
    *before, ended = answers(teacher, {"id": 1, "op": "record", "session": SESSION})
    assert ended["ok"] and ended["run"]["session"]["seed"] == 3
    script = [{"at_s": 1.0, "do": "kill", "node": "n2"}]
    *after, changed = answers(
        teacher, {"id": 2, "op": "record", "session": {**SESSION, "script": script}}
    )
    assert changed["ok"] and changed["run"]["hash"] != ended["run"]["hash"]
    one = [event for answer in before for event in answer["events"]]
    two = [event for answer in after for event in answer["events"]]
    same = [event for event in one if event["t"] < 1.0]
    assert same and two[: len(same)] == same
    assert any(event["kind"] == "kill" and event["node"] == "n2" for event in two)


def test_what_is_impossible_is_an_error_with_its_id_and_the_engine_lives_on() -> None:
    teacher = Teacher()
    script = [{"at_s": 0.5, "do": "restart", "node": "n1"}]
    (refused,) = answers(
        teacher, {"id": "a", "op": "record", "session": {**SESSION, "script": script}}
    )
    assert refused["id"] == "a" and refused["error"]["code"] == "impossible"
    nothing = {"op": "record", "session": {"lesson": "nothing"}}
    wrongs: list[object] = [{"op": "record"}, nothing, {"op": ["record"]}, {"op": {}}, {}, 7]
    for wrong in wrongs:
        assert answers(teacher, wrong)[-1]["ok"] is False
    assert [json.loads(each)["ok"] for each in teacher.lines("nonsense")] == [False]
    assert answers(teacher, {"op": "verbs"})[-1]["ok"]
    teacher.close()


@pytest.mark.parametrize("script", [[], [{"at_s": 0.1, "do": "kill", "node": "n2"}]])
def test_a_lesson_that_raises_is_an_error_unless_hands_have_made_another_story_of_it(
    script: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*_: object) -> None:
        raise KeyError("of the lesson")

    monkeypatch.setattr("raftka.learn.recording.lessons.told", told)
    teacher = Teacher()
    session = {"lesson": "kill", "until_s": 0.5, "script": script}
    *_, answer = answers(teacher, {"id": 3, "op": "record", "session": session})
    assert answer["id"] == 3
    if script:
        assert answer["ok"] and answer["run"]["lesson"] is None
    else:
        assert answer["error"]["code"] == "internal"
        assert "KeyError: 'of the lesson'" in answer["error"]["message"]
    assert answers(teacher, {"op": "lessons"})[-1]["ok"]
    teacher.close()


def test_lessons_have_titles_in_both_languages() -> None:
    (answer,) = answers(Teacher(), {"op": "lessons"})
    assert answer["lessons"] == list(titles())
    assert all(each["title"]["en"] and each["title"]["pt"] for each in answer["lessons"])


def test_a_run_is_measured() -> None:
    *_, answer = answers(Teacher(), {"op": "measure", "session": SESSION})
    assert 0 < answer["election_s"] < 1
    assert answer["outage_s"] > 0 and answer["lost"] == 0


@pytest.mark.parametrize("lesson", ["acks", "acks-1-loss"])
def test_a_run_that_is_counted_comes_to_what_its_whole_recording_comes_to(lesson: str) -> None:
    session = {"lesson": lesson, "seed": 3, "settings": {"broker.session.timeout.ms": "3000"}}
    *events, ended = answers(Teacher(), {"op": "record", "session": session})
    whole = measures(event for answer in events for event in answer["events"])
    *_, counted = answers(Teacher(), {"op": "measure", "session": session})
    assert ended["ok"] and {name: counted[name] for name in whole} == whole


def event(t: float, kind: str, **fields: Any) -> dict[str, Any]:
    return {"t": t, "kind": kind, **fields}


@pytest.mark.parametrize(("end", "lost"), [(10, 0), (6, 4)])
def test_acknowledged_records_that_the_next_leader_lacks_are_lost(end: int, lost: int) -> None:
    found = measures(
        [
            event(0.1, "leader-elected", partition="t-0", leader=1),
            event(0.2, "append", node="n1", partition="t-0", last_offset=9),
            event(0.2, "append", node="n2", partition="t-0", last_offset=end - 1),
            event(0.3, "ack", partition="t-0", offset=9),
            event(1.0, "kill", node="n1"),
            event(1.25, "leader-elected", partition="t-0", leader=2),
            event(2.3, "ack", partition="t-0", offset=end),
        ]
    )
    assert found == {"election_s": 0.25, "outage_s": 2.0, "lost": lost}
