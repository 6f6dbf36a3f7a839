"""Scenarios, workloads and invariants in a user's own file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raftka.simulations.plan import Options
from raftka.simulations.runs import command
from raftka.simulations.runs.run import plan_for, run_plan
from raftka.simulations.runs.user_file import UnusableFile, beside
from raftka.simulations.violation import Exit

WORKLOAD = """
async def workload(stage):
    await stage.topic("mine", replicas=1, min_insync_replicas="1")
    await stage.until(lambda: stage.has_leader("mine"))
    assert stage.leader_of("mine").node_id == 1, "one node leads"

def always_three(stage):
    if stage.has_leader("mine"):
        return "there is a topic too many"
"""
SCENARIO = '''
"""One node is enough."""
NODES = 1
async def scenario(stage):
    await stage.topic("t", replicas=1, min_insync_replicas="1")
    stage.produce("t")
    await stage.run(seconds=1)
    await stage.settle()
    assert len(await stage.read("t")) == stage.acked
'''


def test_a_workload_and_an_invariant_run_beside_a_seeds_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(WORKLOAD)
    plan = plan_for(Options(3, nodes=1, duration_s=6.0, faults=()))
    assert run_plan(plan).exit is Exit.HELD
    outcome = run_plan(plan, beside=beside(str(file)))
    assert outcome.exit is Exit.SAFETY
    assert outcome.violation is not None
    assert (outcome.violation.name, outcome.violation.story) == (
        "always_three",
        "there is a topic too many",
    )


def test_an_assertion_of_the_workload_is_a_violation(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(WORKLOAD.replace("== 1", "== 2"))
    plan = plan_for(Options(3, nodes=1, duration_s=6.0, faults=()))
    outcome = run_plan(plan, beside=beside(str(file)))
    assert outcome.violation is not None
    assert (outcome.violation.name, outcome.violation.story) == ("workload", "one node leads")


def test_a_scenario_in_a_file_runs_under_several_seeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "story.py"
    file.write_text(SCENARIO)
    assert command.main(["--scenario", str(file), "--seed", "5", "--seeds", "2", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "One node is enough."
    found = [json.loads(line) for line in lines if line.startswith("{")]
    assert [each["seed"] for each in found] == [5, 6]
    assert all(each["exit"] == 0 and each["acked"] > 0 for each in found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "neither"),
        ("import nothing_of_that_name", "cannot be loaded: ModuleNotFoundError"),
        ("def", "cannot be loaded: SyntaxError"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_words(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(UnusableFile, match=words):
        beside(str(file))


def test_wrong_options_do_not_look_like_a_violation(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--with", "/no/such/file.py"]) == command.USAGE
    assert command.main(["--scenario", "nobody-wrote-it"]) == command.USAGE
    with pytest.raises(SystemExit) as ended:
        command.main(["--mutation", "nobody-wrote-it"])
    assert ended.value.code == command.USAGE
    assert "there is no file" in capsys.readouterr().err
