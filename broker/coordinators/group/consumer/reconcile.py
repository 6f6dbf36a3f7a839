"""One member on its way to the target: what it gives back, what it gets, when its epoch moves.

A pure function of the member, its target and which partitions are free (KIP-848, "Reconciliation").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from raftka.broker.coordinators.group.consumer.group import (
    Member,
    MemberState,
    Owned,
    Partitions,
)

IsFree = Callable[[bytes, int], bool]
"""(topic id, partition) -> whether no member has it."""


class Step(NamedTuple):
    """Where a member stands next."""

    epoch: int
    state: MemberState
    assigned: Owned
    revoking: Owned


def next_step(
    member: Member,
    target_epoch: int,
    target: Partitions,
    owned: Partitions | None,
    is_free: IsFree,
) -> Step | None:
    """What follows from a heartbeat of the member; None: it stays where it is.

    `owned` is what the member says that it has; None when it did not say.
    """
    if member.state is MemberState.STABLE and member.epoch == target_epoch:
        return None
    epoch = member.epoch
    if member.state is MemberState.UNREVOKED_PARTITIONS:
        if _still_has(member.revoking, owned):
            return None
        # All is given back: a heartbeat of before that arrives late is one of an earlier epoch.
        epoch = min(epoch + 1, target_epoch)
    step = _towards(member, epoch, target_epoch, target, owned, is_free)
    same = (
        step.epoch == member.epoch
        and step.state is member.state
        and step.assigned == member.assigned
        and step.revoking == member.revoking
    )
    return None if same else step


def _towards(
    member: Member,
    epoch: int,
    target_epoch: int,
    target: Partitions,
    owned: Partitions | None,
    is_free: IsFree,
) -> Step:
    kept: Owned = {}
    revoking: Owned = {}
    for topic_id, has in member.assigned.items():
        wanted = target.get(topic_id, frozenset())
        for index, since in has.items():
            side = kept if index in wanted else revoking
            side.setdefault(topic_id, {})[index] = since
    if revoking and _still_has(revoking, owned):
        return Step(epoch, MemberState.UNREVOKED_PARTITIONS, kept, revoking)
    state = MemberState.STABLE
    for topic_id, wanted in target.items():
        has = member.assigned.get(topic_id, {})
        for index in sorted(wanted):
            if index in has:
                continue
            if is_free(topic_id, index):
                kept.setdefault(topic_id, {})[index] = target_epoch
            else:
                state = MemberState.UNRELEASED_PARTITIONS
    return Step(target_epoch, state, kept, {})


def _still_has(revoking: Owned, owned: Partitions | None) -> bool:
    """Whether the member may be reading what it must give back; yes if it does not say."""
    if owned is None:
        return True
    return any(not owned.get(each, frozenset()).isdisjoint(has) for each, has in revoking.items())
