"""Three replicas under random faults keep their promises; without any one rule they do not."""

from __future__ import annotations

import pytest

from raftka.broker.mutations import Mutation
from tests.support.partition_model import Model, Violation

STEPS = 1000
RULES_OF_PARTITIONS = (
    Mutation.TRUNCATE_TO_HIGH_WATERMARK,
    Mutation.NO_EPOCH_IN_FETCH,
    Mutation.HIGH_WATERMARK_BEFORE_TRUNCATION,
    Mutation.NO_BROKER_EPOCH_IN_ALTER_PARTITION,
    Mutation.FENCED_REPLICA_JOINS_ISR,
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


@pytest.mark.parametrize("mutation", RULES_OF_PARTITIONS)
def test_a_rule_that_is_switched_off_is_missed(mutation: Mutation) -> None:
    for seed in range(200):
        try:
            Model(seed, {mutation}).run(STEPS)
        except Violation:
            return
    pytest.fail(f"nothing went wrong without: {mutation.value}")
