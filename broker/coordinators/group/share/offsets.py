"""Administration of share groups: list, alter and delete their start offsets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.share import log
from raftka.broker.coordinators.group.share.group import Assignment, ShareGroup, TopicState
from raftka.broker.coordinators.group.share.heartbeat import find
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError


def wanted(
    core: Core, group: ShareGroup, topics: Iterable[tuple[str, Iterable[int]]] | None
) -> Iterator[tuple[str, bytes, int]]:
    """(topic, its id, partition) of these, or of all partitions that the group has state for."""
    if topics is None:
        for topic_id, state in group.initialized.items():
            for index in sorted(state.partitions):
                yield state.name, topic_id, index
        return
    for name, partitions in topics:
        topic = core.image.topics.get(name)
        for index in partitions:
            yield name, b"" if topic is None else topic.topic_id, index


def _empty(core: Core, group_id: str, *, or_make: bool = False) -> ShareGroup:
    group = find(core, group_id, or_make=or_make)
    if group.members:
        raise KafkaError(
            ErrorCode.NON_EMPTY_GROUP,
            f"group {group_id!r} has members: stop them before you change its offsets",
        )
    return group


def raise_epoch(core: Core, group_id: str, now: Moment) -> int:
    """Return a state epoch above those of all the group's share-partitions.

    A group that is not there begins with that, as in Kafka: its offsets can be set before its first
    member comes. Raises KafkaError: GROUP_ID_NOT_FOUND of a group of another kind, NON_EMPTY_GROUP.
    """
    group = _empty(core, group_id, or_make=True)
    if group_id not in core.groups:
        core.add(group)
    group.epoch += 1
    core.outbox.records.append(log.group_record(group))
    group.assignment_epoch = group.epoch
    core.outbox.records.append(log.target_epoch_record(group, now.wall_ms))
    return group.epoch


def altered(core: Core, group_id: str, partitions: Mapping[bytes, Set[int]]) -> None:
    """The state of these is initialized again: they may be assigned."""
    group = core.groups.get(group_id)
    if not isinstance(group, ShareGroup):
        return
    for topic_id, some in partitions.items():
        name = core.image.topic_names.get(topic_id)
        if name is not None:
            state = group.initialized.setdefault(topic_id, TopicState(name))
            state.partitions |= some
    core.outbox.records.append(log.states_record(group))


def begin_deleting(core: Core, group_id: str, topic_ids: Iterable[bytes]) -> Assignment:
    """Start deleting the share-partitions of these topics; no member is assigned them any longer.

    Raises KafkaError: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
    """
    group = _empty(core, group_id)
    doomed: Assignment = {}
    for topic_id in topic_ids:
        known = group.known_partitions(topic_id)
        if known:
            state = group.initialized.pop(topic_id, None) or group.initializing[topic_id]
            group.initializing.pop(topic_id, None)
            group.deleting[topic_id] = state.name
            doomed[topic_id] = known
    if doomed:
        core.outbox.records.append(log.states_record(group))
    return doomed


def deleted(core: Core, group_id: str, partitions: Assignment) -> None:
    """The share coordinator has deleted these."""
    group = core.groups.get(group_id)
    if not isinstance(group, ShareGroup):
        return
    for topic_id in partitions:
        group.deleting.pop(topic_id, None)
    core.outbox.records.append(log.states_record(group))
