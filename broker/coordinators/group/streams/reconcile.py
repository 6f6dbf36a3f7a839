"""Reconcile one member with its target: what it revokes, what it gets, when its epoch moves.

A pure function of the member, its target and the free tasks (KIP-1071, "Reconciliation").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from raftka.broker.coordinators.group.streams.group import MemberState, StreamsMember
from raftka.broker.coordinators.group.streams.tasks import (
    Held,
    OwnedIds,
    Role,
    Task,
    TaskIds,
    Tasks,
    each,
    grouped,
    overlaps,
)

IsFree = Callable[[Role, Task], bool]
"""(role, task) -> whether the member may get it now."""


class Step(NamedTuple):
    """The member's next state."""

    epoch: int
    state: MemberState
    assigned: Held
    revoking: Held


def next_step(
    member: StreamsMember, target_epoch: int, target: Tasks, owned: Tasks | None, is_free: IsFree
) -> Step | None:
    """The step that a heartbeat of the member causes; None if its state does not change.

    `owned` is the tasks that the member reports as owned; None if it reports none.
    """
    if member.state is MemberState.STABLE and member.epoch == target_epoch:
        return None
    epoch = member.epoch
    if member.state is MemberState.UNREVOKED_TASKS:
        if _still_has(member.revoking, owned):
            return None
        # All is revoked: an older heartbeat that arrives late belongs to an earlier epoch.
        epoch = min(epoch + 1, target_epoch)
    step = _towards(member, epoch, target_epoch, target, owned, is_free)
    same = step == (member.epoch, member.state, member.assigned, member.revoking)
    return None if same else step


def _towards(
    member: StreamsMember,
    epoch: int,
    target_epoch: int,
    target: Tasks,
    owned: Tasks | None,
    is_free: IsFree,
) -> Step:
    has = member.assigned
    kept, revoked = _active(has.active, target.active)
    kept_standby, revoked_standby = _copies(has.standby, target.standby)
    kept_warmup, revoked_warmup = _copies(has.warmup, target.warmup)
    revoking = Held(revoked, revoked_standby, revoked_warmup)
    if any(revoking) and _still_has(revoking, owned):
        assigned = Held(kept, kept_standby, kept_warmup)
        return Step(epoch, MemberState.UNREVOKED_TASKS, assigned, revoking)
    all_free = True
    for task in each(target.active):
        subtopology, partition = task
        if partition in has.active.get(subtopology, ()):
            continue
        if is_free(Role.ACTIVE, task):
            kept.setdefault(subtopology, {})[partition] = target_epoch
        else:
            all_free = False
    standby, standby_free = _with_free(kept_standby, target.standby, Role.STANDBY, is_free)
    warmup, warmup_free = _with_free(kept_warmup, target.warmup, Role.WARMUP, is_free)
    is_stable = all_free and standby_free and warmup_free
    state = MemberState.STABLE if is_stable else MemberState.UNRELEASED_TASKS
    return Step(target_epoch, state, Held(kept, standby, warmup), Held({}, {}, {}))


def _active(has: OwnedIds, target: TaskIds) -> tuple[OwnedIds, OwnedIds]:
    """(tasks that the member keeps, tasks that it must revoke)."""
    kept: OwnedIds = {}
    revoked: OwnedIds = {}
    for subtopology, partitions in has.items():
        wanted = target.get(subtopology, frozenset())
        for partition, since in partitions.items():
            side = kept if partition in wanted else revoked
            side.setdefault(subtopology, {})[partition] = since
    return kept, revoked


def _copies(has: TaskIds, target: TaskIds) -> tuple[TaskIds, TaskIds]:
    kept = {name: some & target.get(name, frozenset()) for name, some in has.items()}
    revoked = {name: some - target.get(name, frozenset()) for name, some in has.items()}
    return _without_empty(kept), _without_empty(revoked)


def _without_empty(ids: TaskIds) -> TaskIds:
    return {name: some for name, some in ids.items() if some}


def _with_free(kept: TaskIds, target: TaskIds, role: Role, is_free: IsFree) -> tuple[TaskIds, bool]:
    """(the kept and the free tasks, whether they are all of the target)."""
    has = set(each(kept))
    missing = [task for task in each(target) if task not in has]
    free = [task for task in missing if is_free(role, task)]
    return grouped([*has, *free]), len(free) == len(missing)


def _still_has(revoking: Held, owned: Tasks | None) -> bool:
    """Whether the member may still run revoked tasks; True if it did not report."""
    if owned is None:
        return True
    return any(overlaps(*pair) for pair in zip(revoking, owned, strict=True))
