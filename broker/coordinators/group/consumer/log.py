"""The records of a consumer group in __consumer_offsets, in Apache Kafka's formats.

| key type | content |
|---|---|
| 3 | the group exists; its epoch and the hash of its topics |
| 5 | a member: the metadata that it sends |
| 7 | a member's target assignment |
| 6 | the group epoch that the target is for, written after all records of type 7 |
| 8 | a member: its epoch, the partitions that it owns and those that it must revoke |
| 16 | the topics that match a regular expression |

Key type 4, the partition counts of topics, was written before Kafka 4.1 (KIP-1101) and is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from raftka.broker.coordinators.group.consumer.group import (
    ClassicMetadata,
    ConsumerGroup,
    Member,
    MemberState,
    Owned,
    Partitions,
    ResolvedRegex,
    Subscription,
)
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.kinds import Format, forget
from raftka.broker.coordinators.group.records import given_at
from raftka.broker.coordinators.outbox import Record
from raftka.net.protocol import codec
from raftka.net.protocol.message import Message
from raftka.net.protocol.messages.consumer_group_current_member_assignment_key import (
    ConsumerGroupCurrentMemberAssignmentKey as CurrentKey,
)
from raftka.net.protocol.messages.consumer_group_current_member_assignment_value import (
    ConsumerGroupCurrentMemberAssignmentValue as CurrentValue,
)
from raftka.net.protocol.messages.consumer_group_current_member_assignment_value import (
    TopicPartitions,
)
from raftka.net.protocol.messages.consumer_group_member_metadata_key import (
    ConsumerGroupMemberMetadataKey as MemberKey,
)
from raftka.net.protocol.messages.consumer_group_member_metadata_value import (
    ClassicMemberMetadata,
    ClassicProtocol,
)
from raftka.net.protocol.messages.consumer_group_member_metadata_value import (
    ConsumerGroupMemberMetadataValue as MemberValue,
)
from raftka.net.protocol.messages.consumer_group_metadata_key import (
    ConsumerGroupMetadataKey as GroupKey,
)
from raftka.net.protocol.messages.consumer_group_metadata_value import (
    ConsumerGroupMetadataValue as GroupValue,
)
from raftka.net.protocol.messages.consumer_group_regular_expression_key import (
    ConsumerGroupRegularExpressionKey as RegexKey,
)
from raftka.net.protocol.messages.consumer_group_regular_expression_value import (
    ConsumerGroupRegularExpressionValue as RegexValue,
)
from raftka.net.protocol.messages.consumer_group_target_assignment_member_key import (
    ConsumerGroupTargetAssignmentMemberKey as TargetKey,
)
from raftka.net.protocol.messages.consumer_group_target_assignment_member_value import (
    ConsumerGroupTargetAssignmentMemberValue as TargetValue,
)
from raftka.net.protocol.messages.consumer_group_target_assignment_member_value import (
    TopicPartition,
)
from raftka.net.protocol.messages.consumer_group_target_assignment_metadata_key import (
    ConsumerGroupTargetAssignmentMetadataKey as TargetEpochKey,
)
from raftka.net.protocol.messages.consumer_group_target_assignment_metadata_value import (
    ConsumerGroupTargetAssignmentMetadataValue as TargetEpochValue,
)

GROUP, MEMBER, TARGET_EPOCH, TARGET, CURRENT, REGEX = 3, 5, 6, 7, 8, 16
_VERSION = 0


# ---- writing


def _record(key_type: int, key: Message, value: Message | None) -> Record:
    written = None if value is None else codec.encode_versioned(value, _VERSION)
    return codec.encode_versioned(key, key_type), written


def write_group(core: Core, group: ConsumerGroup) -> None:
    """Write the group's epoch."""
    value = GroupValue(epoch=group.epoch, metadata_hash=group.metadata_hash)
    core.outbox.records.append(_record(GROUP, GroupKey(group_id=group.group_id), value))


def write_member(core: Core, group: ConsumerGroup, member: Member) -> None:
    """Write a member's own metadata."""
    core.outbox.records.append(member_record(group.group_id, member.member_id, member.says))


