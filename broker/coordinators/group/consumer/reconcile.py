"""Reconcile one member with its target: what it revokes, what it gets, when its epoch moves.

A pure function of the member, its target and the free partitions (KIP-848, "Reconciliation").
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
"""(topic id, partition) -> whether no member owns it."""


class Step(NamedTuple):
    """The member's next state."""

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
    """The step that a heartbeat of the member causes; None if its state does not change.

    `owned` is the partitions that the member reports as owned; None if it reports none.
    """
    if member.state is MemberState.STABLE and member.epoch == target_epoch:
        return None
    epoch = member.epoch
    if member.state is MemberState.UNREVOKED_PARTITIONS:
        if _still_has(member.revoking, owned):
            return None
        # All is revoked: an older heartbeat that arrives late belongs to an earlier epoch.
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
    """Whether the member may still read revoked partitions; True if it did not report."""
    if owned is None:
        return True
    return any(not owned.get(each, frozenset()).isdisjoint(has) for each, has in revoking.items())
