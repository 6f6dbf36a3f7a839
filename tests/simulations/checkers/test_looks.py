"""Every rule that a checker may report as violated is counted when it is checked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from raftka.simulations import checkers
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.checkers.voters import RULES

FOLDER: Final = Path(checkers.__file__).parent
REPORTS: Final = ("_report", "_lost")
NOT_COUNTED: Final = {"corrupt-batch-written", "unreadable-batch-written"}
"""Each batch that is written is read for them, by the mirrors of the logs."""


def words(path: Path, names: tuple[str, ...], of: str = "") -> Iterator[str]:
    """The texts in the first argument, or all, of calls of these methods."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        inner = node.func.value
        if node.func.attr not in names or (of and getattr(inner, "attr", "") != of):
            continue
        for argument in node.args if names != REPORTS else node.args[:1]:
            for each in ast.walk(argument):
                if isinstance(each, ast.Constant) and isinstance(each.value, str):
                    yield each.value


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_what_may_be_reported_is_looked_at_and_nothing_else(path: Path) -> None:
    reported = set(words(path, REPORTS)) - NOT_COUNTED
    looked_at = set(words(path, ("looks",))) | set(words(path, ("at",), of="looks"))
    if path.name == "voters.py":
        looked_at = set(RULES)
    assert looked_at == reported


def test_a_comparison_counts_once_and_each_of_its_rules() -> None:
    looks = Looks()
    looks("one", "other")
    looks("one")
    looks.at("third")
    assert (looks.checks, looks) == (2, {"one": 2, "other": 1, "third": 1})
