"""Random lives of one partition under the real controller; its promise is checked at every step."""

from __future__ import annotations

import random

import pytest

from raftka.kraft.controller.result import Rules
from raftka.kraft.records import NO_LEADER
from raftka.model.rules import Rule
from tests.support.election_model import ElectionModel, PromiseBroken

SEEDS = 300
STEPS = 120


def test_no_acknowledged_record_is_lost() -> None:
    for seed in range(SEEDS):
        try:
            ElectionModel(random.Random(seed)).run(STEPS)
        except PromiseBroken as broken:
            raise AssertionError(f"seed {seed}: {broken}") from None


def test_when_all_is_well_again_there_is_a_leader_and_all_are_in_sync() -> None:
    for seed in range(100):
        model = ElectionModel(random.Random(seed))
        model.run(STEPS)
        model.heal()
        partition = model.partition
        if partition.leader == NO_LEADER:
            assert "only an unclean election" in partition.reason, f"seed {seed}: {partition}"
            assert any(each.disk for each in model.brokers.values())
        else:
            assert set(partition.isr) == set(partition.replicas), f"seed {seed}: {partition}"
            assert not partition.is_reassigning, f"seed {seed}: {partition}"


RULES_OF_THE_CONTROLLER = (
    Rule.JOIN_BY_PRESENT_BROKER_EPOCH,
    Rule.FENCED_STAY_OUT_OF_ISR,
    Rule.LOST_LOG_IS_NOT_ELIGIBLE,
)


@pytest.mark.parametrize("rule", RULES_OF_THE_CONTROLLER)
def test_each_rule_is_needed(rule: Rule) -> None:
    """With the rule switched off, some seed loses a record or elects a replica that lacks some."""
    rules = Rules(off={rule})
    for seed in range(SEEDS):
        try:
            ElectionModel(random.Random(seed), rules).run(STEPS)
        except PromiseBroken:
            return
    pytest.fail(f"nothing broke in {SEEDS} seeds without the rule: {rule.value}")
