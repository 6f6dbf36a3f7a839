"""ConsumerGroupHeartbeat: join, stay in, be assigned partitions by, and leave a group (KIP-848)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from raftka.broker.coordinators.group import fencing, oversize
from raftka.broker.coordinators.group.any_group import GroupType, not_found
from raftka.broker.coordinators.group.consumer import log as written
from raftka.broker.coordinators.group.consumer import membership
from raftka.broker.coordinators.group.consumer.group import (
    LEAVE_EPOCH,
    NOTHING,
    STATIC_LEAVE_EPOCH,
    ConsumerGroup,
    Member,
    Partitions,
    ResolvedRegex,
    Subscription,
    as_partitions,
)
from raftka.broker.coordinators.group.consumer.migration import begin, upgraded
from raftka.broker.coordinators.group.consumer.reconcile import next_step
from raftka.broker.coordinators.group.consumer.settings import ConsumerSettings
from raftka.broker.coordinators.group.consumer.target import assign, bump
from raftka.broker.coordinators.group.consumer.topics import compile_regex, matching_topics
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.group import Group
from raftka.broker.coordinators.shard import STRING_BYTES_MAX
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.model.rules import Rule
from raftka.net.protocol.messages.consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)

log = get_logger(__name__)

_CLIENT_MAKES_ID_FROM = 1


class Caller(NamedTuple):
    """The client that sends a heartbeat."""

    client_id: str
    host: str
    api_version: int
    may_describe: Callable[[str], bool]
    """Whether its principal may describe a topic of that name."""


def heartbeat(
    core: Core, request: ConsumerGroupHeartbeatRequest, caller: Caller, now: Moment
) -> ConsumerGroupHeartbeatResponse:
    """Handle a member's heartbeat.

    Raises KafkaError INVALID_REQUEST, UNSUPPORTED_ASSIGNOR, INVALID_REGULAR_EXPRESSION,
    GROUP_ID_NOT_FOUND, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, FENCED_INSTANCE_ID,
    UNRELEASED_INSTANCE_ID, GROUP_MAX_SIZE_REACHED.
    """
    _check(core, request, caller.api_version)
    if request.member_epoch in (LEAVE_EPOCH, STATIC_LEAVE_EPOCH):
        return _leave(core, request, now)
    group, replaced = _group(core, request)
    member_id = request.member_id or core.new_uuid()
    membership.check_size(core, group, member_id)
    owned = _owned(request)
    found = membership.find_member(
        core, group, member_id, request.member_epoch, request.instance_id, owned
    )
    before = (found.replaces or found.member).says
    says = _said(before, request, caller)
    if says != before:
        record = written.member_record(group.group_id, member_id, says)
        core.outbox.check_fits(record, ErrorCode.INVALID_REQUEST, "the record of the member")
    # Nothing has changed up to here: a refused request has no effect.
    if replaced is not None:
        begin(core, replaced, group)
        for each in group.members.values():
            membership.keep_alive(core, group, each, now)
    elif group.group_id not in core.groups:
        core.add(group)
    member = found.member
    member.may_describe = caller.may_describe
    if found.replaces is not None:
        membership.replace_static(core, group, found.replaces, member, now)
    elif found.is_new:
        group.add(member)
    had = member.assigned
    _subscribe(core, group, member, says, found, now)
    if group.epoch > group.assignment_epoch:
        assign(core, group, now)
    if group.too_large and request.member_epoch == 0:
        membership.keep_alive(core, group, member, now)
        raise oversize.refusal(group)
    # A member that joins owns nothing, whatever it owned before.
    reconcile(core, group, member, owned if request.member_epoch else NOTHING, now)
    membership.keep_alive(core, group, member, now)
    is_full = request.member_epoch == 0 or (
        request.rebalance_timeout != -1
        and (request.subscribed_topic_names is not None or bool(request.subscribed_topic_regex))
        and request.topic_partitions is not None
    )
    # Most heartbeats change nothing: the member has exactly the same partitions.
    changed = member.assigned is not had and as_partitions(member.assigned) != as_partitions(had)
    interval_ms = ConsumerSettings(core, group.group_id).heartbeat_interval_ms(now)
    return _answer(member, interval_ms, with_assignment=is_full or changed)


def _answer(
    member: Member, interval_ms: int, *, with_assignment: bool
) -> ConsumerGroupHeartbeatResponse:
    assignment = None
    if with_assignment:
        assignment = Assignment(
            topic_partitions=[
                TopicPartitions(topic_id=topic_id, partitions=sorted(indexes))
                for topic_id, indexes in member.assigned.items()
            ]
        )
    return ConsumerGroupHeartbeatResponse(
        member_id=member.member_id,
        member_epoch=member.epoch,
        heartbeat_interval=interval_ms,
        assignment=assignment,
    )


# ---- the request


def _invalid(words: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REQUEST, words)


def _check(core: Core, request: ConsumerGroupHeartbeatRequest, version: int) -> None:
    """Refuse malformed requests, as Kafka does."""
    epoch = request.member_epoch
    if not request.group_id.strip():
        raise _invalid("GroupId can't be empty.")
    if request.instance_id is not None and not request.instance_id.strip():
        raise _invalid("InstanceId can't be empty.")
    if request.rack_id is not None and not request.rack_id.strip():
        raise _invalid("RackId can't be empty.")
    if (epoch != 0 or version >= _CLIENT_MAKES_ID_FROM) and not request.member_id.strip():
        raise _invalid("MemberId can't be empty.")
    if epoch < STATIC_LEAVE_EPOCH:
        raise _invalid(f"MemberEpoch is invalid: {epoch} is less than -2.")
    if epoch == STATIC_LEAVE_EPOCH and request.instance_id is None:
        raise _invalid("InstanceId can't be null.")
    if epoch == 0:
        if request.rebalance_timeout == -1:
            raise _invalid("RebalanceTimeoutMs must be provided in first request.")
        if request.topic_partitions is None or request.topic_partitions:
            raise _invalid("TopicPartitions must be empty when (re-)joining.")
        if request.subscribed_topic_names is None and request.subscribed_topic_regex is None:
            raise _invalid(
                "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when"
                " (re-)joining."
            )
    _check_lengths(request)
    allowed = core.config.consumer.assignors
    if request.server_assignor is not None and request.server_assignor not in allowed:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_ASSIGNOR,
            f"ServerAssignor {request.server_assignor} is not supported. Supported assignors:"
            f" {', '.join(allowed)}.",
        )
    if request.subscribed_topic_regex:
        compile_regex(request.subscribed_topic_regex)


def _check_lengths(request: ConsumerGroupHeartbeatRequest) -> None:
    """Refuse names that fit into the request but not into a record."""
    names = (request.member_id, request.instance_id, request.rack_id)
    more = (request.subscribed_topic_regex, *(request.subscribed_topic_names or ()))
    for name in (*names, *more):
        if name is not None and len(name.encode()) > STRING_BYTES_MAX:
            raise _invalid(f"a name of more than {STRING_BYTES_MAX} bytes")


def _owned(request: ConsumerGroupHeartbeatRequest) -> Partitions | None:
    if request.topic_partitions is None:
        return None
    return {each.topic_id: frozenset(each.partitions) for each in request.topic_partitions}


def _group(
    core: Core, request: ConsumerGroupHeartbeatRequest
) -> tuple[ConsumerGroup, Group | None]:
    """The group, created if it is new, and the classic group that it replaces.

    Raises KafkaError GROUP_ID_NOT_FOUND.
    """
    found = core.groups.get(request.group_id)
    if isinstance(found, ConsumerGroup):
        return found, None
    if request.member_epoch == 0:
        if found is None:
            return ConsumerGroup(request.group_id), None
        if isinstance(found, Group):
            empty = found.is_unused
            return ConsumerGroup(request.group_id) if empty else upgraded(core, found), found
    raise not_found(request.group_id, found, GroupType.CONSUMER)


# ---- subscriptions


def _said(
    before: Subscription, request: ConsumerGroupHeartbeatRequest, caller: Caller
) -> Subscription:
    """The member's metadata after this heartbeat: omitted fields keep their values."""
    names, regex = request.subscribed_topic_names, request.subscribed_topic_regex
    return replace(
        before,
        instance_id=before.instance_id if request.instance_id is None else request.instance_id,
        rack_id=before.rack_id if request.rack_id is None else request.rack_id,
        client_id=caller.client_id,
        client_host=caller.host,
        topics=before.topics if names is None else tuple(sorted(set(names))),
        regex=before.regex if regex is None else regex or None,
        rebalance_timeout_ms=before.rebalance_timeout_ms
        if request.rebalance_timeout == -1
        else request.rebalance_timeout,
        assignor=before.assignor if request.server_assignor is None else request.server_assignor,
        classic=None,
    )


