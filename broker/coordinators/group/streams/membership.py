"""The membership of a streams group: joins, fencing, sessions, leaving."""

from __future__ import annotations

from raftka.broker.coordinators.group import fencing
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.streams import log as written
from raftka.broker.coordinators.group.streams import target
from raftka.broker.coordinators.group.streams.group import (
    JOIN_EPOCH,
    STATIC_LEAVE_EPOCH,
    MemberState,
    StreamsGroup,
    StreamsMember,
)
from raftka.broker.coordinators.group.streams.settings import StreamsSettings
from raftka.broker.coordinators.group.streams.tasks import Held, Tasks, contains, nothing
from raftka.broker.coordinators.timers import Moment
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.model.rules import Rule

log = get_logger(__name__)


def check_size(core: Core, group: StreamsGroup, member_id: str, instance_id: str | None) -> None:
    """Raises KafkaError GROUP_MAX_SIZE_REACHED if there is no room for a new member."""
    limit = core.config.streams.max_size
    is_known = member_id in group.members or group.static_member(instance_id) is not None
    if len(group.members) >= limit and not is_known:
        raise KafkaError(
            ErrorCode.GROUP_MAX_SIZE_REACHED,
            f"The streams group has reached its maximum capacity of {limit} members.",
        )


@dataclass(frozen=True, slots=True)
class Found:
    """The member that sent a heartbeat."""

    member: StreamsMember
    is_new: bool
    """Whether it is not in the group yet."""
    replaces: StreamsMember | None = None
    """The static member that it replaces, under another member id."""


def find_member(
    core: Core,
    group: StreamsGroup,
    member_id: str,
    epoch: int,
    instance_id: str | None,
    owned: Tasks | None,
) -> Found:
    """The member that sent a heartbeat; a new one for a join (epoch 0).

    Raises KafkaError UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, FENCED_INSTANCE_ID,
    UNRELEASED_INSTANCE_ID.
    """
    if instance_id is not None:
        return _find_static(core, group, member_id, epoch, instance_id, owned)
    if epoch == JOIN_EPOCH:
        known = group.members.get(member_id)
        return Found(known or StreamsMember(member_id), is_new=known is None)
    member = group.member(member_id)
    _check_epoch(core, member, epoch, owned)
    return Found(member, is_new=False)


def _find_static(
    core: Core,
    group: StreamsGroup,
    member_id: str,
    epoch: int,
    instance_id: str,
    owned: Tasks | None,
) -> Found:
    known = group.static_member(instance_id)
    if epoch == JOIN_EPOCH:
        if known is None:
            there = group.members.get(member_id)
            return Found(there or StreamsMember(member_id), is_new=there is None)
        if known.member_id == member_id:
            return Found(known, is_new=False)
        if known.epoch != STATIC_LEAVE_EPOCH:
            raise fencing.unreleased_instance(member_id, instance_id, known.member_id)
        return Found(StreamsMember(member_id), is_new=True, replaces=known)
    member = fencing.owner_of_instance(known, member_id, instance_id)
    _check_epoch(core, member, epoch, owned)
    return Found(member, is_new=False)


def _check_epoch(core: Core, member: StreamsMember, epoch: int, owned: Tasks | None) -> None:
    """Raises KafkaError FENCED_MEMBER_EPOCH if the member names another epoch than its own.

    The previous epoch is accepted if the member owns no more than its target: the answer with the
    newer epoch may have been lost.
    """
    if epoch == member.epoch or Rule.MEMBER_EPOCH_FENCES in core.rules_off:
        return
    if epoch == member.previous_epoch and owned is not None:
        pairs = zip(member.assigned, owned, strict=True)
        if all(contains(assigned, some) for assigned, some in pairs):
            return
    raise fencing.fenced_epoch("streams", epoch, member.epoch)


def replace_static(
    core: Core, group: StreamsGroup, old: StreamsMember, new: StreamsMember, now: Moment
) -> None:
    """Replace a static member that returns under another member id; it keeps its target.

    It no longer owns what the old process had to revoke. If the new id belonged to another member
    until now, that member's target becomes free.
    """
    share = group.target_of(old.member_id)
    assigned, says = old.assigned, old.says
    cancel_timers(core, group, old.member_id)
    written.write_member_gone(core, group, old.member_id)
    group.remove(old.member_id)
    cancel_timers(core, group, new.member_id)
    former = group.remove(new.member_id)
    new.says = says
    group.add(new)
    group.targets[new.member_id] = share
    group.give(new, assigned, nothing())
    written.write_member(core, group, new)
    written.write_target(core, group, new.member_id)
    written.write_current(core, group, new)
    if former is not None:
        target.bump(core, group, f"{new.member_id} takes the place of {old.member_id}", now)


# ---- leaving


def leave(core: Core, group: StreamsGroup, member: StreamsMember, why: str, now: Moment) -> None:
    """Remove a member, for any reason, free its tasks and assign again."""
    cancel_timers(core, group, member.member_id)
    written.write_member_gone(core, group, member.member_id)
    group.remove(member.member_id)
    target.bump(core, group, f"{member.member_id} {why}", now)


def leave_for_a_while(core: Core, group: StreamsGroup, member: StreamsMember) -> None:
    """A static member stops and will return within its session: its assignment is kept."""
    core.timers.cancel(("give back tasks", group.group_id, member.member_id))
    member.epoch = STATIC_LEAVE_EPOCH
    member.state = MemberState.STABLE
    active = {name: dict.fromkeys(some, 0) for name, some in member.assigned.active.items()}
    group.give(member, Held(active, *member.assigned[1:]), nothing())
    written.write_current(core, group, member)


# ---- time


def keep_alive(core: Core, group: StreamsGroup, member: StreamsMember, now: Moment) -> None:
    """Restart the member's session: it has just sent a heartbeat."""
    timeout_ms = StreamsSettings(core, group.group_id).session_timeout_ms

    def ended(now: Moment) -> None:
        if group.members.get(member.member_id) is member:
            log.info(
                f"member {member.member_id} of streams group {group.group_id} is out: its session"
                " ended"
            )
            leave(core, group, member, "was silent for a session", now)

    key = ("streams session", group.group_id, member.member_id)
    core.timers.schedule(key, now.monotonic_s + timeout_ms / 1000, ended)


def watch_revocation(core: Core, group: StreamsGroup, member: StreamsMember, now: Moment) -> None:
    """Fence a member that does not revoke tasks within its rebalance timeout."""
    key = ("give back tasks", group.group_id, member.member_id)
    if Rule.REVOCATION_HAS_AN_END in core.rules_off:
        return
    if member.state is not MemberState.UNREVOKED_TASKS:
        core.timers.cancel(key)
        return
    epoch = member.epoch

    def late(now: Moment) -> None:
        unrevoked = member.state is MemberState.UNREVOKED_TASKS and member.epoch == epoch
        if group.members.get(member.member_id) is member and unrevoked:
            log.info(
                f"member {member.member_id} of streams group {group.group_id} is out: it did not"
                f" give back its tasks within {member.says.rebalance_timeout_ms} ms"
            )
            leave(core, group, member, "did not give back its tasks in time", now)

    core.timers.schedule(key, now.monotonic_s + member.says.rebalance_timeout_ms / 1000, late)


def cancel_timers(core: Core, group: StreamsGroup, member_id: str) -> None:
    """Cancel the timers of a removed member."""
    for what in ("streams session", "give back tasks"):
        core.timers.cancel((what, group.group_id, member_id))
