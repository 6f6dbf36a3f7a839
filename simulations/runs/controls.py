"""Runs that must lose data: they show that the checkers notice a loss.

The checkers make no allowance: they expect every record, although Kafka does not guarantee these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from raftka.simulations.plan import NodePlan, Plan, Step


@dataclass(frozen=True)
class Control:
    """A change to a plan after which records are lost."""

    name: str
    meaning: str
    change: Callable[[Plan], Plan]


def _often(plan: Plan, kind: str, every_s: float) -> tuple[Step, ...]:
    count = int((plan.duration_s - 5) / every_s)
    return tuple(Step(5 + n * every_s, kind, f"{kind} {n}") for n in range(count))


def _acks_1(plan: Plan) -> Plan:
    """Every producer uses acks=1, and leaders are cut off and crash."""
    producers = tuple(
        replace(
            each, acks=1, idempotent=False, pause_s=0.1, settings={**each.settings, "linger.ms": 0}
        )
        for each in plan.producers
    )
    return replace(
        plan,
        producers=producers,
        faults=_often(plan, "leader-cut-off-and-killed", 10.0),
        strict_acks_1=True,
    )


def _unclean(plan: Plan) -> Plan:
    """Topics may elect a leader that lacks records, and leaders go while followers are behind."""
    topics = tuple(
        replace(
            each,
            configs={
                **each.configs,
                "unclean.leader.election.enable": "true",
                "min.insync.replicas": "1",
            },
        )
        for each in plan.topics
    )
    return replace(
        plan,
        # Enough controllers that some are left while a partition's replicas are down.
        nodes=tuple(NodePlan(i) for i in range(1, 6)),
        topics=topics,
        faults=_often(plan, "followers-down-then-leader", 18.0),
        no_excuses=True,
    )


CONTROLS: Final = {
    each.name: each
    for each in (
        Control("acks-1", "acks=1 and crashes of leaders", _acks_1),
        Control("unclean-election", "unclean elections", _unclean),
    )
}
