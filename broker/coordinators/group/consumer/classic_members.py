"""Members of a consumer group that use the classic protocol, while a group is migrated.

They send JoinGroup, SyncGroup and Heartbeat as usual, and each is answered as a follower: the
coordinator assigns. Each join is a step of the reconciliation; a heartbeat is answered with
REBALANCE_IN_PROGRESS if the member must revoke partitions or can get new ones.
"""

from __future__ import annotations

from dataclasses import replace

from raftka.broker.coordinators.group import join as classic_join
from raftka.broker.coordinators.group.consumer import heartbeat as consumer_heartbeat
from raftka.broker.coordinators.group.consumer import log as written
from raftka.broker.coordinators.group.consumer import membership, migration
from raftka.broker.coordinators.group.consumer.group import (
    STATIC_LEAVE_EPOCH,
    ClassicMetadata,
    ConsumerGroup,
    Member,
    MemberState,
)
from raftka.broker.coordinators.group.consumer.target import assign, bump
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.group import CONSUMER_PROTOCOL_TYPE
from raftka.broker.coordinators.group.join import Client
from raftka.broker.coordinators.group.sync import leave_group as leave_classic
from raftka.broker.coordinators.outbox import Ticket
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest
from raftka.net.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse
from raftka.net.protocol.messages.leave_group import MemberIdentity, MemberResponse
from raftka.net.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse

_MEMBER_ID_REQUIRED_FROM = 4


def join(
    core: Core,
    group: ConsumerGroup,
    request: JoinGroupRequest,
    client: Client,
    ticket: Ticket,
    now: Moment,
) -> None:
    """Answer `ticket` at once, with the member epoch as the generation.

    Raises KafkaError, without answering `ticket`, if the request is refused.
    """
    classic_join.check_session(core, request)
    classic_join.check_lengths(request, client)
    protocols = classic_join.votes(request)
    if request.protocol_type != CONSUMER_PROTOCOL_TYPE or not _common(group, protocols):
        raise KafkaError(
            ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
            f"a consumer group takes consumers that share a strategy: {request.protocol_type!r}"
            f" with {[name for name, _ in protocols]} does not go together with it",
        )
    membership.check_size(core, group, request.member_id)
    said = migration.read_subscription(protocols[0][1])
    instance_id = request.group_instance_id
    if not request.member_id and instance_id is None and _needs_id(client):
        answer = JoinGroupResponse(
            error_code=ErrorCode.MEMBER_ID_REQUIRED,
            protocol_name=None if client.api_version >= 7 else "",
            member_id=f"{client.client_id}-{core.new_uuid()}",
        )
        core.outbox.answer(ticket, answer)
        return
    member, is_new = _member(core, group, request, client, now)
    before = member.says
    says = replace(
        before,
        instance_id=instance_id,
        rack_id=said.rack_id,
        client_id=client.client_id,
        client_host=client.host,
        topics=tuple(sorted(set(said.topics))),
        regex=None,
        rebalance_timeout_ms=request.rebalance_timeout
        if request.rebalance_timeout >= 0
        else request.session_timeout,
        assignor=None,
        classic=ClassicMetadata(request.session_timeout, protocols),
    )
    if is_new or says != before:
        group.subscribe(member, says)
        written.write_member(core, group, member)
    if migration.may_go_back(core, group):
        # This member has replaced the last member of the consumer protocol.
        migration.go_back(core, group, now)
        request.member_id = member.member_id
        classic_join.join_group(core, request, client, ticket, now)
        return
    if is_new or says.topics != before.topics:
        bump(core, group, f"{member.member_id} joins by the classic protocol", now)
    assign(core, group, now)
    owned = migration.owned_of(core.image, said.owned_partitions)
    consumer_heartbeat.reconcile(core, group, member, owned, now)
    membership.keep_alive(core, group, member, now)
    core.timers.cancel(("join", group.group_id, member.member_id))
    _expect(core, group, member, "sync", "did not ask for its assignment in time", now)
    core.outbox.answer(ticket, _joined(member))


def _needs_id(client: Client) -> bool:
    return client.api_version >= _MEMBER_ID_REQUIRED_FROM


def _common(group: ConsumerGroup, protocols: tuple[tuple[str, bytes], ...]) -> bool:
    """Whether all members of the classic protocol share a strategy with these protocols."""
    shared = {name for name, _ in protocols}
    for member in group.members.values():
        if member.says.classic is not None:
            shared &= {name for name, _ in member.says.classic.protocols}
    return bool(shared)


def _joined(member: Member) -> JoinGroupResponse:
    assert member.says.classic is not None
    return JoinGroupResponse(
        generation_id=member.epoch,
        protocol_type=CONSUMER_PROTOCOL_TYPE,
        protocol_name=member.says.classic.protocols[0][0],
        member_id=member.member_id,
    )


def _member(
    core: Core, group: ConsumerGroup, request: JoinGroupRequest, client: Client, now: Moment
) -> tuple[Member, bool]:
    """The joining member, which is now in the group, and whether it is new."""
    instance_id = request.group_instance_id
    known = group.static_member(instance_id)
    new_id = request.member_id or f"{instance_id or client.client_id}-{core.new_uuid()}"
    if known is None:
        found = group.members.get(new_id)
    elif request.member_id:
        found = _validated(group, request.member_id, instance_id)
    elif known.says.classic is None and known.epoch != STATIC_LEAVE_EPOCH:
        raise KafkaError(
            ErrorCode.UNRELEASED_INSTANCE_ID,
            f"static member {instance_id!r} is {known.member_id!r}, which has not left",
        )
    else:
        found = Member(new_id)
        membership.replace_static(core, group, known, found, now)
        written.write_member(core, group, found)
    if found is not None:
        return found, False
    member = Member(new_id)
    group.add(member)
    return member, True


