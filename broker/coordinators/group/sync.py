"""SyncGroup, Heartbeat and LeaveGroup: the requests of a generation's members."""

from __future__ import annotations

from raftka.broker.coordinators.group import classic_log, rebalance
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.group import Group, GroupState, Member
from raftka.broker.coordinators.outbox import Ticket
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest
from raftka.net.protocol.messages.leave_group import MemberIdentity, MemberResponse
from raftka.net.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse


def check_generation(group: Group, generation_id: int) -> None:
    if generation_id != group.generation_id:
        raise KafkaError(
            ErrorCode.ILLEGAL_GENERATION,
            f"group {group.group_id!r} is in generation {group.generation_id},"
            f" the request names {generation_id}",
        )


def sync_group(core: Core, request: SyncGroupRequest, ticket: Ticket, now: Moment) -> None:
    """Answer `ticket` with the member's assignment, once the leader has sent it.

    Raises KafkaError, without answering `ticket`, if the request is refused.
    """
    if not request.group_id:
        raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
    group = classic_log.group_or_unknown_member(core, request.group_id)
    member = group.validate_member(request.member_id, request.group_instance_id)
    check_generation(group, request.generation_id)
    _check_protocol(group, request)
    if group.state is GroupState.PREPARING_REBALANCE:
        raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
    rebalance.sync_received(core, group, member.member_id)
    if group.state is GroupState.STABLE:
        rebalance.keep_alive(core, group, member, now)
        core.outbox.answer(ticket, _assigned(group, member))
        return
    replaced, member.sync_ticket = member.sync_ticket, ticket
    core.outbox.answer(replaced, KafkaError(ErrorCode.REBALANCE_IN_PROGRESS))
    if group.leader_id == member.member_id:
        shares = {share.member_id: bytes(share.assignment) for share in request.assignments}
        _assign(core, group, shares, now)


def _check_protocol(group: Group, request: SyncGroupRequest) -> None:
    """From version 5 on a member names the protocol that it expects (KIP-559)."""
    for said, is_so in (
        (request.protocol_type, group.protocol_type),
        (request.protocol_name, group.protocol_name),
    ):
        if said is not None and said != is_so:
            raise KafkaError(
                ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
                f"group {group.group_id!r} uses {is_so!r}, the request names {said!r}",
            )


def _assign(core: Core, group: Group, shares: dict[str, bytes], now: Moment) -> None:
    """Store the leader's assignment: the generation is written before any member is answered."""
    for member in group.members.values():
        member.assignment = shares.get(member.member_id, b"")
    state_timestamp_ms = group.state_timestamp_ms
    group.transition(GroupState.STABLE, now.wall_ms)
    try:
        classic_log.persist(core, group)
    except classic_log.RecordTooLarge as error:
        group.transition(GroupState.COMPLETING_REBALANCE, state_timestamp_ms)
        rebalance.refuse_syncs(core, group, error)
        rebalance.prepare(core, group, str(error), now)
        return
    for member in group.members.values():
        ticket, member.sync_ticket = member.sync_ticket, None
        if ticket is not None:
            core.outbox.answer(ticket, _assigned(group, member))
            rebalance.keep_alive(core, group, member, now)


def _assigned(group: Group, member: Member) -> SyncGroupResponse:
    return SyncGroupResponse(
        protocol_type=group.protocol_type,
        protocol_name=group.protocol_name,
        assignment=member.assignment,
    )


def heartbeat(core: Core, request: HeartbeatRequest, now: Moment) -> None:
    """Extend the member's session.

    Raises KafkaError; REBALANCE_IN_PROGRESS makes the member join again, and extends its session
    too.
    """
    if not request.group_id:
        raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
    group = classic_log.group_or_unknown_member(core, request.group_id)
    member = group.validate_member(request.member_id, request.group_instance_id)
    check_generation(group, request.generation_id)
    rebalance.keep_alive(core, group, member, now)
    if group.state is GroupState.PREPARING_REBALANCE:
        raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)


def leave_group(
    core: Core, group_id: str, leaving: list[MemberIdentity], now: Moment
) -> list[MemberResponse]:
    """Remove members: by member id, or static ones by group.instance.id alone.

    Raises KafkaError INVALID_GROUP_ID; every other refusal is in the member's own answer.
    """
    if not group_id:
        raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
    group = core.groups.get(group_id)
    if not isinstance(group, Group):
        group = None  # To a member, a group of another type does not exist.
    answers = []
    reasons = []
    for identity in leaving:
        code = ErrorCode.UNKNOWN_MEMBER_ID if group is None else _leave(core, group, identity)
        answers.append(
            MemberResponse(
                member_id=identity.member_id,
                group_instance_id=identity.group_instance_id,
                error_code=code,
            )
        )
        if code is ErrorCode.NONE:
            who = identity.member_id or identity.group_instance_id
            reasons.append(f"{who} leaves" + (f", {identity.reason}" if identity.reason else ""))
    if group is not None and reasons and group.state is not GroupState.EMPTY:
        rebalance.prepare_or_complete(core, group, "; ".join(reasons), now)
    return answers


def _leave(core: Core, group: Group, identity: MemberIdentity) -> ErrorCode:
    member_id = identity.member_id
    instance_id = identity.group_instance_id
    if member_id in group.pending_joins:
        core.timers.cancel(("session", group.group_id, member_id))
        group.remove(member_id)
        return ErrorCode.NONE
    if not member_id and instance_id is not None:
        # An administrator removes a static member without knowing its id (KIP-345).
        member_id = group.static_members.get(instance_id, "")
    try:
        member = group.validate_member(member_id, instance_id)
    except KafkaError as error:
        # An unknown static instance is an unknown member, whatever id was given.
        return error.code
    rebalance.remove_member(core, group, member)
    return ErrorCode.NONE
