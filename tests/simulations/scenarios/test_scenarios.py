"""The classic stories hold, each on a cluster of its own."""

from __future__ import annotations

import pytest

from raftka.simulations.runs.report import summary
from raftka.simulations.scenarios import NAMES
from raftka.simulations.scenarios.stage import Stage, load, run_scenario
from raftka.simulations.violation import Exit


@pytest.mark.parametrize("name", NAMES)
def test_story(name: str) -> None:
    module = load(name)
    nodes, settings = getattr(module, "NODES", 3), getattr(module, "SETTINGS", None)
    outcome = run_scenario(module.scenario, nodes=nodes, settings=settings)
    assert outcome.exit is Exit.HELD, summary(outcome, "", name)


def test_an_invariant_and_a_workload_of_ones_own() -> None:
    seen: list[str] = []

    async def workload(stage: Stage) -> None:
        seen.append(stage.nodes[0].host)

    def no_more_than_ten(stage: Stage) -> str | None:
        return "more than ten were acknowledged" if stage.acked > 10 else None

    async def scenario(stage: Stage) -> None:
        await stage.topic("t", replicas=1, min_insync_replicas="1")
        stage.start(workload)
        stage.always(no_more_than_ten)
        stage.produce("t")
        await stage.run(seconds=5)

    outcome = run_scenario(scenario, nodes=1)
    assert seen == ["n1"]
    assert outcome.exit is Exit.SAFETY
    assert outcome.violation is not None
    assert outcome.violation.name == "no_more_than_ten"
