"""A share group's records in __consumer_offsets, written and read as Apache Kafka does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.kinds import Format
from raftka.broker.coordinators.group.share.group import (
    Assignment,
    ShareGroup,
    ShareMember,
    TopicState,
)
from raftka.broker.coordinators.outbox import Record
from raftka.net.protocol import codec
from raftka.net.protocol.messages.share_group_current_member_assignment_key import (
    ShareGroupCurrentMemberAssignmentKey,
)
from raftka.net.protocol.messages.share_group_current_member_assignment_value import (
    ShareGroupCurrentMemberAssignmentValue,
    TopicPartitions,
)
from raftka.net.protocol.messages.share_group_member_metadata_key import (
    ShareGroupMemberMetadataKey,
)
from raftka.net.protocol.messages.share_group_member_metadata_value import (
    ShareGroupMemberMetadataValue,
)
from raftka.net.protocol.messages.share_group_metadata_key import ShareGroupMetadataKey
from raftka.net.protocol.messages.share_group_metadata_value import ShareGroupMetadataValue
from raftka.net.protocol.messages.share_group_state_partition_metadata_key import (
    ShareGroupStatePartitionMetadataKey,
)
from raftka.net.protocol.messages.share_group_state_partition_metadata_value import (
    ShareGroupStatePartitionMetadataValue,
    TopicInfo,
    TopicPartitionsInfo,
)
from raftka.net.protocol.messages.share_group_target_assignment_member_key import (
    ShareGroupTargetAssignmentMemberKey,
)
from raftka.net.protocol.messages.share_group_target_assignment_member_value import (
    ShareGroupTargetAssignmentMemberValue,
    TopicPartition,
)
from raftka.net.protocol.messages.share_group_target_assignment_metadata_key import (
    ShareGroupTargetAssignmentMetadataKey,
)
from raftka.net.protocol.messages.share_group_target_assignment_metadata_value import (
    ShareGroupTargetAssignmentMetadataValue,
)

MEMBER: Final = 10
GROUP: Final = 11
TARGET_EPOCH: Final = 12
TARGET_MEMBER: Final = 13
CURRENT: Final = 14
STATES: Final = 15
_STABLE: Final = 0
"""The only state of a member, as Kafka numbers it."""

CurrentValue = ShareGroupCurrentMemberAssignmentValue
StatesValue = ShareGroupStatePartitionMetadataValue
TargetValue = ShareGroupTargetAssignmentMemberValue


# ---- writing


def group_record(group: ShareGroup) -> Record:
    """The group's epoch."""
    key = codec.encode_versioned(ShareGroupMetadataKey(group_id=group.group_id), GROUP)
    return key, codec.encode_versioned(ShareGroupMetadataValue(epoch=group.epoch), 0)


def member_record(group: ShareGroup, member: ShareMember) -> Record:
    """A member's metadata."""
    value = ShareGroupMemberMetadataValue(
        rack_id=member.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topics),
    )
    return _member_key(group.group_id, member.member_id), codec.encode_versioned(value, 0)


def target_epoch_record(group: ShareGroup, now_ms: int) -> Record:
    """The group epoch for which the target was computed."""
    value = ShareGroupTargetAssignmentMetadataValue(
        assignment_epoch=group.assignment_epoch, assignment_timestamp=now_ms
    )
    return _target_epoch_key(group.group_id), codec.encode_versioned(value, 0)


def target_record(group: ShareGroup, member_id: str, target: Assignment) -> Record:
    """A member's target assignment."""
    value = TargetValue(
        topic_partitions=[
            TopicPartition(topic_id=topic_id, partitions=sorted(some))
            for topic_id, some in target.items()
        ]
    )
    return _target_key(group.group_id, member_id), codec.encode_versioned(value, 0)


def current_record(group: ShareGroup, member: ShareMember) -> Record:
    """A member's current assignment."""
    value = CurrentValue(
        member_epoch=member.epoch,
        previous_member_epoch=member.previous_epoch,
        state=_STABLE,
        assigned_partitions=[
            TopicPartitions(topic_id=topic_id, partitions=sorted(some))
            for topic_id, some in member.assigned.items()
        ],
    )
    return _current_key(group.group_id, member.member_id), codec.encode_versioned(value, 0)


def states_record(group: ShareGroup) -> Record:
    """The initialization state of its partitions."""
    value = StatesValue(
        initializing_topics=list(_written(group.initializing)),
        initialized_topics=list(_written(group.initialized)),
        deleting_topics=[
            TopicInfo(topic_id=topic_id, topic_name=name)
            for topic_id, name in group.deleting.items()
        ],
    )
    return _states_key(group.group_id), codec.encode_versioned(value, 0)


def _written(found: Mapping[bytes, TopicState]) -> Iterator[TopicPartitionsInfo]:
    for topic_id, state in found.items():
        yield TopicPartitionsInfo(
            topic_id=topic_id, topic_name=state.name, partitions=sorted(state.partitions)
        )


def member_tombstones(group_id: str, member_id: str) -> Iterator[Record]:
    """The tombstones of a member, in the order in which Kafka reads them."""
    yield _current_key(group_id, member_id), None
    yield _target_key(group_id, member_id), None
    yield _member_key(group_id, member_id), None


