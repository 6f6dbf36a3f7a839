"""Log lines as people and as collectors read them."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from raftka import logs
from raftka.model.logs import Line

LINE = Line("warning", "raftka.broker.x", 'two\nlines of "words"', {"isr": [1, 2], "why": "a b"})


def test_words_come_first() -> None:
    text = logs.render(LINE)
    assert text.endswith('WARNING two | lines of "words" isr=[1,2] why="a b"')
    assert datetime.fromisoformat(text[:29]).utcoffset() is not None


def test_each_line_has_the_time_of_its_own_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays for a second is kept for a second, also where the clock goes back."""
    for moment in (1_796_000_000.0625, 1_796_000_000.5, 1_796_000_001.25, 1_795_999_999.999):
        monkeypatch.setattr("time.time", lambda moment=moment: moment)
        text = logs.render(LINE)
        assert text[10] == " "
        written = datetime.fromisoformat(text[:29])
        assert written.timestamp() == int(moment * 1000) / 1000
        assert written == datetime.fromtimestamp(written.timestamp()).astimezone()
        assert json.loads(logs.render_json(LINE))["time"] == written.isoformat("T", "milliseconds")


def test_a_value_is_quoted_where_it_is_no_word() -> None:
    for value, text in (
        ("a", "a"),
        ("", '""'),
        ("a b", '"a b"'),
        ("a\u00a0b", '"a\u00a0b"'),
        ("a=b", '"a=b"'),
        ('a"b', '"a\\"b"'),
        ([1, "x"], "[1,x]"),
    ):
        assert logs.quoted(value) == text


def test_json_is_one_object_a_line() -> None:
    text = logs.render_json(LINE._replace(exception="Traceback ...\nOSError: x"))
    assert "\n" not in text
    found = json.loads(text)
    assert datetime.fromisoformat(found.pop("time")).utcoffset() is not None
    assert found == {
        "level": "WARNING",
        "logger": "raftka.broker.x",
        "message": 'two\nlines of "words"',
        "exception": "Traceback ...\nOSError: x",
        "isr": [1, 2],
        "why": "a b",
    }


def test_details_that_json_has_no_word_for() -> None:
    details = {"level": 3, "id": b"\xff", "brokers": {2, 1}, "path": ValueError("bad")}
    found = json.loads(logs.render_json(Line("info", "raftka", "words", details)))
    assert found["level"] == "INFO"
    assert found["level_"] == 3
    assert found["brokers"] == [1, 2]
    assert found["path"] == "bad"


def test_the_format_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        logs.use_format("json")
        logs._print(LINE)
    finally:
        logs.use_format("text")
    assert json.loads(capsys.readouterr().out)["isr"] == [1, 2]
