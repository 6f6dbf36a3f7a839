"""StreamsGroupHeartbeat: join, stay in, be assigned tasks by, and leave a group (KIP-1071)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from raftka.broker.coordinators.group import fencing, kinds, oversize
from raftka.broker.coordinators.group.any_group import AnyGroup, GroupType, not_found
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.group import Group
from raftka.broker.coordinators.group.streams import checking, endpoints, membership, target
from raftka.broker.coordinators.group.streams import log as written
from raftka.broker.coordinators.group.streams.group import (
    JOIN_EPOCH,
    LEAVE_EPOCH,
    STATIC_LEAVE_EPOCH,
    Description,
    StreamsGroup,
    StreamsMember,
)
from raftka.broker.coordinators.group.streams.reconcile import next_step
from raftka.broker.coordinators.group.streams.settings import StreamsSettings
from raftka.broker.coordinators.group.streams.tasks import NO_TASKS, Role, Task, Tasks
from raftka.broker.coordinators.group.streams.topology import StatusCode, WantedTopic
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.model.rules import Rule
from raftka.net.protocol.messages.streams_group_heartbeat import (
    Status,
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
    TaskIds,
    TaskOffset,
)

log = get_logger(__name__)


class Caller(NamedTuple):
    """The client that sends a heartbeat."""

    client_id: str
    host: str
    api_version: int


class Beat(NamedTuple):
    """The results of a heartbeat, in addition to records."""

    response: StreamsGroupHeartbeatResponse
    missing: tuple[WantedTopic, ...] = ()
    """Internal topics that must be created before tasks can be assigned."""


def heartbeat(
    core: Core, request: StreamsGroupHeartbeatRequest, caller: Caller, now: Moment
) -> Beat:
    """Handle a member's heartbeat.

    Raises KafkaError INVALID_REQUEST, STREAMS_INVALID_TOPOLOGY, GROUP_ID_NOT_FOUND,
    UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, FENCED_INSTANCE_ID, UNRELEASED_INSTANCE_ID,
    GROUP_MAX_SIZE_REACHED.
    """
    checking.check(request)
    if request.member_epoch in (LEAVE_EPOCH, STATIC_LEAVE_EPOCH):
        return _leave(core, request, now)
    joins = request.member_epoch == JOIN_EPOCH
    group, replaced = _find(core, request.group_id, joins=joins)
    if joins:
        membership.check_size(core, group, request.member_id, request.instance_id)
    owned = checking.owned_tasks(request)
    found = membership.find_member(
        core, group, request.member_id, request.member_epoch, request.instance_id, owned
    )
    topology = checking.new_topology(group, request.topology)
    if topology is None:
        checking.check_owned(target.configured(core, group), owned)
    before = (found.replaces or found.member).says
    says = _said(before, request, caller)
    checking.check_fits(core, group, request.member_id, topology, None if says == before else says)
    # Nothing has changed up to here: a refused request has no effect.
    if replaced is not None:
        kinds.bury(core, replaced)
    if group.group_id not in core.groups:
        core.add(group)
    if group.is_empty:
        target.wait_for_more(core, group, now)
    if topology is not None:
        group.topology, group.configured = topology, None
        written.write_topology(core, group)
    member = found.member
    if found.replaces is not None:
        membership.replace_static(core, group, found.replaces, member, now)
    elif found.is_new:
        group.add(member)
    had = member.assigned
    moved = _describe(core, group, found, says, now)
    _note_offsets(member, request)
    target.follow(core, group, now, topics=False)
    target.compute(core, group, now)
    if group.too_large and joins:
        membership.keep_alive(core, group, member, now)
        raise oversize.refusal(group)
    reconcile(core, group, member, owned, now)
    membership.keep_alive(core, group, member, now)
    if request.shutdown_application:
        group.shutdown_by = member.member_id
    has = member.assigned.tasks()
    changed = member.assigned is not had and has != had.tasks()
    if (changed or moved) and member.says.endpoint is not None:
        group.endpoint_epoch += 1
    if changed or moved:
        group.endpoints.pop(member.member_id, None)
    # A member that reports other tasks has lost the answer that held its tasks. Kafka does not
    # repeat them, and such a task waits until the group's next epoch.
    missed = owned is not None and owned != has
    return _answer(core, group, member, request, caller, now, with_tasks=joins or changed or missed)


def _find(core: Core, group_id: str, *, joins: bool) -> tuple[StreamsGroup, AnyGroup | None]:
    """(the group, the empty classic group that it replaces); a new group is not in the shard yet.

    Raises KafkaError GROUP_ID_NOT_FOUND.
    """
    found = core.groups.get(group_id)
    if isinstance(found, StreamsGroup):
        return found, None
    if joins and found is None:
        return StreamsGroup(group_id), None
    if joins and isinstance(found, Group) and found.is_empty:
        return StreamsGroup(group_id), found
    if found is None:
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Streams group {group_id} not found.")
    raise not_found(group_id, found, GroupType.STREAMS)


# ---- the member


def _describe(
    core: Core,
    group: StreamsGroup,
    found: membership.Found,
    says: Description,
    now: Moment,
) -> bool:
    """Store the member's metadata; return whether its endpoint has changed."""
    member, before = found.member, found.member.says
    if found.is_new or says != before:
        group.describe(member, says)
        written.write_member(core, group, member)
    if found.is_new and found.replaces is None:
        target.bump(core, group, f"{member.member_id} joins", now)
    elif _relevant(says) != _relevant(before):
        target.bump(core, group, f"{member.member_id} describes itself otherwise", now)
    return says.endpoint != before.endpoint