def _validated(group: ConsumerGroup, member_id: str, instance_id: str | None) -> Member:
    """The classic-protocol member that a request names.

    Raises KafkaError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
    """
    member = _named(group, member_id, instance_id)
    if member.says.classic is None:
        raise KafkaError(
            ErrorCode.UNKNOWN_MEMBER_ID,
            f"member {member_id!r} of group {group.group_id!r} speaks the consumer protocol",
        )
    return member


def _named(group: ConsumerGroup, member_id: str, instance_id: str | None) -> Member:
    """The member of either protocol that a request names. Raises KafkaError as above."""
    member = group.members.get(member_id)
    if instance_id is not None:
        known = group.static_member(instance_id)
        if known is not None and known.member_id != member_id:
            raise KafkaError(
                ErrorCode.FENCED_INSTANCE_ID,
                f"static member {instance_id!r} of group {group.group_id!r} is"
                f" {known.member_id!r} by now, no longer {member_id!r}",
            )
        member = known
    if member is None:
        raise KafkaError(
            ErrorCode.UNKNOWN_MEMBER_ID, f"group {group.group_id!r} has no member {member_id!r}"
        )
    return member


def _check_generation(member: Member, generation_id: int) -> None:
    if generation_id != member.epoch:
        raise KafkaError(
            ErrorCode.ILLEGAL_GENERATION,
            f"member {member.member_id!r} is in epoch {member.epoch}, the request names"
            f" {generation_id}",
        )


def sync(
    core: Core, group: ConsumerGroup, request: SyncGroupRequest, ticket: Ticket, now: Moment
) -> None:
    """Answer `ticket` with the member's current assignment. Raises KafkaError as SyncGroup does."""
    member = _validated(group, request.member_id, request.group_instance_id)
    _check_generation(member, request.generation_id)
    if request.protocol_type not in (None, CONSUMER_PROTOCOL_TYPE):
        raise KafkaError(
            ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
            f"group {group.group_id!r} is one of consumers, the request names"
            f" {request.protocol_type!r}",
        )
    if _is_behind(group, member):
        _expect(core, group, member, "join", "did not join again in time", now)
        raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
    core.timers.cancel(("sync", group.group_id, member.member_id))
    membership.keep_alive(core, group, member, now)
    assert member.says.classic is not None
    answer = SyncGroupResponse(
        protocol_type=CONSUMER_PROTOCOL_TYPE,
        protocol_name=member.says.classic.protocols[0][0],
        assignment=migration.assignment_bytes(core.image, member.assigned),
    )
    core.outbox.answer(ticket, answer)


def _is_behind(group: ConsumerGroup, member: Member) -> bool:
    """Whether there is a newer target; a member that is revoking partitions finishes that first."""
    return (
        member.epoch < group.assignment_epoch
        and member.state is not MemberState.UNREVOKED_PARTITIONS
    )


def heartbeat(core: Core, group: ConsumerGroup, request: HeartbeatRequest, now: Moment) -> None:
    """Extend the member's session.

    Raises KafkaError; REBALANCE_IN_PROGRESS makes the member join again, and extends its session
    too.
    """
    member = _validated(group, request.member_id, request.group_instance_id)
    _check_generation(member, request.generation_id)
    membership.keep_alive(core, group, member, now)
    revokes = member.state is MemberState.UNREVOKED_PARTITIONS
    if _is_behind(group, member) or revokes or _may_get(group, member):
        _expect(core, group, member, "join", "did not join again in time", now)
        raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)


def _may_get(group: ConsumerGroup, member: Member) -> bool:
    """Whether a partition that the member waits for is free now."""
    if member.state is not MemberState.UNRELEASED_PARTITIONS:
        return False
    target = group.targets.get(member.member_id, {})
    return any(
        group.owner(topic_id, index) is None
        for topic_id, found in target.items()
        for index in found
    )


def _expect(
    core: Core, group: ConsumerGroup, member: Member, what: str, missed: str, now: Moment
) -> None:
    """Fence the member unless its next request of that kind comes within its rebalance timeout."""
    key = (what, group.group_id, member.member_id)
    if what == "join" and key in core.timers:
        return

    def late(now: Moment) -> None:
        if group.members.get(member.member_id) is member:
            membership.leave(core, group, member, missed, now)

    core.timers.schedule(key, now.monotonic_s + member.says.rebalance_timeout_ms / 1000, late)


def leave(
    core: Core, group: ConsumerGroup, leaving: list[MemberIdentity], now: Moment
) -> list[MemberResponse]:
    """Remove members of either protocol: administrators use LeaveGroup (KIP-345).

    Each member has its own error in the answer.
    """
    answers: list[MemberResponse] = []
    for place, identity in enumerate(leaving):
        if core.groups.get(group.group_id) is not group:
            # The last member of the consumer protocol has left: the group becomes a classic one.
            return answers + leave_classic(core, group.group_id, leaving[place:], now)
        code = ErrorCode.NONE
        member_id = identity.member_id
        try:
            if not member_id and identity.group_instance_id is not None:
                known = group.static_member(identity.group_instance_id)
                member_id = "" if known is None else known.member_id
            member = _named(group, member_id, identity.group_instance_id)
            membership.leave(core, group, member, "leaves", now)
        except KafkaError as error:
            code = error.code
        answers.append(
            MemberResponse(
                member_id=identity.member_id,
                group_instance_id=identity.group_instance_id,
                error_code=code,
            )
        )
    return answers
