"""Many seeds of each lesson, shipped as figures: the seeds still give these figures."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from raftka.learn import counting, figures, lessons
from raftka.learn.counting import main, missing, run_of, session_of
from raftka.learn.recording import Recording, record


def test_all_lessons_grow_alike_and_a_call_goes_on_from_the_last_one() -> None:
    one, two = figures.VALUES
    first = list(islice(missing({}, ["kill", "acks"], 4), 5))
    assert first == [
        ("kill", one, 1),
        ("kill", two, 1),
        ("acks", one, 1),
        ("acks", two, 1),
        ("kill", one, 2),
    ]
    found: figures.Figures = {"kill": {one: [[1, 2, 0]], two: [[1, 2, 0], []]}}
    assert list(missing(found, ["kill"], 4)) == [("kill", one, 2)]
    assert list(missing(found, ["kill"], 2)) == []


def test_the_command_keeps_what_it_has_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Pool:
        """Run it in this process: the run itself is not the subject of this test."""

        def __init__(self, jobs: int) -> None:
            assert jobs == 1

        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *_: object) -> None: ...

        imap = staticmethod(map)

    monkeypatch.setattr(counting, "get_context", lambda _: type("Spawn", (), {"Pool": Pool}))
    file = tmp_path / "figures.json"
    arguments = ["acks", "--seeds", "2", "--file", str(file)]
    assert main(arguments) == 0
    found = figures.read(file.read_text())
    assert found == {"acks": {value: [[None, 0, 0]] for value in figures.VALUES}}
    assert figures.read(figures.written(found)) == found
    monkeypatch.setattr(counting, "run_of", pytest.fail)
    assert main(arguments) == 0
    assert "'acks': [1, 1]" in capsys.readouterr().out


def test_what_ships_is_what_its_seeds_come_to() -> None:
    shipped = {name: figures.of(name) for name in lessons.names()}
    found = {name: each for name, each in shipped.items() if each is not None}
    for each in found.values():
        assert set(each["runs"]) <= set(figures.VALUES)
        assert all(len(run) in (0, 3) for runs in each["runs"].values() for run in runs)
    for name in [each for each in ("kill", "acks-1-loss") if each in found]:
        for value, runs in found[name]["runs"].items():
            assert run_of(session_of(name, value, 1)) == runs[0]


def test_a_run_that_was_changed_has_none() -> None:
    recording = record("acks")
    assert recording.figures == figures.of("acks")
    assert Recording([], {}).about()["figures"] is None
