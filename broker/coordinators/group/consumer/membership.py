"""The membership of a consumer group: joins, fencing, sessions, leaving."""

from __future__ import annotations

from raftka.broker.coordinators.group import fencing, rebalance
from raftka.broker.coordinators.group.consumer import log as written
from raftka.broker.coordinators.group.consumer import migration
from raftka.broker.coordinators.group.consumer.group import (
    NOTHING,
    STATIC_LEAVE_EPOCH,
    ConsumerGroup,
    Member,
    MemberState,
    Partitions,
    contains,
)
from raftka.broker.coordinators.group.consumer.settings import ConsumerSettings
from raftka.broker.coordinators.group.consumer.target import bump
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.timers import Moment
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.model.rules import Rule

log = get_logger(__name__)


def check_size(core: Core, group: ConsumerGroup, member_id: str) -> None:
    """Raises KafkaError GROUP_MAX_SIZE_REACHED if there is no room for a new member."""
    limit = core.config.consumer.max_size
    if len(group.members) >= limit and member_id not in group.members:
        raise KafkaError(
            ErrorCode.GROUP_MAX_SIZE_REACHED,
            f"The consumer group has reached its maximum capacity of {limit} members.",
        )


def check_epoch(core: Core, member: Member, epoch: int, owned: Partitions | None) -> None:
    """Raises KafkaError FENCED_MEMBER_EPOCH if the member names another epoch than its own.

    The previous epoch is accepted if the member owns no more than its target: the answer with the
    newer epoch may have been lost.
    """
    if epoch == member.epoch or Rule.MEMBER_EPOCH_FENCES in core.rules_off:
        return
    if epoch == member.previous_epoch and owned is not None:
        places = ((topic_id, index) for topic_id, found in owned.items() for index in found)
        if contains(member.assigned, places):
            return
    raise fencing.fenced_epoch("consumer", epoch, member.epoch)


@dataclass(frozen=True, slots=True)
class Found:
    """The member that sent a heartbeat."""

    member: Member
    is_new: bool
    """Whether it is not in the group yet."""
    replaces: Member | None = None
    """The static member that it replaces, under another member id."""


def find_member(
    core: Core,
    group: ConsumerGroup,
    member_id: str,
    epoch: int,
    instance_id: str | None,
    owned: Partitions | None,
) -> Found:
    """The member that sent a heartbeat; a new one for a join (epoch 0).

    Raises KafkaError UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, FENCED_INSTANCE_ID,
    UNRELEASED_INSTANCE_ID.
    """
    if instance_id is not None:
        return _find_static(core, group, member_id, epoch, instance_id, owned)
    if epoch == 0:
        known = group.members.get(member_id)
        if known is None:
            return Found(Member(member_id), is_new=True)
        # The member joins again, owning nothing: the answer was lost, or it was fenced.
        return Found(known, is_new=False)
    member = group.member(member_id)
    check_epoch(core, member, epoch, owned)
    return Found(member, is_new=False)


def _find_static(
    core: Core,
    group: ConsumerGroup,
    member_id: str,
    epoch: int,
    instance_id: str,
    owned: Partitions | None,
) -> Found:
    known = group.static_member(instance_id)
    if epoch == 0:
        if known is None:
            there = group.members.get(member_id)
            return Found(there or Member(member_id), is_new=there is None)
        if known.member_id == member_id:
            return Found(known, is_new=False)
        if known.epoch != STATIC_LEAVE_EPOCH and known.says.classic is None:
            # A classic-protocol member sends no request when it stops, so the new one replaces it.
            raise fencing.unreleased_instance(member_id, instance_id, known.member_id)
        return Found(Member(member_id), is_new=True, replaces=known)
    member = fencing.owner_of_instance(known, member_id, instance_id)
    check_epoch(core, member, epoch, owned)
    return Found(member, is_new=False)


