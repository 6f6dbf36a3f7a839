"""Three replicas under random faults keep their promises; without any one rule they do not."""

from __future__ import annotations

import pytest

from tests.support.partition_model import Model


@pytest.mark.parametrize("seed", range(60))
def test_what_is_acknowledged_stays(seed: int) -> None:
    model = Model(seed)
    model.run(400)


def test_the_runs_are_not_idle() -> None:
    models = [Model(seed) for seed in range(10)]
    for model in models:
        model.run(400)
    assert sum(len(model.acked) for model in models) > 200
    assert sum(model.elections for model in models) > 20
