"""Loggers: which lines pass, and how levels follow the names above."""

from __future__ import annotations

import pytest

from raftka.model import logs
from raftka.model.logs import Level, captured, get_logger, levels, set_level

upper = get_logger("test.upper")
lower = get_logger("test.upper.lower")


def words(lines: list[logs.Line]) -> list[str]:
    return [line.words for line in lines]


def test_a_level_holds_for_all_names_below_that_have_none_of_their_own() -> None:
    with captured(level=Level.WARN) as lines:
        lower.info("not yet")
        set_level("test", Level.DEBUG)
        assert (upper.is_debug, lower.is_debug) == (True, True)
        lower.debug("now")
        set_level("test.upper.lower", Level.ERROR)
        lower.warning("not any longer")
        upper.debug("still")
        set_level("test.upper.lower", None)
        lower.debug("again", size=3)
    assert words(lines) == ["now", "still", "again"]
    assert lines[-1] == logs.Line("debug", "test.upper.lower", "again", {"size": 3})


def test_a_new_logger_has_the_level_of_its_name() -> None:
    with captured():
        set_level("test.upper", Level.DEBUG)
        assert get_logger("test.upper.made.later").level is Level.DEBUG
        assert levels()["test.upper.made"] is Level.DEBUG


def test_the_root_keeps_a_level_and_names_must_exist() -> None:
    with captured():
        with pytest.raises(ValueError, match="root"):
            set_level(logs.ROOT, None)
        with pytest.raises(KeyError):
            set_level("no.such.logger", Level.INFO)
        assert not logs.exists("no.such.logger")


def test_an_exception_comes_with_its_traceback() -> None:
    with captured() as lines:
        try:
            raise ValueError("lost")
        except ValueError:
            upper.exception("caught")
    assert lines[0].level == "error" and "ValueError: lost" in (lines[0].exception or "")


def test_levels_and_sinks_are_left_as_they_were() -> None:
    with captured(level=Level.ERROR) as outer:
        set_level("test.upper", Level.INFO)
        with captured(level=Level.DEBUG) as inner:
            lower.debug("inside")
        upper.info("outside")
        upper.debug("below")
    assert (words(inner), words(outer)) == (["inside"], ["outside"])


def test_what_is_wrong_is_not_lost_before_anybody_says_where_lines_go(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_sinks", [])
    upper.info("fine")
    upper.warning("wrong", size=3)
    assert capsys.readouterr().err == "test.upper: wrong {'size': 3}\n"