def tombstones(group: ShareGroup) -> Iterator[Record]:
    """The tombstones of a group."""
    for member_id in group.members:
        yield from member_tombstones(group.group_id, member_id)
    yield _target_epoch_key(group.group_id), None
    yield _states_key(group.group_id), None
    yield codec.encode_versioned(ShareGroupMetadataKey(group_id=group.group_id), GROUP), None


def _member_key(group_id: str, member_id: str) -> bytes:
    key = ShareGroupMemberMetadataKey(group_id=group_id, member_id=member_id)
    return codec.encode_versioned(key, MEMBER)


def _target_key(group_id: str, member_id: str) -> bytes:
    key = ShareGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id)
    return codec.encode_versioned(key, TARGET_MEMBER)


def _current_key(group_id: str, member_id: str) -> bytes:
    key = ShareGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id)
    return codec.encode_versioned(key, CURRENT)


def _target_epoch_key(group_id: str) -> bytes:
    key = ShareGroupTargetAssignmentMetadataKey(group_id=group_id)
    return codec.encode_versioned(key, TARGET_EPOCH)


def _states_key(group_id: str) -> bytes:
    return codec.encode_versioned(ShareGroupStatePartitionMetadataKey(group_id=group_id), STATES)


# ---- reading


def _group(core: Core, group_id: str) -> ShareGroup:
    found = core.groups.get(group_id)
    if not isinstance(found, ShareGroup):
        found = ShareGroup(group_id)
        core.add(found)
    return found


def _existing(core: Core, group_id: str) -> ShareGroup | None:
    found = core.groups.get(group_id)
    return found if isinstance(found, ShareGroup) else None


def _member(group: ShareGroup, member_id: str) -> ShareMember:
    return group.members.setdefault(member_id, ShareMember(member_id))


def _replay_member(core: Core, key: Any, value: Any) -> None:
    if value is None:
        group = _existing(core, key.group_id)
        if group is not None:
            group.members.pop(key.member_id, None)
            group.target.pop(key.member_id, None)
        return
    member = _member(_group(core, key.group_id), key.member_id)
    member.rack_id, member.client_id = value.rack_id, value.client_id
    member.client_host = value.client_host
    member.topics = frozenset(value.subscribed_topic_names)


def _replay_group(core: Core, key: Any, value: Any) -> None:
    if value is None:
        if _existing(core, key.group_id) is not None:
            core.drop(key.group_id)
    else:
        _group(core, key.group_id).epoch = value.epoch


def _replay_target_epoch(core: Core, key: Any, value: Any) -> None:
    group = _existing(core, key.group_id) if value is None else _group(core, key.group_id)
    if group is not None:
        group.assignment_epoch = 0 if value is None else value.assignment_epoch


def _replay_target(core: Core, key: Any, value: Any) -> None:
    group = _existing(core, key.group_id) if value is None else _group(core, key.group_id)
    if group is None:
        return
    if value is None:
        group.target.pop(key.member_id, None)
    else:
        group.target[key.member_id] = _assignment(value.topic_partitions)


def _replay_current(core: Core, key: Any, value: Any) -> None:
    group = _existing(core, key.group_id) if value is None else _group(core, key.group_id)
    if group is None or (value is None and key.member_id not in group.members):
        return
    member = _member(group, key.member_id)
    member.epoch = 0 if value is None else value.member_epoch
    member.previous_epoch = 0 if value is None else value.previous_member_epoch
    member.assigned = {} if value is None else _assignment(value.assigned_partitions)


def _replay_states(core: Core, key: Any, value: Any) -> None:
    group = _existing(core, key.group_id) if value is None else _group(core, key.group_id)
    if group is None:
        return
    group.initializing = {} if value is None else _read(value.initializing_topics)
    group.initialized = {} if value is None else _read(value.initialized_topics)
    group.deleting = (
        {}
        if value is None
        else {bytes(each.topic_id): each.topic_name for each in value.deleting_topics}
    )


def _assignment(written: Iterable[Any]) -> Assignment:
    return {bytes(each.topic_id): frozenset(each.partitions) for each in written}


def _read(written: Iterable[Any]) -> dict[bytes, TopicState]:
    return {
        bytes(each.topic_id): TopicState(each.topic_name, frozenset(each.partitions))
        for each in written
    }


FORMATS: Final[Mapping[int, Format]] = {
    MEMBER: Format(ShareGroupMemberMetadataKey, ShareGroupMemberMetadataValue, _replay_member),
    GROUP: Format(ShareGroupMetadataKey, ShareGroupMetadataValue, _replay_group),
    TARGET_EPOCH: Format(
        ShareGroupTargetAssignmentMetadataKey,
        ShareGroupTargetAssignmentMetadataValue,
        _replay_target_epoch,
    ),
    TARGET_MEMBER: Format(ShareGroupTargetAssignmentMemberKey, TargetValue, _replay_target),
    CURRENT: Format(ShareGroupCurrentMemberAssignmentKey, CurrentValue, _replay_current),
    STATES: Format(ShareGroupStatePartitionMetadataKey, StatesValue, _replay_states),
}
"""The records of share groups by key type."""
