"""The rules of share groups, each left out: the story of share_group.py notices."""

from __future__ import annotations

import pytest

from raftka.simulations.scenarios.share_group import SETTINGS, scenario
from raftka.simulations.scenarios.stage import run_scenario


@pytest.mark.parametrize(
    ("rule", "violation"),
    [
        ("share-lock-excludes", "delivered-to-two"),
        ("share-deliveries-end", "delivered-beyond-limit"),
        ("share-acknowledged-is-persisted", "acknowledged-delivered-again"),
    ],
)
def test_a_rule_that_is_left_out_is_missed(rule: str, violation: str) -> None:
    outcome = run_scenario(scenario, settings=SETTINGS, changes={"rules_off": (rule,)})
    assert outcome.violation is not None
    assert outcome.violation.name == violation


def test_a_leader_that_reads_no_state_is_noticed() -> None:
    outcome = run_scenario(
        scenario, settings=SETTINGS, changes={"rules_off": ("share-state-is-read",)}
    )
    assert outcome.violation is not None
