"""Faults that have to find the place where they hurt."""

from __future__ import annotations

from random import Random

import pytest

from raftka.simulations.faults.table import FAULTS
from raftka.simulations.scenarios.stage import Stage, run_scenario


@pytest.mark.parametrize("number", range(3))
def test_the_last_replica_to_stand_is_one_that_a_controller_can_leave_alone(number: int) -> None:
    """With both followers of the wide topic the quorum would be gone, and nobody left to take them
    out of the ISR."""
    alone = []

    async def scenario(stage: Stage) -> None:
        await stage.topic("wide", replicas=3)
        await stage.topic("narrow", replicas=2)
        stage.start(watch)
        await FAULTS["last-standing-lost"].inflict(stage.world, Random(number), 0)
        await stage.settle()

    async def watch(stage: Stage) -> None:
        await stage.until(lambda: len(stage.isr("narrow")) == 1)
        alone.append("narrow")

    run_scenario(scenario, seed=1)
    assert alone == ["narrow"]
