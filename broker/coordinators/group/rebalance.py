"""The rebalance: gather the members of the next generation, then close it.

    Empty, Stable, CompletingRebalance --prepare--> PreparingRebalance
    PreparingRebalance --complete_join--> CompletingRebalance, or Empty when no member is left
    CompletingRebalance --the leader's SyncGroup--> Stable        (in sync.py)

A group that was Empty waits group.initial.rebalance.delay.ms, and again while new members keep
coming, so that a fleet that starts together is assigned once (KIP-134). Any other waits until all
its members have joined again, at most as long as its most patient member allows; dynamic members
that have not come by then are out. Static ones stay until their session ends (KIP-345).
"""

from __future__ import annotations

from raftka.broker.coordinators.group import classic_log
from raftka.broker.coordinators.group.config import NEW_MEMBER_JOIN_TIMEOUT_MS
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.group import Group, GroupState, Member
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.net.protocol.messages.join_group import JoinGroupResponse, JoinGroupResponseMember

log = get_logger(__name__)

_LOOK_AGAIN_MS = 1000


def prepare(core: Core, group: Group, reason: str, now: Moment) -> None:
    """Begin a rebalance. The group must be Empty, Stable or in CompletingRebalance."""
    if group.state is GroupState.COMPLETING_REBALANCE:
        refuse_syncs(core, group, KafkaError(ErrorCode.REBALANCE_IN_PROGRESS))
    core.timers.cancel(("sync", group.group_id))
    group.pending_syncs.clear()
    group.is_initial_rebalance = group.state is GroupState.EMPTY
    group.new_member_added = False
    group.transition(GroupState.PREPARING_REBALANCE, now.wall_ms)
    log.info(
        f"group {group.group_id} rebalances after generation {group.generation_id}: {reason}",
        members=len(group.members),
    )
    if group.is_initial_rebalance:
        delay_ms = core.config.initial_rebalance_delay_ms
        _gather(core, group, delay_ms, max(group.rebalance_timeout_ms - delay_ms, 0), now)
    elif group.all_joined:
        complete_join(core, group, now)
    else:
        _complete_join_later(core, group, now)


def prepare_or_complete(core: Core, group: Group, reason: str, now: Moment) -> None:
    """The members changed: begin a rebalance, or complete the running one if possible."""
    if group.state is GroupState.PREPARING_REBALANCE:
        maybe_complete_join(core, group, now)
    else:
        prepare(core, group, reason, now)


def maybe_complete_join(core: Core, group: Group, now: Moment) -> None:
    """End the join phase if all members have joined; an initial rebalance waits out its delay.

    If all its members have left again, it does not wait: the group is Empty, so that its offsets
    can be reset.
    """
    if (
        group.state is GroupState.PREPARING_REBALANCE
        and group.all_joined
        and not (group.is_initial_rebalance and group.members)
    ):
        complete_join(core, group, now)


def _gather(core: Core, group: Group, delay_ms: int, remaining_ms: int, now: Moment) -> None:
    """Wait for the first members: `delay_ms` now, and at most `remaining_ms` after that."""

    def passed(now: Moment) -> None:
        if not group.new_member_added or not remaining_ms:
            complete_join(core, group, now)
            return
        group.new_member_added = False
        further_ms = min(core.config.initial_rebalance_delay_ms, remaining_ms)
        _gather(core, group, further_ms, remaining_ms - further_ms, now)

    deadline_s = now.monotonic_s + delay_ms / 1000
    core.timers.schedule(("join", group.group_id), deadline_s, passed)


def _complete_join_later(core: Core, group: Group, now: Moment, at_least_ms: int = 0) -> None:
    delay_ms = max(group.rebalance_timeout_ms, at_least_ms)
    core.timers.schedule(
        ("join", group.group_id),
        now.monotonic_s + delay_ms / 1000,
        lambda now: complete_join(core, group, now),
    )


def complete_join(core: Core, group: Group, now: Moment) -> None:
    """Start the next generation with the members that have joined, and answer them."""
    core.timers.cancel(("join", group.group_id))
    late = [m for m in group.members.values() if m.join_ticket is None and m.instance_id is None]
    for member in late:
        log.info(
            f"member {member.member_id} of group {group.group_id} is out:"
            f" it did not rejoin within {group.rebalance_timeout_ms} ms"
        )
        core.timers.cancel(("session", group.group_id, member.member_id))
        group.remove(member.member_id)
    if group.members and not _elect_leader_among_joined(group):
        # Only static members are left, and none has returned. They stay until their sessions end:
        # check again later, but not at once even if a client's timeout is 0 ms.
        _complete_join_later(core, group, now, _LOOK_AGAIN_MS)
        return
    group.next_generation(now.wall_ms)
    if group.state is GroupState.EMPTY:
        classic_log.persist(core, group)
        log.info(f"group {group.group_id} is empty, generation {group.generation_id}")
        return
    log.info(
        f"group {group.group_id} closed generation {group.generation_id}",
        members=len(group.members),
        leader=group.leader_id,
        protocol=group.protocol_name,
    )
    for member in group.members.values():
        core.outbox.answer(group.take_join_ticket(member), joined(group, member))
        member.is_new = False
        group.pending_syncs[member.member_id] = None
        keep_alive(core, group, member, now)
    _expect_syncs(core, group, now)


