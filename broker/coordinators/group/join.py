"""JoinGroup: become, or stay, a member of the next generation.

A dynamic member first joins without an id, gets one in the answer (KIP-394, from version 4 on) and
joins again with it: a client that gives up waiting then leaves no orphaned member behind. A static
member (KIP-345) is identified by its group.instance.id; if it returns without its member id, it
gets a new one and the old one is fenced; while the group is Stable it keeps its assignment without
a rebalance.
"""

from __future__ import annotations

from typing import NamedTuple

from raftka.broker.coordinators.group import classic_log, kinds, rebalance
from raftka.broker.coordinators.group.any_group import AnyGroup, GroupType
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.group import Group, GroupState, Member, Protocols
from raftka.broker.coordinators.outbox import Ticket
from raftka.broker.coordinators.shard import STRING_BYTES_MAX
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse

_MEMBER_ID_REQUIRED_FROM = 4
_SKIP_ASSIGNMENT_FROM = 9

_NAME_BYTES_MAX = STRING_BYTES_MAX - 64
"""The longest client id or instance id, in bytes: a member id consists of one of them and a uuid.
"""


class Client(NamedTuple):
    """The joining client, as DescribeGroups describes it."""

    client_id: str
    host: str
    api_version: int


class _Join(NamedTuple):
    """One request and its context."""

    request: JoinGroupRequest
    protocols: Protocols
    client: Client
    ticket: Ticket

    @property
    def rebalance_timeout_ms(self) -> int:
        """The rebalance timeout; version 0 has none, so the session timeout applies."""
        request = self.request
        return request.rebalance_timeout if request.rebalance_timeout >= 0 else self.session_ms

    @property
    def session_ms(self) -> int:
        return self.request.session_timeout


def join_group(
    core: Core, request: JoinGroupRequest, client: Client, ticket: Ticket, now: Moment
) -> None:
    """Answer `ticket` with a JoinGroupResponse, at once or when the join phase ends.

    Raises KafkaError, without answering `ticket`, if the request is refused.
    """
    check_session(core, request)
    check_lengths(request, client)
    join = _Join(request, votes(request), client, ticket)
    found = core.groups.get(request.group_id)
    if found is None or (found.is_unused and _may_replace(found)):
        group = _found(core, found, join, now)
    elif isinstance(found, Group):
        group = found
    else:
        raise KafkaError(
            ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
            f"group {request.group_id!r} is a {found.type.value} group: its members do not send"
            " JoinGroup",
        )
    _check_protocols(group, join)
    _check_size(core, group, request.member_id, now)
    if request.member_id:
        _join_known(core, group, join, now)
    else:
        _join_unknown(core, group, join, now)


def votes(request: JoinGroupRequest) -> Protocols:
    """A member's protocols without duplicates, so that each has one vote."""
    protocols: dict[str, bytes] = {}
    for each in request.protocols:
        protocols.setdefault(each.name, bytes(each.metadata))
    return tuple(protocols.items())


def check_session(core: Core, request: JoinGroupRequest) -> None:
    """Raises KafkaError INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT."""
    config = core.config
    if not request.group_id:
        raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
    if (
        not config.min_session_timeout_ms
        <= request.session_timeout
        <= config.max_session_timeout_ms
    ):
        raise KafkaError(
            ErrorCode.INVALID_SESSION_TIMEOUT,
            f"session.timeout.ms={request.session_timeout} is not within"
            f" group.min.session.timeout.ms={config.min_session_timeout_ms} and"
            f" group.max.session.timeout.ms={config.max_session_timeout_ms} of the broker",
        )


def check_lengths(request: JoinGroupRequest, client: Client) -> None:
    """Refuse names that fit into the request but not into the group's record."""
    names = (
        client.client_id,
        request.group_instance_id or "",
        request.protocol_type,
        *(each.name for each in request.protocols),
    )
    if any(len(name.encode()) > _NAME_BYTES_MAX for name in names):
        raise KafkaError(
            ErrorCode.INVALID_REQUEST,
            f"a name of more than {_NAME_BYTES_MAX} bytes in a JoinGroup for {request.group_id!r}",
        )


def _may_replace(group: AnyGroup) -> bool:
    """Whether a classic group may replace an empty group of another type.

    A share group without members still has partition state: it stays.
    """
    return group.type in (GroupType.CONSUMER, GroupType.STREAMS)


def _found(core: Core, replaced: AnyGroup | None, join: _Join, now: Moment) -> Group:
    """Create the group for its first member. Written at once, so that it survives a failover."""
    request = join.request
    if request.member_id:
        raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"there is no group {request.group_id!r}")
    _check_protocols(Group(request.group_id), join)
    if replaced is not None:
        kinds.bury(core, replaced)
    group = classic_log.create_group(core, request.group_id, now.wall_ms)
    classic_log.persist(core, group)
    return group


def _check_protocols(group: Group, join: _Join) -> None:
    request = join.request
    if not group.supports(request.protocol_type, join.protocols):
        raise KafkaError(
            ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
            f"protocol type {request.protocol_type!r} with {[name for name, _ in join.protocols]}"
            f" does not go together with group {group.group_id!r} of type {group.protocol_type!r}",
        )


def _check_size(core: Core, group: Group, member_id: str, now: Moment) -> None:
    """Enforce group.max.size, counting the members of the next generation."""
    member = group.members.get(member_id)
    if group.state is GroupState.EMPTY:
        return
    if group.state is GroupState.PREPARING_REBALANCE:
        # Count the members that have joined, not those that may: if group.max.size was lowered, the
        # first to join again stay.
        if member is not None and member.join_ticket is not None:
            return
        size = group.awaiting_join
    elif member is not None:
        return
    else:
        size = len(group.members)
    if size < core.config.max_size:
        return
    if member is not None:
        rebalance.remove_member(core, group, member)
    else:
        core.timers.cancel(("session", group.group_id, member_id))
        group.remove(member_id)
    rebalance.maybe_complete_join(core, group, now)
    raise KafkaError(
        ErrorCode.GROUP_MAX_SIZE_REACHED,
        f"group {group.group_id!r} has group.max.size={core.config.max_size} members",
    )


