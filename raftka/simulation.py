"""The deployed cluster under one seed, from Python: public API.

    from raftka.simulation import Stage, run_scenario

    async def scenario(stage: Stage) -> None:
        await stage.topic("orders")
        stage.produce("orders")
        stage.isolate(stage.leader_of("orders", 0))
        await stage.run(seconds=5)
        stage.heal()
        await stage.settle()

    def test_an_isolated_leader_loses_nothing() -> None:
        assert run_scenario(scenario, seed=1).violation is None

`run_seed(7)` runs what `raftka simulate --seed 7` runs. Time is virtual, and the same seed gives
the same history in every process and on every machine. See docs/simulation.md.
"""

from __future__ import annotations

from raftka.simulations.plan import Options, Plan
from raftka.simulations.runs.run import Outcome, plan_for, run_plan
from raftka.simulations.scenarios.stage import Stage, run_scenario
from raftka.simulations.violation import Violation

__all__ = [
    "Options",
    "Outcome",
    "Plan",
    "Stage",
    "Violation",
    "plan_for",
    "run_plan",
    "run_scenario",
    "run_seed",
]


def run_seed(seed: int, **options: object) -> Outcome:
    """Draw a seed's faults and load, and run it. `options` are fields of `Options`."""
    return run_plan(plan_for(Options(seed, **options)))  # type: ignore[arg-type]