def _subscribe(
    core: Core,
    group: ConsumerGroup,
    member: Member,
    says: Subscription,
    found: membership.Found,
    now: Moment,
) -> None:
    """Store the metadata; if the assignment depends on what changed, bump the group epoch."""
    before = member.says
    if found.is_new or says != before:
        group.subscribe(member, says)
        written.write_member(core, group, member)
    reason = ""
    if found.is_new and found.replaces is None:
        reason = f"{member.member_id} joins"
    elif (says.topics, says.regex) != (before.topics, before.regex):
        reason = f"{member.member_id} subscribes to something else"
    if says.regex != before.regex:
        membership.forget_unused_regexes(core, group)
    outdated = says.regex is not None and _is_outdated(core, group, says.regex)
    if outdated and resolve_regexes(core, group, now) and not reason:
        reason = "other topics match its members' expressions"
    if reason:
        bump(core, group, reason, now)


def _is_outdated(core: Core, group: ConsumerGroup, regex: str) -> bool:
    """Whether topics were created or deleted since the expression was resolved."""
    known = group.regexes.get(regex)
    return known is None or known.version < core.topics_version


def resolve_regexes(core: Core, group: ConsumerGroup, now: Moment) -> bool:
    """Resolve expressions again if topics may have changed; return whether the result differs.

    A topic matches for the group if a member that uses the expression may describe it.
    """
    changed = False
    for member in group.members.values():
        regex, may_describe = member.says.regex, member.may_describe
        if regex is None or may_describe is None:
            continue
        if not _is_outdated(core, group, regex):
            continue
        known = group.regexes.get(regex)
        topics = matching_topics(core.image, regex, may_describe)
        resolved = ResolvedRegex(topics, core.image.offset, now.wall_ms)
        group.resolve(regex, resolved)
        if known is None or known.topics != topics:
            written.write_regex(core, group, regex)
            changed = True
    return changed


