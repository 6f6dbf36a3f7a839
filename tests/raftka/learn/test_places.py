"""The lines of code behind events."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

from raftka.learn.places import BEHIND, places


def test_they_are_where_the_functions_begin() -> None:
    for kind, place in BEHIND.items():
        module, _, name = place.partition(":")
        found: Any = importlib.import_module(f"raftka.{module}")
        for part in name.split("."):
            found = getattr(found, part)
        line = inspect.getsourcelines(found)[1]
        assert places()[kind] == f"{module.replace('.', '/')}.py:{line}"


def test_compiled_modules_without_their_source_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """playground.html has no other."""
    expected = dict(places())

    def no_source(_: object) -> Any:
        raise OSError("could not get source code")

    monkeypatch.setattr(inspect, "findsource", no_source)
    places.cache_clear()
    assert places() == expected