def _relevant(says: Description) -> tuple[object, ...]:
    """The metadata that the assignment depends on."""
    return says.topology_epoch, says.rack_id, says.tags, says.process_id


def _said(
    before: Description, request: StreamsGroupHeartbeatRequest, caller: Caller
) -> Description:
    """The member's metadata after this heartbeat: omitted fields keep their values."""
    endpoint, tags = request.user_endpoint, request.client_tags
    said = None if endpoint is None else (endpoint.host, endpoint.port)
    if request.member_epoch != JOIN_EPOCH and said is None:
        said = before.endpoint
    timeout_ms = request.rebalance_timeout
    return replace(
        before,
        process_id=before.process_id if request.process_id is None else request.process_id,
        instance_id=before.instance_id if request.instance_id is None else request.instance_id,
        rack_id=before.rack_id if request.rack_id is None else request.rack_id,
        client_id=caller.client_id,
        client_host=caller.host,
        rebalance_timeout_ms=before.rebalance_timeout_ms if timeout_ms == -1 else timeout_ms,
        topology_epoch=before.topology_epoch
        if request.topology is None
        else request.topology.epoch,
        endpoint=said,
        tags=before.tags if tags is None else tuple(sorted({t.key: t.value for t in tags}.items())),
    )


def _note_offsets(member: StreamsMember, request: StreamsGroupHeartbeatRequest) -> None:
    if request.task_offsets is not None:
        member.offsets = _by_task(request.task_offsets)
    if request.task_end_offsets is not None:
        member.end_offsets = _by_task(request.task_end_offsets)


def _by_task(offsets: list[TaskOffset]) -> dict[Task, int]:
    return {(each.subtopology_id, each.partition): each.offset for each in offsets}


def reconcile(
    core: Core, group: StreamsGroup, member: StreamsMember, owned: Tasks | None, now: Moment
) -> None:
    """Move the member one step towards its target, and write its record."""
    if Rule.REVOKED_IS_CONFIRMED in core.rules_off:
        owned = NO_TASKS
    process_id = member.says.process_id

    def is_free(role: Role, task: Task) -> bool:
        owned = role is Role.ACTIVE and group.is_run(task)
        if owned and Rule.ONE_OWNER_PER_TASK not in core.rules_off:
            return False
        return Rule.TASK_ONCE_PER_PROCESS in core.rules_off or not group.is_at(process_id, task)

    share = group.target_of(member.member_id)
    step = next_step(member, group.assignment_epoch, share, owned, is_free)
    if step is None:
        return
    was_unrevoked = any(member.revoking)
    group.give(member, step.assigned, step.revoking)
    member.state = step.state
    member.move_to_epoch(step.epoch)
    written.write_current(core, group, member)
    if was_unrevoked or any(step.revoking):
        membership.watch_revocation(core, group, member, now)


