"""When the target assignment of a consumer group is computed, and how it is written."""

from __future__ import annotations

from collections import Counter

from raftka.broker.coordinators.group import oversize
from raftka.broker.coordinators.group.consumer import log as written
from raftka.broker.coordinators.group.consumer.assignors import ASSIGNORS
from raftka.broker.coordinators.group.consumer.assignors.spec import GroupSpec, MemberSpec
from raftka.broker.coordinators.group.consumer.group import ConsumerGroup, Partitions
from raftka.broker.coordinators.group.consumer.settings import ConsumerSettings
from raftka.broker.coordinators.group.consumer.topics import group_hash, racks_of, topic_ids
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.timers import Moment
from raftka.model.logs import get_logger

log = get_logger(__name__)


def bump(core: Core, group: ConsumerGroup, reason: str, now: Moment) -> None:
    """Bump the group epoch after a change that affects the assignment, and compute its target."""
    group.metadata_hash = group_hash(core, group)
    group.epoch += 1
    group.too_large = ""
    written.write_group(core, group)
    log.info(f"group {group.group_id} is in epoch {group.epoch}: {reason}")
    assign(core, group, now)


def assign(core: Core, group: ConsumerGroup, now: Moment) -> None:
    """Compute the target of the group's epoch, now or when the interval allows (KIP-1263).

    The first change of a quiet group is assigned at once; later ones within the interval together.
    """
    if group.epoch == group.assignment_epoch:
        return
    if not group.members:
        # No member gets anything, in any epoch.
        group.assignment_epoch = group.epoch
        group.assigned_at_ms = now.wall_ms
        written.write_target_epoch(core, group)
        return
    if now.monotonic_s < group.assign_not_before_s:

        def due(now: Moment) -> None:
            assign(core, group, now)

        core.timers.schedule(("assign", group.group_id), group.assign_not_before_s, due)
        return
    interval_ms = ConsumerSettings(core, group.group_id).assignment_interval_ms
    group.assign_not_before_s = now.monotonic_s + interval_ms / 1000
    name = assignor_of(core, group)
    shares = ASSIGNORS[name](_spec(core, group))
    changed: dict[str, Partitions] = {}
    for member_id in group.members:
        found = shares.get(member_id, {})
        share = {topic_id: frozenset(indexes) for topic_id, indexes in found.items() if indexes}
        if group.targets.get(member_id) != share:
            changed[member_id] = share
    records = {
        member_id: written.target_record(group.group_id, member_id, share)
        for member_id, share in changed.items()
    }
    if not oversize.fits(core, group, records):
        return
    group.targets |= changed
    core.outbox.records += records.values()
    group.assignment_epoch = group.epoch
    group.assigned_at_ms = now.wall_ms
    written.write_target_epoch(core, group)
    log.info(
        f"group {group.group_id} has a target for epoch {group.epoch}",
        members=len(group.members),
        assignor=name,
    )


def assignor_of(core: Core, group: ConsumerGroup) -> str:
    """The assignor that most members ask for; the first of group.consumer.assignors if none does.

    Assignors that are no longer configured get no votes.
    """
    allowed = core.config.consumer.assignors
    votes = Counter(
        member.says.assignor for member in group.members.values() if member.says.assignor in allowed
    )
    if not votes:
        return allowed[0]
    return max(sorted(filter(None, votes)), key=lambda name: votes[name])


def _spec(core: Core, group: ConsumerGroup) -> GroupSpec:
    image = core.image
    ids_of: dict[frozenset[str], frozenset[bytes]] = {}
    members = []
    for member in group.members.values():
        wanted = frozenset(group.topics_of(member))
        ids = ids_of.get(wanted)
        if ids is None:
            ids = ids_of[wanted] = topic_ids(image, wanted)
        members.append(
            MemberSpec(
                member.member_id,
                member.says.instance_id,
                member.says.rack_id,
                ids,
                group.targets.get(member.member_id, {}),
            )
        )
    members.sort(key=lambda each: each.rank)
    names = sorted(group.subscribed_topics())
    topics = [image.topics[name] for name in names if name in image.topics]
    aware = any(each.rack_id is not None for each in members)
    return GroupSpec(
        members,
        {topic.topic_id: len(topic.partitions) for topic in topics},
        {topic.topic_id: racks_of(image, topic) for topic in topics} if aware else {},
    )