def replace_static(core: Core, group: ConsumerGroup, old: Member, new: Member, now: Moment) -> None:
    """Replace a static member that returns under another member id; it keeps its target.

    It no longer owns what the old process had to revoke. If the new id belonged to another member
    until now, that member's target becomes free.
    """
    share = group.targets.get(old.member_id, NOTHING)
    assigned, says = old.assigned, old.says
    cancel_timers(core, group, old.member_id)
    written.write_member_gone(core, group, old.member_id)
    group.remove(old.member_id)
    cancel_timers(core, group, new.member_id)
    former = group.remove(new.member_id)
    new.says = says
    new.state = MemberState.STABLE
    group.add(new)
    group.targets[new.member_id] = share
    group.give(new, assigned, {})
    written.write_target(core, group, new.member_id)
    if former is not None:
        forget_unused_regexes(core, group)
        bump(core, group, f"{new.member_id} takes the place of {old.member_id}", now)


# ---- leaving


def leave(core: Core, group: ConsumerGroup, member: Member, reason: str, now: Moment) -> None:
    """Remove a member, for any reason, free its partitions and assign again."""
    cancel_timers(core, group, member.member_id)
    written.write_member_gone(core, group, member.member_id)
    group.remove(member.member_id)
    forget_unused_regexes(core, group)
    if member.says.classic is None and migration.may_go_back(core, group):
        classic = migration.go_back(core, group, now)
        rebalance.prepare(core, classic, f"{member.member_id} {reason}", now)
        return
    bump(core, group, f"{member.member_id} {reason}", now)


def leave_for_a_while(core: Core, group: ConsumerGroup, member: Member) -> None:
    """A static member stops and will return within its session: its assignment is kept."""
    core.timers.cancel(("rebalance", group.group_id, member.member_id))
    member.epoch = STATIC_LEAVE_EPOCH
    member.state = MemberState.STABLE
    group.give(member, member.assigned, {})
    written.write_current(core, group, member)


def forget_unused_regexes(core: Core, group: ConsumerGroup) -> None:
    """Drop the resolved topics of expressions that no member subscribes to any longer."""
    used = group.used_regexes()
    for regex in [each for each in group.regexes if each not in used]:
        group.resolve(regex, None)
        written.write_regex(core, group, regex)


# ---- time


def keep_alive(core: Core, group: ConsumerGroup, member: Member, now: Moment) -> None:
    """Restart the member's session: it has just sent a request."""
    classic = member.says.classic
    timeout_ms = (
        ConsumerSettings(core, group.group_id).session_timeout_ms
        if classic is None
        else classic.session_timeout_ms
    )
    member_id = member.member_id

    def ended(now: Moment) -> None:
        if group.members.get(member_id) is member:
            log.info(f"member {member_id} of group {group.group_id} is out: its session ended")
            leave(core, group, member, "was silent for a session", now)

    key = ("session", group.group_id, member_id)
    core.timers.schedule(key, now.monotonic_s + timeout_ms / 1000, ended)


def watch_revocation(core: Core, group: ConsumerGroup, member: Member, now: Moment) -> None:
    """Fence a member that does not revoke partitions within its rebalance timeout."""
    key = ("rebalance", group.group_id, member.member_id)
    if Rule.REVOCATION_HAS_AN_END in core.rules_off:
        return
    if member.state is not MemberState.UNREVOKED_PARTITIONS:
        core.timers.cancel(key)
        return
    epoch = member.epoch

    def late(now: Moment) -> None:
        unrevoked = member.state is MemberState.UNREVOKED_PARTITIONS and member.epoch == epoch
        if group.members.get(member.member_id) is member and unrevoked:
            timeout_ms = member.says.rebalance_timeout_ms
            log.info(
                f"member {member.member_id} of group {group.group_id} is out:"
                f" it did not give back its partitions within {timeout_ms} ms"
            )
            leave(core, group, member, "did not give back its partitions in time", now)

    core.timers.schedule(key, now.monotonic_s + member.says.rebalance_timeout_ms / 1000, late)


def cancel_timers(core: Core, group: ConsumerGroup, member_id: str) -> None:
    for what in ("session", "rebalance", "join", "sync"):
        core.timers.cancel((what, group.group_id, member_id))