# ---- the answer


def _answer(
    core: Core,
    group: StreamsGroup,
    member: StreamsMember,
    request: StreamsGroupHeartbeatRequest,
    caller: Caller,
    now: Moment,
    *,
    with_tasks: bool,
) -> Beat:
    settings = StreamsSettings(core, group.group_id)
    found = target.configured(core, group)
    response = StreamsGroupHeartbeatResponse(
        member_id=member.member_id,
        member_epoch=member.epoch,
        heartbeat_interval=settings.heartbeat_interval_ms(now),
        task_offset_interval=settings.task_offset_interval_ms,
        acceptable_recovery_lag=settings.acceptable_recovery_lag,
        status=_statuses(core, group, member, settings, caller.api_version),
        endpoint_information_epoch=group.endpoint_epoch,
    )
    if with_tasks:
        active, standby, warmup = member.assigned.tasks()
        response.active_tasks = _task_ids(active)
        response.standby_tasks = _task_ids(standby)
        response.warmup_tasks = _task_ids(warmup)
    if request.endpoint_information_epoch != group.endpoint_epoch:
        response.partitions_by_user_endpoint = endpoints.of_group(group, found)
    return Beat(response, () if found is None else found.missing)


def _task_ids(ids: Mapping[str, frozenset[int]]) -> list[TaskIds]:
    return [TaskIds(subtopology_id=name, partitions=sorted(some)) for name, some in ids.items()]


def _statuses(
    core: Core,
    group: StreamsGroup,
    member: StreamsMember,
    settings: StreamsSettings,
    api_version: int,
) -> list[Status]:
    """The statuses in the answer, in Kafka's words and order."""
    found: list[tuple[StatusCode, str]] = []
    if group.topology is not None and member.says.topology_epoch < group.topology.epoch:
        words = (
            f"The member's topology epoch {member.says.topology_epoch} is behind the group's"
            f" topology epoch {group.topology.epoch}."
        )
        found.append((StatusCode.STALE_TOPOLOGY, words))
    delay = target.delay(core, group)
    if delay is not None:
        found.append(delay)
    configured = target.configured(core, group)
    if configured is not None and configured.problem is not None:
        found.append(configured.problem)
    if group.shutdown_by is not None:
        words = (
            f"Streams group member {group.shutdown_by} encountered a fatal error and requested a"
            " shutdown for the entire application."
        )
        found.append((StatusCode.SHUTDOWN_APPLICATION, words))
    has = {key for key, _ in member.says.tags}
    lacks = [tag for tag in settings.rack_aware_tags if tag not in has]
    if lacks and api_version >= _KNOWS_TAGS_FROM:
        words = (
            "Missing required client tags for rack-aware standby assignment:"
            f" [{', '.join(lacks)}]. Configure them via 'client.tag.<tagKey>' in your Streams"
            " config."
        )
        found.append((StatusCode.MISSING_CLIENT_TAGS, words))
    return [Status(status_code=int(code), status_detail=words) for code, words in found]


_KNOWS_TAGS_FROM = 1
"""The lowest version whose clients understand MISSING_CLIENT_TAGS."""


# ---- leaving


def _leave(core: Core, request: StreamsGroupHeartbeatRequest, now: Moment) -> Beat:
    group = core.groups.get(request.group_id)
    if not isinstance(group, StreamsGroup):
        raise not_found(request.group_id, group, GroupType.STREAMS)
    if request.instance_id is None:
        member = group.member(request.member_id)
    else:
        known = group.static_member(request.instance_id)
        member = fencing.owner_of_instance(known, request.member_id, request.instance_id)
    if request.shutdown_application:
        group.shutdown_by = request.member_id
    if request.member_epoch == STATIC_LEAVE_EPOCH:
        membership.leave_for_a_while(core, group, member)
    else:
        log.info(f"member {member.member_id} leaves streams group {group.group_id}")
        membership.leave(core, group, member, "leaves", now)
    return Beat(
        StreamsGroupHeartbeatResponse(
            member_id=request.member_id, member_epoch=request.member_epoch
        )
    )
