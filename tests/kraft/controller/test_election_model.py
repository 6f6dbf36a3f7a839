"""Random histories of one partition under the real controller, checked at every step."""

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


def test_controllers_that_die_between_the_batches_of_an_operation_lose_nothing() -> None:
    rules = Rules(changes_at_once=1)
    for seed in range(SEEDS):
        model = ElectionModel(random.Random(seed), rules, deaths=0.5)
        try:
            model.run(STEPS)
        except PromiseBroken as broken:
            raise AssertionError(f"seed {seed}: {broken}") from None
        model.heal()
        if not model.partition.has_leader:
            assert "only an unclean election" in model.partition.reason, f"seed {seed}"


RULES_OF_THE_CONTROLLER = (
    Rule.JOIN_BY_PRESENT_BROKER_EPOCH,
    Rule.FENCED_STAY_OUT_OF_ISR,
    Rule.LOST_LOG_IS_NOT_ELIGIBLE,
    Rule.REGISTERED_AFTER_CHANGES,
)


@pytest.mark.parametrize("rule", RULES_OF_THE_CONTROLLER)
def test_each_rule_is_needed(rule: Rule) -> None:
    """With the rule switched off, some seed loses a record or elects a replica that lacks some."""
    rules = Rules(off={rule}, changes_at_once=1)
    deaths = 0.5 if rule is Rule.REGISTERED_AFTER_CHANGES else 0.0
    for seed in range(SEEDS):
        try:
            ElectionModel(random.Random(seed), rules, deaths=deaths).run(STEPS)
        except PromiseBroken:
            return
    pytest.fail(f"nothing broke in {SEEDS} seeds without the rule: {rule.value}")
