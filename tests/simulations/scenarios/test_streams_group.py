"""The rules of streams groups, each left out: the story of streams_group.py notices."""

from __future__ import annotations

import pytest

from raftka.simulations.scenarios.stage import run_scenario
from raftka.simulations.scenarios.streams_group import SETTINGS, scenario


@pytest.mark.parametrize(
    ("rule", "violations"),
    [
        ("one-owner-per-task", {"task-with-two-owners"}),
        ("task-once-per-process", {"task-twice-in-process"}),
        ("revoked-is-confirmed", {"task-with-two-owners", "task-twice-in-process"}),
    ],
)
def test_a_rule_that_is_left_out_is_missed(rule: str, violations: set[str]) -> None:
    outcome = run_scenario(scenario, settings=SETTINGS, changes={"rules_off": (rule,)})
    assert outcome.violation is not None
    assert outcome.violation.name in violations
