"""A streams group's records in __consumer_offsets, written and read as Apache Kafka does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.kinds import Format
from raftka.broker.coordinators.group.records import given_at
from raftka.broker.coordinators.group.streams.group import (
    FIRST_EPOCH,
    Description,
    MemberState,
    StreamsGroup,
    StreamsMember,
)
from raftka.broker.coordinators.group.streams.tasks import (
    Held,
    OwnedIds,
    TaskIds,
    Tasks,
    nothing,
)
from raftka.broker.coordinators.outbox import Record
from raftka.net.protocol import codec
from raftka.net.protocol.messages.streams_group_current_member_assignment_key import (
    StreamsGroupCurrentMemberAssignmentKey,
)
from raftka.net.protocol.messages.streams_group_current_member_assignment_value import (
    StreamsGroupCurrentMemberAssignmentValue,
)
from raftka.net.protocol.messages.streams_group_current_member_assignment_value import (
    TaskIds as CurrentTaskIds,
)
from raftka.net.protocol.messages.streams_group_member_metadata_key import (
    StreamsGroupMemberMetadataKey,
)
from raftka.net.protocol.messages.streams_group_member_metadata_value import (
    Endpoint,
    KeyValue,
    StreamsGroupMemberMetadataValue,
)
from raftka.net.protocol.messages.streams_group_metadata_key import StreamsGroupMetadataKey
from raftka.net.protocol.messages.streams_group_metadata_value import (
    LastAssignmentConfig,
    StreamsGroupMetadataValue,
)
from raftka.net.protocol.messages.streams_group_target_assignment_member_key import (
    StreamsGroupTargetAssignmentMemberKey,
)
from raftka.net.protocol.messages.streams_group_target_assignment_member_value import (
    StreamsGroupTargetAssignmentMemberValue,
)
from raftka.net.protocol.messages.streams_group_target_assignment_member_value import (
    TaskIds as TargetTaskIds,
)
from raftka.net.protocol.messages.streams_group_target_assignment_metadata_key import (
    StreamsGroupTargetAssignmentMetadataKey,
)
from raftka.net.protocol.messages.streams_group_target_assignment_metadata_value import (
    StreamsGroupTargetAssignmentMetadataValue,
)
from raftka.net.protocol.messages.streams_group_topology_key import StreamsGroupTopologyKey
from raftka.net.protocol.messages.streams_group_topology_value import StreamsGroupTopologyValue

GROUP: Final = 17
MEMBER: Final = 19
TARGET_EPOCH: Final = 20
TARGET_MEMBER: Final = 21
CURRENT: Final = 22
TOPOLOGY: Final = 23


# ---- writing


def write_group(core: Core, group: StreamsGroup) -> None:
    """Write the group's epoch, and the metadata that it was bumped for."""
    value = StreamsGroupMetadataValue(
        epoch=group.epoch,
        metadata_hash=group.metadata_hash,
        validated_topology_epoch=group.validated_epoch,
        last_assignment_configs=[
            LastAssignmentConfig(key=key, value=value)
            for key, value in sorted(group.assignment_configs.items())
        ],
        stored_description_topology_epoch=group.described_epoch,
        failed_description_topology_epoch=group.undescribed_epoch,
    )
    _write(core, _group_key(group.group_id), codec.encode_versioned(value, 0))


def write_topology(core: Core, group: StreamsGroup) -> None:
    """The topology that the group's members run."""
    assert group.topology is not None
    core.outbox.records.append(topology_record(group.group_id, group.topology))


def topology_record(group_id: str, topology: StreamsGroupTopologyValue) -> Record:
    """The record that `write_topology` writes."""
    return _topology_key(group_id), codec.encode_versioned(topology, 0)


def write_member(core: Core, group: StreamsGroup, member: StreamsMember) -> None:
    """Write a member's own metadata."""
    core.outbox.records.append(member_record(group.group_id, member.member_id, member.says))


def member_record(group_id: str, member_id: str, says: Description) -> Record:
    """The record that `write_member` writes."""
    value = StreamsGroupMemberMetadataValue(
        instance_id=says.instance_id,
        rack_id=says.rack_id,
        client_id=says.client_id,
        client_host=says.client_host,
        rebalance_timeout_ms=says.rebalance_timeout_ms,
        topology_epoch=says.topology_epoch,
        process_id=says.process_id,
        user_endpoint=None
        if says.endpoint is None
        else Endpoint(host=says.endpoint[0], port=says.endpoint[1]),
        client_tags=[KeyValue(key=key, value=value) for key, value in says.tags],
    )
    return _member_key(group_id, member_id), codec.encode_versioned(value, 0)