def member_record(group_id: str, member_id: str, says: Subscription) -> Record:
    """The record that `write_member` writes."""
    classic = says.classic
    value = MemberValue(
        instance_id=says.instance_id,
        rack_id=says.rack_id,
        client_id=says.client_id,
        client_host=says.client_host,
        subscribed_topic_names=list(says.topics),
        subscribed_topic_regex=says.regex,
        rebalance_timeout_ms=says.rebalance_timeout_ms,
        server_assignor=says.assignor,
        classic_member_metadata=None
        if classic is None
        else ClassicMemberMetadata(
            session_timeout_ms=classic.session_timeout_ms,
            supported_protocols=[
                ClassicProtocol(name=name, metadata=data) for name, data in classic.protocols
            ],
        ),
    )
    return _record(MEMBER, MemberKey(group_id=group_id, member_id=member_id), value)


def write_target(core: Core, group: ConsumerGroup, member_id: str) -> None:
    """Write a member's target assignment."""
    share = group.targets.get(member_id, {})
    core.outbox.records.append(target_record(group.group_id, member_id, share))


def target_record(group_id: str, member_id: str, share: Partitions) -> Record:
    """The record of a member's target assignment."""
    value = TargetValue(
        topic_partitions=[
            TopicPartition(topic_id=topic_id, partitions=sorted(indexes))
            for topic_id, indexes in sorted(share.items())
        ]
    )
    return _record(TARGET, TargetKey(group_id=group_id, member_id=member_id), value)


def write_target_epoch(core: Core, group: ConsumerGroup) -> None:
    """Write the epoch that the target is for."""
    value = TargetEpochValue(
        assignment_epoch=group.assignment_epoch, assignment_timestamp=group.assigned_at_ms
    )
    key = TargetEpochKey(group_id=group.group_id)
    core.outbox.records.append(_record(TARGET_EPOCH, key, value))


def write_current(core: Core, group: ConsumerGroup, member: Member) -> None:
    """Write a member's epoch, the partitions that it owns and those that it must revoke."""
    value = CurrentValue(
        member_epoch=member.epoch,
        previous_member_epoch=member.previous_epoch,
        state=int(member.state),
        assigned_partitions=_written(member.assigned),
        partitions_pending_revocation=_written(member.revoking),
    )
    key = CurrentKey(group_id=group.group_id, member_id=member.member_id)
    core.outbox.records.append(_record(CURRENT, key, value))


def _written(owned: Owned) -> list[TopicPartitions]:
    return [
        TopicPartitions(
            topic_id=topic_id,
            partitions=sorted(indexes),
            assignment_epochs=[indexes[index] for index in sorted(indexes)],
        )
        for topic_id, indexes in sorted(owned.items())
    ]


def write_regex(core: Core, group: ConsumerGroup, regex: str) -> None:
    """Write the topics of a regular expression; a tombstone if no member uses it any longer."""
    resolved = group.regexes.get(regex)
    value = None
    if resolved is not None:
        value = RegexValue(
            topics=sorted(resolved.topics),
            version=resolved.version,
            timestamp=resolved.timestamp_ms,
        )
    key = RegexKey(group_id=group.group_id, regular_expression=regex)
    core.outbox.records.append(_record(REGEX, key, value))


def write_member_gone(core: Core, group: ConsumerGroup, member_id: str) -> None:
    core.outbox.records.extend(_member_tombstones(group.group_id, member_id))


def _member_tombstones(group_id: str, member_id: str) -> Iterator[Record]:
    yield _record(CURRENT, CurrentKey(group_id=group_id, member_id=member_id), None)
    yield _record(TARGET, TargetKey(group_id=group_id, member_id=member_id), None)
    yield _record(MEMBER, MemberKey(group_id=group_id, member_id=member_id), None)


def tombstones(group: ConsumerGroup) -> Iterator[Record]:
    """The records that delete a group from the log; the group's own record comes last."""
    group_id = group.group_id
    for member_id in group.members:
        yield from _member_tombstones(group_id, member_id)
    for regex in group.regexes:
        yield _record(REGEX, RegexKey(group_id=group_id, regular_expression=regex), None)
    yield _record(TARGET_EPOCH, TargetEpochKey(group_id=group_id), None)
    yield _record(GROUP, GroupKey(group_id=group_id), None)


# ---- reading


def _group_of(core: Core, group_id: str) -> ConsumerGroup:
    """The group that a record belongs to.

    If there is a classic group of that name, even one that only held offsets, it was converted.
    """
    found = core.groups.get(group_id)
    if isinstance(found, ConsumerGroup):
        return found
    group = ConsumerGroup(group_id)
    core.add(group)
    return group


