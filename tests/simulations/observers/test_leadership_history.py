"""Leaders and their successors: reasons and times of elections in runs of one fault each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from raftka.simulations.plan import Options
from raftka.simulations.runs.report import as_dict, summary
from raftka.simulations.runs.run import plan_for, run_plan
from raftka.simulations.scenarios.stage import Stage, run_scenario

Deed = Callable[[Stage], Awaitable[None]]


async def kill(stage: Stage) -> None:
    stage.kill(stage.controller)


async def lose_power(stage: Stage) -> None:
    stage.lose_power(stage.controller)


async def isolate(stage: Stage) -> None:
    stage.isolate(stage.controller)


async def pause(stage: Stage) -> None:
    stage.pause(stage.controller)


async def stop(stage: Stage) -> None:
    await stage.stop(stage.controller)


@pytest.mark.parametrize(
    ("deed", "words", "took_s"),
    [
        (kill, "was killed at 3.", 0.5),
        (lose_power, "lost power at 3.", 4.0),
        (isolate, "was cut off from the majority: none answered since 3.", 4.0),
        (pause, "was paused since 3.", 4.0),
        (stop, "was stopped at 3.", 0.5),
    ],
)
def test_a_controller_is_followed_by_another_for_a_reason(
    deed: Deed, words: str, took_s: float
) -> None:
    hosts: list[str] = []

    async def story(stage: Stage) -> None:
        await stage.topic("t")
        await stage.until(lambda: stage.has_leader("t"))
        await stage.run(seconds=3.2 - stage.now)
        old = stage.controller
        hosts.append(old.host)
        await deed(stage)
        await stage.until(lambda: stage.controller is not old)

    outcome = run_scenario(story)
    first, second = outcome.controllers
    assert (first.reason, first.took_s) == ("the first election", None)
    assert second.reason.startswith(f"{hosts[0]} {words}")
    assert second.took_s is not None and 0 < second.took_s < took_s
    assert outcome.controller_election_s == [second.took_s]
    found = as_dict(outcome, "abc")["elections"]
    assert found["controller"] == 2
    assert found["controllers"][1]["reason"] == second.reason
    assert f"in term {second.term}: {second.reason}" in summary(outcome, "abc", "")


def test_an_election_after_a_kill_is_timed_and_one_by_wish_is_not() -> None:
    async def story(stage: Stage) -> None:
        await stage.topic("t")
        await stage.until(lambda: stage.has_leader("t"))
        leader = stage.leader_of("t")
        stage.kill(leader)
        await stage.until(lambda: stage.has_leader("t") and stage.leader_of("t") is not leader)
        stage.restart(leader)
        await stage.until(lambda: len(stage.isr("t")) == 3)
        other = stage.leader_of("t")
        await stage.stop(other)
        await stage.until(lambda: stage.leader_of("t") is not other)

    outcome = run_scenario(story)
    assert len(outcome.partition_election_s) == 1
    assert 0 < outcome.partition_election_s[0] < 4
    assert sum(outcome.leader_elections.values()) == 2


def test_a_quiet_run_has_one_election() -> None:
    outcome = run_plan(plan_for(Options(2, duration_s=4.0, faults=())))
    assert [each.reason for each in outcome.controllers] == ["the first election"]
    assert outcome.controller_election_s == outcome.partition_election_s == []
