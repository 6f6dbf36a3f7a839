"""Phrases of `raftka groups why` for groups, members and partitions. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from raftka.client.admin import (
    GroupDescription,
    GroupMember,
    StreamsGroupDescription,
    StreamsGroupMember,
)
from raftka.client.consumer.group_messages import by_topic
from raftka.model.ids import TopicPartition


def standing(group: GroupDescription | StreamsGroupDescription) -> str:
    """The state of a group, its number of members, and its epoch if it has one."""
    members = len(group.members)
    epoch = "" if group.epoch is None else f", in epoch {group.epoch}"
    return f"{group.group_id} is {group.state}: {members} member{'s' * (members != 1)}{epoch}."


def name(member: GroupMember | StreamsGroupMember) -> str:
    """A member by id, client id and host."""
    return member.instance_id or f"{member.member_id} ({member.client_id}{member.host})"


def names(targets: Sequence[TopicPartition]) -> str:
    """Partitions, by topic."""
    return ", ".join(
        f"{topic}-{','.join(map(str, indexes))}" for topic, indexes in by_topic(targets).items()
    )