def _elect_leader_among_joined(group: Group) -> bool:
    """Whether the leader is in this generation; another is elected if it is not."""
    assert group.leader_id is not None
    if group.members[group.leader_id].join_ticket is not None:
        return True
    for member in group.members.values():
        if member.join_ticket is not None:
            group.leader_id = member.member_id
            return True
    return False


def _expect_syncs(core: Core, group: Group, now: Moment) -> None:
    """Remove members that know the generation but never fetch their assignment."""

    def passed(now: Moment) -> None:
        silent = list(group.pending_syncs)
        for member_id in silent:
            core.timers.cancel(("session", group.group_id, member_id))
            group.remove(member_id)
        if silent:
            prepare(core, group, f"no SyncGroup came from {', '.join(silent)}", now)

    deadline_s = now.monotonic_s + group.rebalance_timeout_ms / 1000
    core.timers.schedule(("sync", group.group_id), deadline_s, passed)


def sync_received(core: Core, group: Group, member_id: str) -> None:
    """Stop `_expect_syncs` from waiting for the member."""
    group.pending_syncs.pop(member_id, None)
    if not group.pending_syncs:
        core.timers.cancel(("sync", group.group_id))


def refuse_syncs(core: Core, group: Group, error: KafkaError) -> None:
    """Withdraw the assignment of this generation, and refuse the members that wait for it."""
    for member in group.members.values():
        member.assignment = b""
        ticket, member.sync_ticket = member.sync_ticket, None
        core.outbox.answer(ticket, error)


def joined(group: Group, member: Member, *, skip_assignment: bool = False) -> JoinGroupResponse:
    """The answer to a member's join; the leader's lists all members."""
    is_leader = group.leader_id == member.member_id
    name = group.protocol_name or ""
    return JoinGroupResponse(
        generation_id=group.generation_id,
        protocol_type=group.protocol_type,
        protocol_name=name,
        leader=group.leader_id or "",
        skip_assignment=skip_assignment,
        member_id=member.member_id,
        members=[
            JoinGroupResponseMember(
                member_id=other.member_id,
                group_instance_id=other.instance_id,
                metadata=other.metadata(name),
            )
            for other in group.members.values()
        ]
        if is_leader
        else [],
    )


# ---- sessions


def keep_alive(core: Core, group: Group, member: Member, now: Moment) -> None:
    """Restart the member's session: it has just sent a request."""
    # The first join of a member is answered when the join phase ends, and a client that gives up
    # meanwhile returns as another member, so its wait has a bound of its own.
    timeout_ms = NEW_MEMBER_JOIN_TIMEOUT_MS if member.is_new else member.session_timeout_ms
    watch(core, group, member.member_id, timeout_ms, now)


def watch(core: Core, group: Group, member_id: str, timeout_ms: int, now: Moment) -> None:
    """Remove a member, or an issued member id, unless it sends a request in time."""
    core.timers.schedule(
        ("session", group.group_id, member_id),
        now.monotonic_s + timeout_ms / 1000,
        lambda now: _session_ended(core, group, member_id, now),
    )


def _session_ended(core: Core, group: Group, member_id: str, now: Moment) -> None:
    if member_id in group.pending_joins:
        group.remove(member_id)
        maybe_complete_join(core, group, now)
        return
    member = group.members.get(member_id)
    if member is None:
        return
    waits = member.join_ticket is not None or member.sync_ticket is not None
    if waits and not member.is_new:
        # The member cannot send heartbeats while it waits. The answer restarts its session.
        return
    remove_member(core, group, member)
    prepare_or_complete(core, group, f"the session of {member_id} ended", now)


def remove_member(core: Core, group: Group, member: Member) -> None:
    """Remove a member. Its pending requests are refused: if it is alive, it joins again."""
    core.timers.cancel(("session", group.group_id, member.member_id))
    group.remove(member.member_id)
    gone = KafkaError(
        ErrorCode.UNKNOWN_MEMBER_ID,
        f"member {member.member_id!r} was removed from group {group.group_id!r}",
    )
    for ticket in (member.join_ticket, member.sync_ticket):
        core.outbox.answer(ticket, gone)
    member.join_ticket = member.sync_ticket = None