# ---- members without an id


def _join_unknown(core: Core, group: Group, join: _Join, now: Moment) -> None:
    request, client = join.request, join.client
    instance_id = request.group_instance_id
    member_id = f"{instance_id or client.client_id}-{core.new_uuid()}"
    if instance_id is not None and instance_id in group.static_members:
        _return_static(core, group, join, member_id, now)
    elif instance_id is not None or client.api_version < _MEMBER_ID_REQUIRED_FROM:
        _add(core, group, join, member_id, now)
    else:
        group.pending_joins[member_id] = None
        rebalance.watch(core, group, member_id, join.session_ms, now)
        answer = JoinGroupResponse(
            error_code=ErrorCode.MEMBER_ID_REQUIRED,
            protocol_name=None if client.api_version >= 7 else "",
            member_id=member_id,
        )
        core.outbox.answer(join.ticket, answer)


def _add(core: Core, group: Group, join: _Join, member_id: str, now: Moment) -> None:
    request = join.request
    member = Member(
        member_id=member_id,
        instance_id=request.group_instance_id,
        client_id=join.client.client_id,
        client_host=join.client.host,
        rebalance_timeout_ms=join.rebalance_timeout_ms,
        session_timeout_ms=join.session_ms,
        protocols=join.protocols,
        is_new=True,
    )
    if group.state is GroupState.PREPARING_REBALANCE and group.generation_id == 0:
        group.new_member_added = True
    group.add(member, request.protocol_type)
    group.await_join(member, join.ticket)
    rebalance.keep_alive(core, group, member, now)
    reason = f"{member_id} joins" + (f", {request.reason}" if request.reason else "")
    rebalance.prepare_or_complete(core, group, reason, now)


def _return_static(core: Core, group: Group, join: _Join, new_id: str, now: Moment) -> None:
    """A static member returned as a new process: fence the old one."""
    instance_id = join.request.group_instance_id
    assert instance_id is not None
    old_id = group.static_members[instance_id]
    old_leader = group.leader_id
    member = group.members[old_id]
    fenced = KafkaError(
        ErrorCode.FENCED_INSTANCE_ID, f"static member {instance_id!r} came back as {new_id!r}"
    )
    core.outbox.answer(group.take_join_ticket(member), fenced)
    core.outbox.answer(member.sync_ticket, fenced)
    member.sync_ticket = None
    core.timers.cancel(("session", group.group_id, old_id))
    group.replace_static_member(instance_id, new_id)
    _update(group, member, join)
    rebalance.keep_alive(core, group, member, now)
    if group.state is GroupState.STABLE and group.select_protocol() == group.protocol_name:
        group.refresh_subscriptions()
        classic_log.persist(core, group)
        core.outbox.answer(join.ticket, _taken_over(group, member, join.client, old_leader))
        return
    # In CompletingRebalance the leader may be assigning to the old id, so the new one needs another
    # generation.
    group.await_join(member, join.ticket)
    rebalance.prepare_or_complete(core, group, f"static member {instance_id} came back", now)


def _taken_over(
    group: Group, member: Member, client: Client, old_leader: str | None
) -> JoinGroupResponse:
    """A static member continues with its assignment; KIP-814 defines how a leader learns of it."""
    is_leader = group.leader_id == member.member_id
    if client.api_version >= _SKIP_ASSIGNMENT_FROM:
        return rebalance.joined(group, member, skip_assignment=is_leader)
    answer = rebalance.joined(group, member)
    if is_leader:
        # The member would assign as leader, and the group would not wait for it: name another
        # leader.
        answer.leader = old_leader or ""
        answer.members = []
    return answer


# ---- members with an id


def _join_known(core: Core, group: Group, join: _Join, now: Moment) -> None:
    request = join.request
    if request.member_id in group.pending_joins and request.group_instance_id is None:
        _add(core, group, join, request.member_id, now)
        return
    member = group.validate_member(request.member_id, request.group_instance_id)
    if group.state is not GroupState.PREPARING_REBALANCE and _nothing_new(group, member, join):
        # The answer to its join was lost, or it is a follower without changes.
        rebalance.keep_alive(core, group, member, now)
        core.outbox.answer(join.ticket, rebalance.joined(group, member))
        return
    _update(group, member, join)
    # An earlier join still waits: the client has abandoned it, since it sent another one.
    replaced = group.await_join(member, join.ticket)
    core.outbox.answer(replaced, KafkaError(ErrorCode.REBALANCE_IN_PROGRESS))
    who = "its leader" if group.leader_id == member.member_id else member.member_id
    reason = f"{who} joins again" + (f", {request.reason}" if request.reason else "")
    rebalance.prepare_or_complete(core, group, reason, now)


def _nothing_new(group: Group, member: Member, join: _Join) -> bool:
    """Whether the current generation answers a member that joins again.

    Not for a leader that joins while the group is Stable: it wants to assign again.
    """
    if member.protocols != join.protocols:
        return False
    return group.state is GroupState.COMPLETING_REBALANCE or group.leader_id != member.member_id


def _update(group: Group, member: Member, join: _Join) -> None:
    group.update_protocols(member, join.protocols)
    member.rebalance_timeout_ms = join.rebalance_timeout_ms
    member.session_timeout_ms = join.session_ms
