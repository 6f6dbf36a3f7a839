"""Groups that change their protocol while they have members (KIP-848, "Migration").

A classic group becomes a consumer group when the first member of the consumer protocol joins, and a
classic group again when the last one has left: an application is upgraded or downgraded process by
process, without downtime. group.consumer.migration.policy sets which direction is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable

from raftka.broker.coordinators.group import classic_log, kinds, rebalance
from raftka.broker.coordinators.group.any_group import GroupType, not_found
from raftka.broker.coordinators.group.consumer import log as written
from raftka.broker.coordinators.group.consumer.group import (
    ClassicMetadata,
    ConsumerGroup,
    Member,
    Owned,
    Partitions,
    Subscription,
    as_partitions,
)
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.group import CONSUMER_PROTOCOL_TYPE, Group, GroupState
from raftka.broker.coordinators.group.group import Member as ClassicMember
from raftka.broker.coordinators.timers import Moment
from raftka.kraft.image import MetadataImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.net.protocol import codec
from raftka.net.protocol.messages import consumer_protocol_assignment as assignment
from raftka.net.protocol.messages.consumer_protocol_assignment import ConsumerProtocolAssignment
from raftka.net.protocol.messages.consumer_protocol_subscription import (
    ConsumerProtocolSubscription,
    TopicPartition,
)

log = get_logger(__name__)

_ASSIGNMENT_VERSION = 0
"""Every client reads this version."""


def read_subscription(metadata: bytes) -> ConsumerProtocolSubscription:
    """The subscription and owned partitions of a classic-protocol member.

    Raises KafkaError INCONSISTENT_GROUP_PROTOCOL if its metadata is not a consumer's.
    """
    try:
        return codec.decode_versioned(ConsumerProtocolSubscription, metadata, newest=True)
    except codec.MalformedMessage as error:
        raise KafkaError(
            ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
            f"the subscription of a member is not a consumer's: {error}",
        ) from error


def owned_of(image: MetadataImage, told: Iterable[TopicPartition]) -> Partitions:
    """The partitions that a classic member reports as owned, by topic id."""
    topics = image.topics
    return {
        topics[each.topic].topic_id: frozenset(each.partitions)
        for each in told
        if each.topic in topics
    }


def assignment_bytes(image: MetadataImage, owned: Owned) -> bytes:
    """Partitions as SyncGroup encodes them for a classic member."""
    names = image.topic_names
    message = ConsumerProtocolAssignment(
        assigned_partitions=[
            assignment.TopicPartition(topic=names[topic_id], partitions=sorted(indexes))
            for topic_id, indexes in owned.items()
            if topic_id in names
        ]
    )
    return codec.encode_versioned(message, _ASSIGNMENT_VERSION)


# ---- upgrade


def upgraded(core: Core, classic: Group) -> ConsumerGroup:
    """The consumer group that a classic group would become; nothing is changed yet.

    Raises KafkaError GROUP_ID_NOT_FOUND, as Kafka does, if the group cannot be upgraded.
    """
    policy = core.config.consumer.migration_policy
    refusal = not_found(classic.group_id, classic, GroupType.CONSUMER)
    if not (policy.upgrades and classic.is_consumer_group):
        raise refusal
    group = ConsumerGroup(classic.group_id)
    group.epoch = group.assignment_epoch = classic.generation_id
    try:
        for member in classic.members.values():
            _take_over(core, group, classic, member)
    except (KafkaError, codec.MalformedMessage) as error:
        raise refusal from error
    return group


def _take_over(core: Core, group: ConsumerGroup, classic: Group, old: ClassicMember) -> None:
    name = classic.protocol_name or old.protocols[0][0]
    said = read_subscription(old.metadata(name) or old.protocols[0][1])
    member = Member(
        old.member_id,
        Subscription(
            old.instance_id,
            said.rack_id,
            old.client_id,
            old.client_host,
            tuple(sorted(set(said.topics))),
            None,
            old.rebalance_timeout_ms,
            None,
            ClassicMetadata(old.session_timeout_ms, old.protocols),
        ),
        epoch=classic.generation_id,
        previous_epoch=classic.generation_id,
    )
    assigned: Owned = {}
    if old.assignment:
        decoded = codec.decode_versioned(ConsumerProtocolAssignment, old.assignment, newest=True)
        for each in decoded.assigned_partitions:
            topic = core.image.topics.get(each.topic)
            if topic is not None:
                assigned[topic.topic_id] = dict.fromkeys(each.partitions, classic.generation_id)
    group.add(member)
    group.give(member, assigned, {})
    group.targets[member.member_id] = as_partitions(assigned)


def begin(core: Core, classic: Group, group: ConsumerGroup) -> None:
    """Replace the classic group with the consumer group, and write it."""
    again = KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
    for member in classic.members.values():
        core.outbox.answer(classic.take_join_ticket(member), again)
        core.outbox.answer(member.sync_ticket, again)
        member.sync_ticket = None
    kinds.bury(core, classic)
    core.add(group)
    written.write_group(core, group)
    for each in group.members.values():
        written.write_member(core, group, each)
        written.write_target(core, group, each.member_id)
    written.write_target_epoch(core, group)
    for each in group.members.values():
        written.write_current(core, group, each)
    log.info(f"group {group.group_id} speaks the consumer protocol from epoch {group.epoch} on")


# ---- downgrade


def may_go_back(core: Core, group: ConsumerGroup) -> bool:
    """Whether only classic-protocol members are left, and the policy allows a downgrade."""
    return (
        bool(group.members)
        and all(each.says.classic is not None for each in group.members.values())
        and core.config.consumer.migration_policy.downgrades
        and len(group.members) <= core.config.max_size
    )


def go_back(core: Core, group: ConsumerGroup, now: Moment) -> Group:
    """Replace the consumer group with a classic group: Stable, with its epoch as the generation."""
    image = core.image
    kinds.bury(core, group)
    classic = Group(group.group_id)
    for member in group.members.values():
        says, spoken = member.says, member.says.classic
        assert spoken is not None
        classic.add(
            ClassicMember(
                member_id=member.member_id,
                instance_id=says.instance_id,
                client_id=says.client_id,
                client_host=says.client_host,
                rebalance_timeout_ms=says.rebalance_timeout_ms,
                session_timeout_ms=spoken.session_timeout_ms,
                protocols=spoken.protocols,
                assignment=assignment_bytes(image, member.assigned),
            ),
            CONSUMER_PROTOCOL_TYPE,
        )
    classic.generation_id = group.epoch
    classic.protocol_name = classic.select_protocol()
    classic.transition(GroupState.STABLE, now.wall_ms)
    classic.refresh_subscriptions()
    core.add(classic)
    classic_log.persist(core, classic)
    for each in classic.members.values():
        rebalance.keep_alive(core, classic, each, now)
    log.info(f"group {group.group_id} speaks the classic protocol from generation {group.epoch} on")
    return classic
