"""The answers to ConsumerGroupDescribe (KIP-848, KIP-1099)."""

from __future__ import annotations

from raftka.broker.coordinators.group.any_group import GroupType, not_found
from raftka.broker.coordinators.group.consumer.group import (
    NOTHING,
    ConsumerGroup,
    Member,
    Partitions,
    as_partitions,
)
from raftka.broker.coordinators.group.consumer.target import assignor_of
from raftka.broker.coordinators.group.core import Core
from raftka.net.protocol.messages import consumer_group_describe as messages

_CLASSIC_MEMBER, _CONSUMER_MEMBER = 0, 1


def describe(core: Core, group_id: str) -> messages.DescribedGroup:
    """Describe a consumer group. Raises KafkaError GROUP_ID_NOT_FOUND."""
    group = core.groups.get(group_id)
    if not isinstance(group, ConsumerGroup):
        raise not_found(group_id, group, GroupType.CONSUMER)
    return messages.DescribedGroup(
        group_id=group_id,
        group_state=group.state_name,
        group_epoch=group.epoch,
        assignment_epoch=group.assignment_epoch,
        assignor_name=assignor_of(core, group),
        members=[_member(core, group, member) for member in group.members.values()],
    )


def _member(core: Core, group: ConsumerGroup, member: Member) -> messages.Member:
    says = member.says
    return messages.Member(
        member_id=member.member_id,
        instance_id=says.instance_id,
        rack_id=says.rack_id,
        member_epoch=member.epoch,
        client_id=says.client_id,
        client_host=says.client_host,
        subscribed_topic_names=list(says.topics),
        subscribed_topic_regex=says.regex,
        assignment=_assignment(core, as_partitions(member.assigned)),
        target_assignment=_assignment(core, group.targets.get(member.member_id, NOTHING)),
        member_type=_CONSUMER_MEMBER if says.classic is None else _CLASSIC_MEMBER,
    )


def _assignment(core: Core, partitions: Partitions) -> messages.Assignment:
    """Partitions with the names of their topics; deleted topics are left out."""
    names = core.image.topic_names
    return messages.Assignment(
        topic_partitions=[
            messages.TopicPartitions(
                topic_id=topic_id, topic_name=names[topic_id], partitions=sorted(indexes)
            )
            for topic_id, indexes in partitions.items()
            if topic_id in names
        ]
    )
