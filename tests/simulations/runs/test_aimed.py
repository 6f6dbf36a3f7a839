"""Each rule left out, and each bug put in by hand, is shown by a short run that is aimed at it.

How soon drawn seeds show them is in docs/simulation.md; these show that a checker looks.
"""

from __future__ import annotations

from raftka.simulations.plan import Options
from raftka.simulations.runs.run import plan_for, run_plan
from raftka.simulations.scenarios.stage import Stage, run_scenario
from raftka.simulations.violation import Exit


def test_a_broker_that_is_registered_before_its_unclean_end_has_effects_is_noticed() -> None:
    """With a batch for each record, the image between them has a fenced broker in an ISR, and a
    controller that died there would leave it so."""

    async def scenario(stage: Stage) -> None:
        await stage.topic("t", partitions=3)
        stage.produce("t")
        await stage.run(seconds=1)
        victim = stage.leader_of("t")
        stage.lose_power(victim)
        await stage.run(seconds=0.3)
        stage.restart(victim)
        await stage.run(seconds=4)
        await stage.settle()

    settings = {"raftka.controller.changes.per.batch": "1"}
    assert run_scenario(scenario, settings=settings).exit is Exit.HELD
    mutation = {"mutation": "registered-before-changes"}
    outcome = run_scenario(scenario, settings=settings, changes=mutation)
    assert outcome.violation is not None
    assert outcome.violation.name == "fenced-in-isr"


def test_a_share_groups_state_that_a_former_leader_sends_late_is_noticed() -> None:
    """Its coordinator takes the write after the successor has read the state: what the successor
    has given to members since is forgotten by the next leader."""
    options = Options(
        1,
        duration_s=20.0,
        mutation="share-former-leader-writes",
        faults=("late-share-state",),
        rates={"late-share-state": 8.0},
    )
    outcome = run_plan(plan_for(options))
    assert outcome.violation is not None
    assert outcome.violation.name == "share-state-of-a-former-leader"