def write_target_epoch(core: Core, group: StreamsGroup) -> None:
    """Write the group epoch for which the target was computed, and the time."""
    value = StreamsGroupTargetAssignmentMetadataValue(
        assignment_epoch=group.assignment_epoch, assignment_timestamp=group.assigned_at_ms
    )
    _write(core, _target_epoch_key(group.group_id), codec.encode_versioned(value, 0))


def write_target(core: Core, group: StreamsGroup, member_id: str) -> None:
    """Write a member's target assignment."""
    core.outbox.records.append(target_record(group.group_id, member_id, group.target_of(member_id)))


def target_record(group_id: str, member_id: str, tasks: Tasks) -> Record:
    """The record of a member's target assignment."""
    active, standby, warmup = map(_target_ids, tasks)
    value = StreamsGroupTargetAssignmentMemberValue(
        active_tasks=active, standby_tasks=standby, warmup_tasks=warmup
    )
    return _target_key(group_id, member_id), codec.encode_versioned(value, 0)


def write_current(core: Core, group: StreamsGroup, member: StreamsMember) -> None:
    """Write the tasks that a member owns and must revoke."""
    assigned, revoking = member.assigned, member.revoking
    value = StreamsGroupCurrentMemberAssignmentValue(
        member_epoch=member.epoch,
        previous_member_epoch=member.previous_epoch,
        state=int(member.state),
        active_tasks=_active_ids(assigned.active),
        standby_tasks=_current_ids(assigned.standby),
        warmup_tasks=_current_ids(assigned.warmup),
        active_tasks_pending_revocation=_active_ids(revoking.active),
        standby_tasks_pending_revocation=_current_ids(revoking.standby),
        warmup_tasks_pending_revocation=_current_ids(revoking.warmup),
    )
    _write(core, _current_key(group.group_id, member.member_id), codec.encode_versioned(value, 0))


def write_member_gone(core: Core, group: StreamsGroup, member_id: str) -> None:
    """Write the tombstones of a member."""
    core.outbox.records.extend(_member_tombstones(group.group_id, member_id))


def tombstones(group: StreamsGroup) -> Iterator[Record]:
    """The tombstones of a group, in the order in which Kafka reads them."""
    for member_id in group.members:
        yield from _member_tombstones(group.group_id, member_id)
    yield _target_epoch_key(group.group_id), None
    yield _group_key(group.group_id), None
    yield _topology_key(group.group_id), None


def _member_tombstones(group_id: str, member_id: str) -> Iterator[Record]:
    yield _current_key(group_id, member_id), None
    yield _target_key(group_id, member_id), None
    yield _member_key(group_id, member_id), None


def _write(core: Core, key: bytes, value: bytes) -> None:
    core.outbox.records.append((key, value))


def _target_ids(ids: TaskIds) -> list[TargetTaskIds]:
    return [
        TargetTaskIds(subtopology_id=name, partitions=sorted(some)) for name, some in ids.items()
    ]


def _current_ids(ids: TaskIds) -> list[CurrentTaskIds]:
    return [
        CurrentTaskIds(subtopology_id=name, partitions=sorted(some)) for name, some in ids.items()
    ]


def _active_ids(ids: OwnedIds) -> list[CurrentTaskIds]:
    return [
        CurrentTaskIds(
            subtopology_id=name,
            partitions=sorted(since),
            assignment_epochs=[since[partition] for partition in sorted(since)],
        )
        for name, since in ids.items()
    ]


def _group_key(group_id: str) -> bytes:
    return codec.encode_versioned(StreamsGroupMetadataKey(group_id=group_id), GROUP)


def _topology_key(group_id: str) -> bytes:
    return codec.encode_versioned(StreamsGroupTopologyKey(group_id=group_id), TOPOLOGY)


def _target_epoch_key(group_id: str) -> bytes:
    key = StreamsGroupTargetAssignmentMetadataKey(group_id=group_id)
    return codec.encode_versioned(key, TARGET_EPOCH)


def _member_key(group_id: str, member_id: str) -> bytes:
    key = StreamsGroupMemberMetadataKey(group_id=group_id, member_id=member_id)
    return codec.encode_versioned(key, MEMBER)


def _target_key(group_id: str, member_id: str) -> bytes:
    key = StreamsGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id)
    return codec.encode_versioned(key, TARGET_MEMBER)


def _current_key(group_id: str, member_id: str) -> bytes:
    key = StreamsGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id)
    return codec.encode_versioned(key, CURRENT)


# ---- reading


def _group(core: Core, group_id: str) -> StreamsGroup:
    found = _existing(core, group_id)
    if found is None:
        found = StreamsGroup(group_id)
        core.add(found)
    return found


def _existing(core: Core, group_id: str) -> StreamsGroup | None:
    found = core.groups.get(group_id)
    return found if isinstance(found, StreamsGroup) else None


def _member(group: StreamsGroup, member_id: str) -> StreamsMember:
    found = group.members.get(member_id)
    if found is None:
        found = StreamsMember(member_id)
        group.add(found)
    return found


