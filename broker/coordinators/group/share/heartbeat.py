"""ShareGroupHeartbeat: join, stay in or leave a share group (KIP-932).

A change of members, subscriptions or partitions bumps the group epoch and computes a new assignment
at once; each member gets its own with its next heartbeat, without waiting for others. Partitions
are assigned once the share coordinator has initialized their state.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from raftka.broker.coordinators.group import fencing, oversize
from raftka.broker.coordinators.group.any_group import GroupType, not_found
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.share import log
from raftka.broker.coordinators.group.share.assignor import Subscriber, assign
from raftka.broker.coordinators.group.share.config import ShareGroupConfig
from raftka.broker.coordinators.group.share.group import (
    Assignment,
    ShareGroup,
    ShareMember,
    TopicState,
)
from raftka.broker.coordinators.shard import STRING_BYTES_MAX
from raftka.broker.coordinators.timers import Moment
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages import share_group_heartbeat as messages

_JOINS = 0
_LEAVES = -1
_MEMBER_ID_MAX = 36
"""In characters: a UUID as text, which the members choose (KIP-932)."""


@dataclass(frozen=True, slots=True)
class BeginStates:
    """An effect: have the share coordinator initialize these; then call `begun` or `not_begun`."""

    group_id: str
    state_epoch: int
    partitions: Assignment


@dataclass(frozen=True, slots=True)
class DeleteStates:
    """An effect: have the share coordinator delete these; then call `deleted`."""

    group_id: str
    partitions: Assignment


def heartbeat(
    core: Core,
    request: messages.ShareGroupHeartbeatRequest,
    client_id: str,
    client_host: str,
    now: Moment,
) -> messages.ShareGroupHeartbeatResponse:
    """The answer for a member, to send once the shard's decisions are committed.

    Raises KafkaError: INVALID_REQUEST, GROUP_ID_NOT_FOUND for a group of another kind,
    GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH.
    """
    _check(request)
    config = core.config.share
    group = find(core, request.group_id, or_make=request.member_epoch == _JOINS)
    if request.member_epoch == _LEAVES:
        member = _known(group, request.member_id)
        _remove(core, group, member.member_id, now)
        return messages.ShareGroupHeartbeatResponse(
            member_id=member.member_id, member_epoch=_LEAVES
        )
    member, is_new = _member(group, config, request)
    is_changed = _take_over(core, group, member, is_new, request, client_id, client_host)
    if is_changed:
        group.members[member.member_id] = member
        if group.group_id not in core.groups:
            core.add(group)
        core.outbox.records.append(log.member_record(group, member))
    refresh(core, group, now, is_changed=is_changed)
    if group.too_large and request.member_epoch == _JOINS:
        keep_alive(core, group, member.member_id, now)
        raise oversize.refusal(group)
    gets_all = request.member_epoch == _JOINS or request.subscribed_topic_names is not None
    if member.epoch != group.assignment_epoch or is_new:
        target = group.target.get(member.member_id, {})
        gets_all = gets_all or member.assigned != target
        member.previous_epoch = member.epoch
        member.epoch = group.assignment_epoch
        member.assigned = target
        core.outbox.records.append(log.current_record(group, member))
    keep_alive(core, group, member.member_id, now)
    return messages.ShareGroupHeartbeatResponse(
        member_id=member.member_id,
        member_epoch=member.epoch,
        heartbeat_interval=config.heartbeat_ms_of(core.image, group.group_id),
        assignment=_answered(member.assigned) if gets_all else None,
    )


def is_early(core: Core, group_id: str, response: messages.ShareGroupHeartbeatResponse) -> bool:
    """Whether a member has no partitions yet because their state is still being initialized."""
    group = core.groups.get(group_id)
    has_any = response.assignment is not None and response.assignment.topic_partitions
    return isinstance(group, ShareGroup) and bool(group.initializing) and not has_any


def _check(request: messages.ShareGroupHeartbeatRequest) -> None:
    """Raises KafkaError INVALID_REQUEST, worded as in Apache Kafka."""
    if not request.group_id.strip():
        _invalid("GroupId can't be empty.")
    if not 0 < len(request.member_id) <= _MEMBER_ID_MAX:
        _invalid(
            f"MemberId has {len(request.member_id)} characters: a share group's member takes a"
            f" UUID as text, of 1 to {_MEMBER_ID_MAX}"
        )
    if request.rack_id is not None and not request.rack_id.strip():
        _invalid("RackId can't be empty.")
    if request.member_epoch < _LEAVES:
        _invalid("MemberEpoch is invalid.")
    if request.member_epoch == _JOINS and not request.subscribed_topic_names:
        _invalid("SubscribedTopicNames must be set in first request.")
    for name in (request.member_id, request.rack_id, *(request.subscribed_topic_names or ())):
        if name is not None and len(name.encode()) > STRING_BYTES_MAX:
            _invalid(f"a name of more than {STRING_BYTES_MAX} bytes")


def _invalid(words: str) -> NoReturn:
    raise KafkaError(ErrorCode.INVALID_REQUEST, words)


def find(core: Core, group_id: str, *, or_make: bool = False) -> ShareGroup:
    """Return a share group; with `or_make`, a new one that is not in the shard yet.

    Raises KafkaError GROUP_ID_NOT_FOUND if there is none, or it has another type.
    """
    found = core.groups.get(group_id)
    if isinstance(found, ShareGroup):
        return found
    if found is None and or_make:
        return ShareGroup(group_id)
    raise not_found(group_id, found, GroupType.SHARE)


def _known(group: ShareGroup, member_id: str) -> ShareMember:
    member = group.members.get(member_id)
    if member is None:
        raise fencing.unknown_member(member_id, group.group_id)
    return member


def _member(
    group: ShareGroup, config: ShareGroupConfig, request: messages.ShareGroupHeartbeatRequest
) -> tuple[ShareMember, bool]:
    """(the member that sent the request, whether it is new)."""
    if request.member_epoch == _JOINS:
        member = group.members.get(request.member_id)
        if member is not None:
            return member, False
        if len(group.members) >= config.max_size:
            raise KafkaError(
                ErrorCode.GROUP_MAX_SIZE_REACHED,
                f"The share group has reached its maximum capacity of {config.max_size} members.",
            )
        return ShareMember(request.member_id), True
    member = _known(group, request.member_id)
    epoch = request.member_epoch
    if epoch not in (member.epoch, member.previous_epoch) or epoch > member.epoch:
        raise KafkaError(
            ErrorCode.FENCED_MEMBER_EPOCH,
            f"The share group member has epoch {member.epoch} and not {epoch}. The member must"
            " abandon all its partitions and rejoin.",
        )
    return member, False


def _take_over(
    core: Core,
    group: ShareGroup,
    member: ShareMember,
    is_new: bool,
    request: messages.ShareGroupHeartbeatRequest,
    client_id: str,
    client_host: str,
) -> bool:
    """Store the member's metadata from a request; return whether it changed.

    Raises KafkaError INVALID_REQUEST, with nothing changed, if it does not fit into a record.
    """
    names, rack_id = request.subscribed_topic_names, request.rack_id
    said = replace(
        member,
        topics=member.topics if names is None else frozenset(names),
        rack_id=member.rack_id if rack_id is None else rack_id,
        client_id=client_id,
        client_host=client_host,
    )
    if not is_new and said == member:
        return False
    core.outbox.check_fits(
        log.member_record(group, said), ErrorCode.INVALID_REQUEST, "the record of the member"
    )
    member.topics, member.rack_id = said.topics, said.rack_id
    member.client_id, member.client_host = client_id, client_host
    return True


def _answered(assigned: Assignment) -> messages.Assignment:
    return messages.Assignment(
        topic_partitions=[
            messages.TopicPartitions(topic_id=topic_id, partitions=sorted(some))
            for topic_id, some in assigned.items()
        ]
    )


# ---- the group


def refresh(core: Core, group: ShareGroup, now: Moment, *, is_changed: bool) -> None:
    """Follow the topics: request missing states, and assign again if anything has changed."""
    lost = [each for each in group.initialized if each not in core.image.topic_names]
    lost += [each for each in group.initializing if each not in core.image.topic_names]
    for topic_id in lost:
        group.initialized.pop(topic_id, None)
        group.initializing.pop(topic_id, None)
    missing = _missing_states(core, group)
    if missing:
        for topic_id, some in missing.items():
            name = core.image.topic_names[topic_id]
            state = group.initializing.setdefault(topic_id, TopicState(name))
            state.partitions |= some
    if missing or lost:
        core.outbox.records.append(log.states_record(group))
    if is_changed or lost:
        _assign(core, group, now)
    if missing:
        core.outbox.effects.append(BeginStates(group.group_id, group.epoch, missing))


def _missing_states(core: Core, group: ShareGroup) -> Assignment:
    """Subscribed partitions whose state was not requested yet."""
    found: Assignment = {}
    for name in sorted(group.subscribed()):
        topic = core.image.topics.get(name)
        if topic is not None and topic.topic_id not in group.deleting:
            known = group.known_partitions(topic.topic_id)
            missing = frozenset(range(len(topic.partitions))) - known
            if missing:
                found[topic.topic_id] = missing
    return found


def _assign(core: Core, group: ShareGroup, now: Moment) -> None:
    """Bump the group epoch, and compute the target of every member."""
    records = core.outbox.records
    group.epoch += 1
    records.append(log.group_record(group))
    ids = {
        name: topic.topic_id
        for name in group.subscribed()
        if (topic := core.image.topics.get(name)) is not None
    }
    target = assign(
        (
            Subscriber(
                member.member_id,
                frozenset(ids[name] for name in member.topics if name in ids),
                group.target.get(member.member_id, {}),
            )
            for member in group.members.values()
        ),
        {topic_id: state.partitions for topic_id, state in group.initialized.items()},
    )
    changed = {
        member_id: log.target_record(group, member_id, assigned)
        for member_id, assigned in target.items()
        if group.target.get(member_id) != assigned
    }
    if not oversize.fits(core, group, changed):
        return
    records += changed.values()
    group.target = target
    group.assignment_epoch = group.epoch
    records.append(log.target_epoch_record(group, now.wall_ms))


def begun(core: Core, group_id: str, partitions: Assignment, now: Moment) -> None:
    """The share coordinator has initialized these: they can be assigned."""
    group = core.groups.get(group_id)
    if not isinstance(group, ShareGroup):
        return
    for topic_id, some in partitions.items():
        waiting = group.initializing.get(topic_id)
        if waiting is None or not waiting.partitions & some:
            continue
        state = group.initialized.setdefault(topic_id, TopicState(waiting.name))
        state.partitions |= waiting.partitions & some
        waiting.partitions -= some
        if not waiting.partitions:
            del group.initializing[topic_id]
    core.outbox.records.append(log.states_record(group))
    _assign(core, group, now)


def not_begun(core: Core, group_id: str, partitions: Assignment, now: Moment) -> None:
    """The share coordinator could not initialize these; the next heartbeat tries again."""
    group = core.groups.get(group_id)
    if not isinstance(group, ShareGroup):
        return
    for topic_id, some in partitions.items():
        waiting = group.initializing.get(topic_id)
        if waiting is not None:
            waiting.partitions -= some
            if not waiting.partitions:
                del group.initializing[topic_id]
    core.outbox.records.append(log.states_record(group))


def _remove(core: Core, group: ShareGroup, member_id: str, now: Moment) -> None:
    core.timers.cancel(("share session", group.group_id, member_id))
    del group.members[member_id]
    group.target.pop(member_id, None)
    core.outbox.records.extend(log.member_tombstones(group.group_id, member_id))
    _assign(core, group, now)


def keep_alive(core: Core, group: ShareGroup, member_id: str, now: Moment) -> None:
    """Restart the member's session; without heartbeats it expires."""

    def expired(now: Moment) -> None:
        if member_id in group.members and core.groups.get(group.group_id) is group:
            _remove(core, group, member_id, now)

    session_s = core.config.share.session_ms_of(core.image, group.group_id) / 1000
    core.timers.schedule(
        ("share session", group.group_id, member_id), now.monotonic_s + session_s, expired
    )