# ---- the target


def reconcile(
    core: Core, group: ConsumerGroup, member: Member, owned: Partitions | None, now: Moment
) -> None:
    """Move the member one step towards its target, and write its record."""
    if Rule.REVOKED_IS_CONFIRMED in core.rules_off:
        owned = NOTHING
    target = group.targets.get(member.member_id, NOTHING)

    def is_free(topic_id: bytes, index: int) -> bool:
        if Rule.ONE_OWNER_PER_PARTITION in core.rules_off:
            return True
        return group.owner(topic_id, index) is None

    step = next_step(member, group.assignment_epoch, target, owned, is_free)
    if step is None:
        return
    was_unrevoked = bool(member.revoking)
    group.give(member, step.assigned, step.revoking)
    member.state = step.state
    member.move_to_epoch(step.epoch)
    written.write_current(core, group, member)
    if was_unrevoked or step.revoking:
        membership.watch_revocation(core, group, member, now)


# ---- leaving


def _leave(
    core: Core, request: ConsumerGroupHeartbeatRequest, now: Moment
) -> ConsumerGroupHeartbeatResponse:
    group = core.groups.get(request.group_id)
    if not isinstance(group, ConsumerGroup):
        raise not_found(request.group_id, group, GroupType.CONSUMER)
    epoch, instance_id = request.member_epoch, request.instance_id
    if instance_id is None:
        member = group.member(request.member_id)
    else:
        known = group.static_member(instance_id)
        member = fencing.owner_of_instance(known, request.member_id, instance_id)
    if epoch == STATIC_LEAVE_EPOCH:
        membership.leave_for_a_while(core, group, member)
    else:
        log.info(f"member {member.member_id} leaves group {group.group_id}")
        membership.leave(core, group, member, "leaves", now)
    return ConsumerGroupHeartbeatResponse(member_id=request.member_id, member_epoch=epoch)
