"""Groups of the newer protocols in drawn plans: which plans have them, and that they work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raftka.net.protocol.messages.consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from raftka.simulations.aftermath.groups import GROUPS_S
from raftka.simulations.load.reluctant import Reluctant
from raftka.simulations.mutations import MUTANTS
from raftka.simulations.plan import GROUP_KINDS, Options, Plan
from raftka.simulations.runs.report import summary
from raftka.simulations.runs.run import plan_for, run_plan
from raftka.simulations.violation import Exit

TOPIC = bytes(range(16))


def plan_with(kind: str) -> Plan:
    """A short plan without faults that has a group of the kind, and no other."""
    mutation = next(each.name for each in MUTANTS.values() if each.needs == kind)
    plan = plan_for(Options(7, duration_s=6.0, faults=(), mutation=mutation))
    groups = tuple(each for each in plan.groups if each.kind == kind)
    topics = tuple(replace(each, configs={}) for each in plan.topics)
    return replace(plan, groups=groups, topics=topics, mutation=None)


def test_a_tenth_of_the_plans_has_a_group_of_each_kind() -> None:
    plans = [plan_for(Options(seed)) for seed in range(300)]
    for kind in GROUP_KINDS:
        count = sum(any(each.kind == kind for each in plan.groups) for plan in plans)
        assert 12 <= count <= 60, kind


def test_vanished_members_are_forgotten_long_before_groups_must_have_recovered() -> None:
    # Seed 40256668: two had vanished, and their coordinator moved after all had healed.
    plans = [plan_for(Options(seed, mutation="revocation-awaited-for-ever")) for seed in range(40)]
    with_groups = [plan for plan in plans if any(g.kind == "reluctant" for g in plan.groups)]
    assert with_groups
    for plan in with_groups:
        assert int(plan.settings["group.consumer.session.timeout.ms"]) * 5 < GROUPS_S * 1000


def test_a_plan_with_groups_survives_being_written() -> None:
    plan = plan_with("share")
    assert Plan.loads(plan.dumps()) == plan


@pytest.mark.parametrize(
    ("kind", "looks"),
    [("share", "acknowledged-delivered-again"), ("streams", "task-with-two-owners")],
)
def test_a_group_works_and_is_looked_at(kind: str, looks: str) -> None:
    seen: list[int] = []

    def tell(world: object) -> None:
        seen.append(world.oversight.rules().get(looks, 0))  # type: ignore[attr-defined]

    outcome = run_plan(plan_with(kind), tell=tell)
    assert outcome.exit is Exit.HELD, summary(outcome, "", "")
    assert seen[-1] > 0


def answer(epoch: int, *indexes: int) -> ConsumerGroupHeartbeatResponse:
    some = [TopicPartitions(topic_id=TOPIC, partitions=list(indexes))] if indexes else []
    return ConsumerGroupHeartbeatResponse(
        member_epoch=epoch, assignment=Assignment(topic_partitions=some)
    )


def test_a_reluctant_member_keeps_what_it_must_give_back() -> None:
    member = Reluctant("g", "m", ["t"])
    member.keeps = True
    member.answered(answer(1, 0, 1))
    member.answered(answer(1, 0))
    assert member.owned == {(TOPIC, 0), (TOPIC, 1)}
    member.keeps = False
    member.answered(answer(1, 0))
    assert member.owned == {(TOPIC, 0)}
    assert member.request().member_epoch == 1


def test_a_coordinator_that_waits_without_end_for_a_reluctant_member_is_noticed() -> None:
    mutation = "revocation-awaited-for-ever"
    outcome = run_plan(replace(plan_with("reluctant"), mutation=mutation, operations=()))
    assert outcome.exit is Exit.LIVENESS
    assert outcome.violation is not None and outcome.violation.name == "groups-recover"
