"""Three replicas under random faults keep their promises; without any one rule they do not."""

from __future__ import annotations

import pytest

from raftka.model.rules import Rule
from tests.support.partition_model import Model, Violation

STEPS = 1000
RULES_OF_PARTITIONS = (
    Rule.TRUNCATE_BY_LEADER_EPOCH,
    Rule.EPOCH_IN_FETCH,
    Rule.TRUNCATE_BEFORE_HIGH_WATERMARK,
    Rule.BROKER_EPOCHS_IN_ALTER_PARTITION,
    Rule.PROPOSE_NO_FENCED_REPLICA,
)


@pytest.mark.parametrize("seed", range(100))
def test_what_is_acknowledged_stays(seed: int) -> None:
    Model(seed).run(STEPS)


def test_the_runs_are_not_idle() -> None:
    models = [Model(seed) for seed in range(20)]
    for model in models:
        model.run(STEPS)
    assert sum(len(model.acked) for model in models) > 400
    assert sum(model.elections for model in models) > 40


@pytest.mark.parametrize("rule", RULES_OF_PARTITIONS)
def test_a_rule_that_is_switched_off_is_missed(rule: Rule) -> None:
    for seed in range(200):
        try:
            Model(seed, {rule}).run(STEPS)
        except Violation:
            return
    pytest.fail(f"nothing went wrong without: {rule.value}")
