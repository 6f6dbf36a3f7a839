"""Plans that once failed, shrunk and kept: each must hold now.

A failing seed becomes such a file with `raftka simulate --seed N --shrink --output FILE`; the name
of the file says what was wrong.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from raftka.simulations.plan import Options, Plan, Step
from raftka.simulations.runs.report import as_dict, summary
from raftka.simulations.runs.run import plan_for, run_plan
from raftka.simulations.runs.shrink import shrink
from raftka.simulations.violation import Exit

PLANS = sorted((Path(__file__).parent / "plans").glob("*.json"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_plan_that_once_failed_holds(path: Path) -> None:
    outcome = run_plan(Plan.loads(path.read_text()))
    assert outcome.exit is Exit.HELD, summary(outcome, "", str(path))


def test_a_plan_survives_being_written() -> None:
    plan = plan_for(Options(5))
    assert Plan.loads(plan.dumps()) == plan


def test_consumers_read_from_followers_where_nodes_are_in_racks() -> None:
    plans = (plan_for(Options(seed, duration_s=4.0, faults=())) for seed in range(1, 30))
    plan = next(plan for plan in plans if plan.nodes[0].rack)
    racks = {node.rack for node in plan.nodes}
    near = [each.settings.get("client.rack") for each in plan.consumers]
    assert racks & set(near), "members of coordinated groups read from leaders"
    assert set(near) <= {*racks, None}
    outcome = run_plan(plan)
    assert outcome.exit is Exit.HELD
    assert outcome.reached["consumer read from a follower"]


def test_taking_a_fault_away_leaves_the_others_as_they_were() -> None:
    plan = plan_for(Options(5))
    fewer = plan_for(Options(5, rates={plan.faults[0].kind: 0.0}))
    assert all(step in plan.faults for step in fewer.faults)


def test_shrinking_keeps_what_is_needed_to_fail() -> None:
    plan = plan_for(Options(3, duration_s=5.0, mutation="ack-before-fsync"))
    plan = replace(plan, faults=(Step(3.2, "kill", "kill 0"), Step(3.4, "reset", "reset 0")))
    failed = run_plan(plan)
    assert failed.exit is Exit.SAFETY
    smaller = shrink(failed, lambda words: None, runs_max=40)
    assert smaller.violation is not None and failed.violation is not None
    assert smaller.violation.name == failed.violation.name
    assert smaller.plan.faults == ()
    assert smaller.plan.consumers == ()


def test_the_summary_in_json_has_its_keys() -> None:
    outcome = run_plan(plan_for(Options(2, duration_s=4.0, faults=())))
    found = as_dict(outcome, "abc")
    for key in (
        *("seed", "commit", "trace_hash", "virtual_s", "wall_s", "speed", "events", "faults"),
        *("elections", "acked", "read", "violations", "exit"),
    ):
        assert key in found
    assert found["exit"] == 0
    assert "HELD" in summary(outcome, "abc", "raftka simulate --seed 2")