def _replay_group(core: Core, key: Any, value: Any) -> None:
    if value is None:
        if _existing(core, key.group_id) is not None:
            core.drop(key.group_id)
        return
    group = _group(core, key.group_id)
    group.epoch = value.epoch
    group.metadata_hash = value.metadata_hash
    group.validated_epoch = value.validated_topology_epoch
    configs = value.last_assignment_configs or ()
    group.assignment_configs = {each.key: each.value for each in configs}
    group.described_epoch = value.stored_description_topology_epoch
    group.undescribed_epoch = value.failed_description_topology_epoch


def _replay_topology(core: Core, key: Any, value: Any) -> None:
    group = _existing(core, key.group_id) if value is None else _group(core, key.group_id)
    if group is not None:
        group.topology = value


def _replay_member(core: Core, key: Any, value: Any) -> None:
    if value is None:
        group = _existing(core, key.group_id)
        if group is not None:
            group.remove(key.member_id)
        return
    group = _group(core, key.group_id)
    endpoint = value.user_endpoint
    says = Description(
        process_id=value.process_id,
        instance_id=value.instance_id,
        rack_id=value.rack_id,
        client_id=value.client_id,
        client_host=value.client_host,
        rebalance_timeout_ms=value.rebalance_timeout_ms,
        topology_epoch=value.topology_epoch,
        endpoint=None if endpoint is None else (endpoint.host, endpoint.port),
        tags=tuple((each.key, each.value) for each in value.client_tags),
    )
    group.describe(_member(group, key.member_id), says)


def _replay_target_epoch(core: Core, key: Any, value: Any) -> None:
    group = _existing(core, key.group_id) if value is None else _group(core, key.group_id)
    if group is not None:
        group.assignment_epoch = FIRST_EPOCH if value is None else value.assignment_epoch
        group.assigned_at_ms = 0 if value is None else value.assignment_timestamp


def _replay_target(core: Core, key: Any, value: Any) -> None:
    group = _existing(core, key.group_id) if value is None else _group(core, key.group_id)
    if group is None:
        return
    if value is None:
        group.targets.pop(key.member_id, None)
    else:
        group.targets[key.member_id] = Tasks(
            _read(value.active_tasks), _read(value.standby_tasks), _read(value.warmup_tasks)
        )


def _replay_current(core: Core, key: Any, value: Any) -> None:
    group = _existing(core, key.group_id) if value is None else _group(core, key.group_id)
    if group is None or (value is None and key.member_id not in group.members):
        return
    member = _member(group, key.member_id)
    if value is None:
        member.epoch = member.previous_epoch = 0
        member.state = MemberState.STABLE
        group.give(member, nothing(), nothing())
        return
    member.epoch = value.member_epoch
    member.previous_epoch = value.previous_member_epoch
    member.state = _state(value.state)
    group.give(
        member,
        Held(
            _read_active(value.active_tasks, value.member_epoch),
            _read(value.standby_tasks),
            _read(value.warmup_tasks),
        ),
        Held(
            _read_active(value.active_tasks_pending_revocation, value.member_epoch),
            _read(value.standby_tasks_pending_revocation),
            _read(value.warmup_tasks_pending_revocation),
        ),
    )


def _state(code: int) -> MemberState:
    """A later version's unknown state counts as UNRELEASED_TASKS, so it is reconciled."""
    try:
        return MemberState(code)
    except ValueError:
        return MemberState.UNRELEASED_TASKS


def _read(ids: Any) -> TaskIds:
    return {each.subtopology_id: frozenset(each.partitions) for each in ids}


def _read_active(ids: Any, member_epoch: int) -> OwnedIds:
    """Tasks, with the epochs at which they were assigned."""
    return {
        each.subtopology_id: given_at(each.partitions, each.assignment_epochs, member_epoch)
        for each in ids
    }


FORMATS: Final[Mapping[int, Format]] = {
    GROUP: Format(StreamsGroupMetadataKey, StreamsGroupMetadataValue, _replay_group),
    MEMBER: Format(StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue, _replay_member),
    TARGET_EPOCH: Format(
        StreamsGroupTargetAssignmentMetadataKey,
        StreamsGroupTargetAssignmentMetadataValue,
        _replay_target_epoch,
    ),
    TARGET_MEMBER: Format(
        StreamsGroupTargetAssignmentMemberKey,
        StreamsGroupTargetAssignmentMemberValue,
        _replay_target,
    ),
    CURRENT: Format(
        StreamsGroupCurrentMemberAssignmentKey,
        StreamsGroupCurrentMemberAssignmentValue,
        _replay_current,
    ),
    TOPOLOGY: Format(StreamsGroupTopologyKey, StreamsGroupTopologyValue, _replay_topology),
}
"""The records of streams groups by key type."""
