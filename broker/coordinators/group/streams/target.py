"""When the target assignment of a streams group is computed, and how it is written."""

from __future__ import annotations

from collections.abc import Callable

from raftka.broker.coordinators.group import oversize
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.streams import log as written
from raftka.broker.coordinators.group.streams.assignor import Worker, assign
from raftka.broker.coordinators.group.streams.group import NO_TOPOLOGY, StreamsGroup
from raftka.broker.coordinators.group.streams.settings import StreamsSettings
from raftka.broker.coordinators.group.streams.tasks import NO_TASKS, Tasks
from raftka.broker.coordinators.group.streams.topology import (
    Configured,
    Problem,
    StatusCode,
    configure,
    topics_hash,
)
from raftka.broker.coordinators.timers import Moment
from raftka.model.logs import get_logger

log = get_logger(__name__)


def configured(core: Core, group: StreamsGroup) -> Configured | None:
    """The topology's tasks and topics for the current metadata; None without a topology."""
    if group.configured is None and group.topology is not None:
        topics = core.image.topics

        def count(topic: str) -> int | None:
            found = topics.get(topic)
            return None if found is None else len(found.partitions)

        group.configured = configure(group.topology, count)
        group.endpoints.clear()
    return group.configured


def follow(core: Core, group: StreamsGroup, now: Moment, *, topics: bool = True) -> None:
    """Follow topics and settings: bump the group epoch if the tasks depend on what changed.

    A heartbeat checks only the settings: the shard is notified of metadata changes.
    """
    found = configured(core, group)
    if found is None or not group.members or group.topology is None:
        return
    validated = group.topology.epoch if found.is_ready else NO_TOPOLOGY
    configs = StreamsSettings(core, group.group_id).assignment_configs()
    if topics and topics_hash(core.image, group.topology) != group.metadata_hash:
        bump(core, group, "its topics have changed", now)
    elif validated != group.validated_epoch:
        bump(core, group, "its topology is ready" if found.is_ready else "it lacks topics", now)
    elif configs != group.assignment_configs:
        bump(core, group, "its settings have changed", now)


def bump(core: Core, group: StreamsGroup, reason: str, now: Moment) -> None:
    """Bump the group epoch after a change that affects the assignment, and compute its target."""
    found = configured(core, group)
    group.metadata_hash = topics_hash(core.image, group.topology)
    group.validated_epoch = NO_TOPOLOGY
    if found is not None and found.is_ready and group.topology is not None:
        group.validated_epoch = group.topology.epoch
    group.assignment_configs = StreamsSettings(core, group.group_id).assignment_configs()
    group.epoch += 1
    group.too_large = ""
    written.write_group(core, group)
    log.info(f"streams group {group.group_id} is in epoch {group.epoch}: {reason}")
    compute(core, group, now)


def wait_for_more(core: Core, group: StreamsGroup, now: Moment) -> None:
    """Delay the first assignment, so that a fleet that starts together has one (KIP-1071)."""
    delay_ms = StreamsSettings(core, group.group_id).initial_rebalance_delay_ms
    if delay_ms > 0:
        core.timers.schedule(
            _initial(group), now.monotonic_s + delay_ms / 1000, _computing(core, group)
        )


def delay(core: Core, group: StreamsGroup) -> Problem | None:
    """Why the group's epoch has no target yet; None if it has one."""
    if group.epoch == group.assignment_epoch:
        return None
    if group.too_large:
        return Problem(
            StatusCode.ASSIGNMENT_DELAYED, f"No assignment is possible: {group.too_large}."
        )
    why = "initial rebalance delay" if _initial(group) in core.timers else "assignment interval"
    words = f"Assignment delayed due to the configured {why}."
    return Problem(StatusCode.ASSIGNMENT_DELAYED, words)


def compute(core: Core, group: StreamsGroup, now: Moment) -> None:
    """Compute the target of the group's epoch, now or when the interval allows (KIP-1263).

    The first change of a quiet group is assigned at once; later ones within the interval together.
    """
    if group.epoch == group.assignment_epoch:
        return
    if group.members:
        if _initial(group) in core.timers:
            return
        if now.monotonic_s < group.assign_not_before_s:
            core.timers.schedule(
                ("assign tasks", group.group_id),
                group.assign_not_before_s,
                _computing(core, group),
            )
            return
        interval_ms = StreamsSettings(core, group.group_id).assignment_interval_ms
        group.assign_not_before_s = now.monotonic_s + interval_ms / 1000
        if not _share_out(core, group):
            return
    # Without members there is nothing to assign, in any epoch.
    group.assignment_epoch = group.epoch
    group.assigned_at_ms = now.wall_ms
    written.write_target_epoch(core, group)
    log.info(
        f"streams group {group.group_id} has a target for epoch {group.epoch}",
        members=len(group.members),
    )


def cancel(core: Core, group: StreamsGroup) -> None:
    """Cancel the pending computation."""
    core.timers.cancel(_initial(group))
    core.timers.cancel(("assign tasks", group.group_id))


def _initial(group: StreamsGroup) -> tuple[str, str]:
    return "initial tasks", group.group_id


def _computing(core: Core, group: StreamsGroup) -> Callable[[Moment], None]:
    def due(now: Moment) -> None:
        compute(core, group, now)

    return due


def _share_out(core: Core, group: StreamsGroup) -> bool:
    """Return False, with nothing changed, if a member's tasks do not fit into its record.

    A topology that cannot run has no tasks: members revoke what they have.
    """
    found = configured(core, group)
    workers = [
        Worker(
            member.member_id,
            member.says.process_id,
            group.target_of(member.member_id),
            member.offsets,
        )
        for _, member in sorted(group.members.items())
    ]
    replicas = StreamsSettings(core, group.group_id).standby_replicas
    runs = found is not None and found.is_ready
    shares = (
        assign(workers, found.tasks, found.stateful, replicas) if found is not None and runs else {}
    )
    changed: dict[str, Tasks] = {}
    for member_id in group.members:
        share = shares.get(member_id, NO_TASKS)
        if member_id not in group.targets or group.targets[member_id] != share:
            changed[member_id] = share
    records = {
        member_id: written.target_record(group.group_id, member_id, share)
        for member_id, share in changed.items()
    }
    if not oversize.fits(core, group, records):
        return False
    group.targets |= changed
    core.outbox.records += records.values()
    return True
