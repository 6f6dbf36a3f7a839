"""Faults that must find the right time and place."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from raftka.broker.replication import following, truncation
from raftka.simulations.faults import disk
from raftka.simulations.faults.table import FAULTS
from raftka.simulations.scenarios.stage import Stage, run_scenario
from raftka.simulations.violation import Exit


def test_a_follower_starves_while_its_leader_waits_for_leave_to_count_on_it() -> None:
    """The leader's request is delayed beyond replica.lag.time.max.ms, and heartbeats go on:
    no broker is fenced, and nothing is committed without the follower."""
    seen: dict[str, object] = {}

    async def scenario(stage: Stage) -> None:
        await stage.topic("t")
        stage.produce("t")
        stage.start(watch)
        await stage.run(seconds=1)
        await FAULTS["starved-isr-change"].inflict(stage.world, Random(4), 0)
        await stage.settle()

    async def watch(stage: Stage) -> None:
        await stage.until(lambda: bool(stage.world.fabric.closed_services), within_s=20)
        seen["fenced"] = [b.broker_id for b in stage.world.image.brokers.values() if b.fenced]
        before = stage.acked
        await stage.run(seconds=2.2)
        seen["acked"] = stage.acked - before
        seen["fenced later"] = [b for b in stage.world.image.brokers.values() if b.fenced]

    outcome = run_scenario(scenario, seed=1)
    assert outcome.exit is Exit.HELD, outcome.violation
    assert outcome.reached["ISR change held up while its replica lags"] == 1
    assert (seen["fenced"], seen["fenced later"]) == ([], [])


def test_two_failovers_in_a_row_leave_every_log_the_same() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.topic("t")
        stage.produce("t")
        await stage.run(seconds=1)
        await FAULTS["double-failover"].inflict(stage.world, Random(1), 0)
        await stage.settle()

    outcome = run_scenario(scenario, seed=1)
    assert outcome.exit is Exit.HELD, outcome.violation
    assert outcome.reached["two failovers in a row"] == 1
    assert outcome.reached["follower truncated"]


@pytest.mark.parametrize(
    ("kind", "mutation", "dice", "names"),
    [
        ("starved-failover", "epoch-start-not-awaited", 10, {"proposed-before-epoch-start"}),
        (
            "starved-isr-change",
            "late-isr-change-counts",
            23,
            {"lost-write", "isr-member-below-high-watermark"},
        ),
    ],
)
def test_a_fault_shows_what_a_broken_rule_does(
    kind: str, mutation: str, dice: int, names: set[str]
) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.topic("t")
        stage.produce("t")
        await stage.run(seconds=1)
        await FAULTS[kind].inflict(stage.world, Random(dice), 0)
        await stage.settle()

    outcome = run_scenario(scenario, seed=2, changes={"mutation": mutation})
    assert outcome.exit is Exit.SAFETY
    assert outcome.violation is not None
    assert outcome.violation.name in names


def test_a_leader_that_leads_again_counts_nothing_of_its_former_epoch() -> None:
    """One follower's copy of the leader's tail is gone; nothing is committed because of it."""

    async def scenario(stage: Stage) -> None:
        await stage.topic("t")
        await stage.run(seconds=1)
        await FAULTS["returning-leader"].inflict(stage.world, Random(1), 0)
        await stage.settle()

    held = run_scenario(scenario, seed=2)
    assert held.exit is Exit.HELD, held.violation
    assert held.reached["former leader leads again"] == 1
    broken = run_scenario(scenario, seed=2, changes={"mutation": "former-progress-counts"})
    assert broken.exit is Exit.SAFETY and broken.violation is not None
    assert broken.violation.name == "isr-member-lacks-record"


def test_a_log_with_two_tails_is_cut_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its leader answers with an epoch that it never had (KIP-279): the first cut is not enough."""
    complete: list[bool] = []

    def noted(*where: Any) -> truncation.Cut:
        complete.append(truncation.cut(*where).complete)
        return truncation.cut(*where)

    async def scenario(stage: Stage) -> None:
        await stage.topic("t")
        stage.produce("t")
        await stage.run(seconds=1)
        await FAULTS["unseen-successor"].inflict(stage.world, Random(1), 0)
        await stage.settle()

    monkeypatch.setattr(following, "cut", noted)
    outcome = run_scenario(scenario, seed=2)
    assert outcome.exit is Exit.HELD, outcome.violation
    assert outcome.reached["a log has two tails that its leader has not"] == 1
    assert complete == [False, True]


@pytest.mark.parametrize("number", range(3))
def test_the_last_replica_to_stand_is_one_that_a_controller_can_leave_alone(number: int) -> None:
    """Without both followers of the wide topic there would be no quorum, and so no controller to
    remove them from the ISR.
    """
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


def test_a_request_to_shrink_the_isr_is_late_and_nothing_is_committed_meanwhile() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.topic("t")
        stage.produce("t")
        await stage.run(seconds=1)
        await FAULTS["late-isr-shrink"].inflict(stage.world, Random(1), 0)
        await stage.settle()

    outcome = run_scenario(scenario, seed=1)
    assert outcome.exit is Exit.HELD, outcome.violation
    assert outcome.reached["ISR shrink held up"] == 1


def test_a_follower_comes_back_to_a_successor_that_has_more() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.topic("t")
        stage.produce("t")
        await stage.run(seconds=1)
        await FAULTS["starved-failover"].inflict(stage.world, Random(1), 0)
        await stage.settle()

    outcome = run_scenario(scenario, seed=1)
    assert outcome.exit is Exit.HELD, outcome.violation
    assert outcome.reached["follower returns to a successor with a longer log"] == 1


def test_a_leader_is_replaced_while_producers_wait() -> None:
    """Its successor lacks their records; the offsets for which they wait get others."""

    async def scenario(stage: Stage) -> None:
        await stage.topic("t")
        stage.produce("t")
        await stage.run(seconds=1)
        await FAULTS["overtaken-leader"].inflict(stage.world, Random(1), 0)
        await stage.settle()

    held = run_scenario(scenario, seed=1)
    assert held.exit is Exit.HELD, held.violation
    assert held.reached["a leader was replaced while producers waited"] == 1
    mutation = {"mutation": "waiters-answered-by-a-former-leader"}
    broken = run_scenario(scenario, seed=1, changes=mutation)
    assert broken.exit is Exit.SAFETY and broken.violation is not None
    assert broken.violation.name in ("told-another-offset", "lost-write", "isr-member-lacks-record")


def test_a_former_leader_loses_power_after_it_has_truncated_its_tail() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.topic("t", segment_ms="1500")
        stage.produce("t")
        await stage.run(seconds=1)
        await FAULTS["crash-after-truncation"].inflict(stage.world, Random(1), 0)
        await stage.settle()

    outcome = run_scenario(scenario, seed=1)
    assert outcome.exit is Exit.HELD, outcome.violation
    assert outcome.reached["power lost after a truncation"] == 1
    assert outcome.reached["follower truncated"]


def test_an_operator_restarts_a_process_that_is_paused() -> None:
    """Seed 91570004: a broker that had started without one of its disks was paused when the disk
    was back, and went on without it for ever."""
    done: list[str] = []
    machine: Any = SimpleNamespace(is_up=True, is_running=False, suspect=True)
    cluster = SimpleNamespace(kill=lambda *_: done.append("killed"))
    world: Any = SimpleNamespace(cluster=cluster, start=lambda *_: done.append("started"))
    trio.run(disk._restart, world, Random(1), machine, 0, clock=MockClock(autojump_threshold=0))
    assert done == ["killed", "started"]
    assert not machine.suspect