def _member_of(core: Core, group_id: str, member_id: str) -> tuple[ConsumerGroup, Member]:
    group = _group_of(core, group_id)
    member = group.members.get(member_id)
    if member is None:
        member = Member(member_id)
        group.add(member)
    return group, member


def _existing(core: Core, group_id: str) -> ConsumerGroup | None:
    """The group of a tombstone; None if compaction has removed the group's other records."""
    found = core.groups.get(group_id)
    return found if isinstance(found, ConsumerGroup) else None


def _replay_group(core: Core, key: GroupKey, value: GroupValue | None) -> None:
    if value is None:
        if _existing(core, key.group_id) is not None:
            forget(core, key.group_id)
        return
    group = _group_of(core, key.group_id)
    group.epoch, group.metadata_hash = value.epoch, value.metadata_hash


def _replay_member(core: Core, key: MemberKey, value: MemberValue | None) -> None:
    if value is None:
        group = _existing(core, key.group_id)
        if group is not None:
            group.remove(key.member_id)
        return
    group, member = _member_of(core, key.group_id, key.member_id)
    said = value.classic_member_metadata
    group.subscribe(
        member,
        Subscription(
            value.instance_id,
            value.rack_id,
            value.client_id,
            value.client_host,
            tuple(value.subscribed_topic_names),
            value.subscribed_topic_regex or None,
            value.rebalance_timeout_ms,
            value.server_assignor,
            None
            if said is None
            else ClassicMetadata(
                said.session_timeout_ms,
                tuple((each.name, bytes(each.metadata)) for each in said.supported_protocols),
            ),
        ),
    )


def _replay_target_epoch(core: Core, key: TargetEpochKey, value: TargetEpochValue | None) -> None:
    group = _existing(core, key.group_id) if value is None else _group_of(core, key.group_id)
    if group is not None:
        group.assignment_epoch = 0 if value is None else value.assignment_epoch
        group.assigned_at_ms = 0 if value is None else value.assignment_timestamp


def _replay_target(core: Core, key: TargetKey, value: TargetValue | None) -> None:
    group = _existing(core, key.group_id) if value is None else _group_of(core, key.group_id)
    if group is None:
        return
    if value is None:
        group.targets.pop(key.member_id, None)
        return
    share: Partitions = {
        each.topic_id: frozenset(each.partitions) for each in value.topic_partitions
    }
    group.targets[key.member_id] = share


def _replay_current(core: Core, key: CurrentKey, value: CurrentValue | None) -> None:
    if value is None:
        group = _existing(core, key.group_id)
        member = None if group is None else group.members.get(key.member_id)
        if group is not None and member is not None:
            group.give(member, {}, {})
            member.epoch = member.previous_epoch = 0
            member.state = MemberState.STABLE
        return
    group, member = _member_of(core, key.group_id, key.member_id)
    member.epoch, member.previous_epoch = value.member_epoch, value.previous_member_epoch
    known = value.state in tuple(MemberState)
    # A newer broker may write other states: the member is reconciled from its epoch.
    member.state = MemberState(value.state) if known else MemberState.UNRELEASED_PARTITIONS
    group.give(
        member,
        _read(value.assigned_partitions, value.member_epoch),
        _read(value.partitions_pending_revocation, value.member_epoch),
    )


def _read(written: Sequence[TopicPartitions], epoch: int) -> Owned:
    """Partitions, with the epochs at which they were assigned."""
    return {
        topic.topic_id: given_at(topic.partitions, topic.assignment_epochs, epoch)
        for topic in written
    }


def _replay_regex(core: Core, key: RegexKey, value: RegexValue | None) -> None:
    group = _existing(core, key.group_id) if value is None else _group_of(core, key.group_id)
    if group is not None:
        resolved = None
        if value is not None:
            resolved = ResolvedRegex(frozenset(value.topics), value.version, value.timestamp)
        group.resolve(key.regular_expression, resolved)


FORMATS = {
    GROUP: Format(GroupKey, GroupValue, _replay_group),
    MEMBER: Format(MemberKey, MemberValue, _replay_member),
    TARGET_EPOCH: Format(TargetEpochKey, TargetEpochValue, _replay_target_epoch),
    TARGET: Format(TargetKey, TargetValue, _replay_target),
    CURRENT: Format(CurrentKey, CurrentValue, _replay_current),
    REGEX: Format(RegexKey, RegexValue, _replay_regex),
}
