"""Share groups: members, offsets, lags, and offset resets (KIP-932)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from raftka.client.admin.calls import Calls
from raftka.client.admin.coordinated import with_group
from raftka.client.admin.groups import GroupDescription, GroupMember
from raftka.client.admin.outcomes import checked, outcome_of, raise_for
from raftka.client.consumer.group_client import GroupClient
from raftka.client.given import names_in
from raftka.client.metadata import Broker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.net.protocol.messages import alter_share_group_offsets as altering
from raftka.net.protocol.messages import delete_share_group_offsets as deleting
from raftka.net.protocol.messages import share_group_describe as describing
from raftka.net.protocol.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
)

_PROTOCOL: str = "share"


@dataclass(frozen=True, slots=True)
class ShareOffset:
    """A share group's progress in a partition; None for a value that is not known yet."""

    start_offset: int | None
    """The first offset that is not acknowledged."""
    leader_epoch: int
    lag: int | None
    """How many records remain to be acknowledged."""


async def describe_share_groups(
    admin: Calls, group_ids: Iterable[str]
) -> dict[str, GroupDescription]:
    """State and members. Raises SomeFailed, with GROUP_ID_NOT_FOUND for an unknown group."""
    outcomes: dict[str, GroupDescription | KafkaError] = {}
    for group_id in names_in(group_ids, "groups"):
        outcomes[group_id] = await outcome_of(_describe_share_group(admin, group_id))
    return checked(outcomes)


async def list_share_group_offsets(
    admin: Calls, group_id: str
) -> dict[TopicPartition, ShareOffset]:
    """All partitions of a group, with the lag from its coordinator's state. Raises KafkaError.

    Partitions whose state cannot be read are left out.
    """
    request = DescribeShareGroupOffsetsRequest(
        groups=[DescribeShareGroupOffsetsRequestGroup(group_id=group_id, topics=None)]
    )

    async def attempt(group: GroupClient) -> dict[TopicPartition, ShareOffset]:
        answer = (await group.send(await group.channel(), request)).groups[0]
        raise_for(answer.error_code, answer.error_message)
        return {
            TopicPartition(topic.topic_name, each.partition_index): ShareOffset(
                each.start_offset if each.start_offset >= 0 else None,
                each.leader_epoch,
                each.lag if each.lag >= 0 else None,
            )
            for topic in answer.topics
            for each in topic.partitions
            if not each.error_code
        }

    return await with_group(admin, group_id, attempt)


async def alter_share_group_offsets(
    admin: Calls, group_id: str, offsets: Mapping[TopicPartition, int]
) -> None:
    """Set the start offsets of a group without members. Raises SomeFailed."""
    topics: dict[str, altering.AlterShareGroupOffsetsRequestTopic] = {}
    for target, offset in offsets.items():
        topic = topics.setdefault(
            target.topic, altering.AlterShareGroupOffsetsRequestTopic(topic_name=target.topic)
        )
        topic.partitions.append(
            altering.AlterShareGroupOffsetsRequestPartition(
                partition_index=target.partition, start_offset=offset
            )
        )
    request = altering.AlterShareGroupOffsetsRequest(
        group_id=group_id, topics=list(topics.values())
    )

    async def attempt(group: GroupClient) -> dict[TopicPartition, KafkaError | None]:
        answer = await group.send(await group.channel(), request)
        raise_for(answer.error_code, answer.error_message)
        return {
            TopicPartition(topic.topic_name, each.partition_index): _error(each)
            for topic in answer.responses
            for each in topic.partitions
        }

    checked(await with_group(admin, group_id, attempt))


async def delete_share_group_offsets(
    admin: Calls, group_id: str, topics: Iterable[str]
) -> dict[str, KafkaError | None]:
    """Delete the offsets of topics of a group without members; returns each outcome. Raises
    KafkaError.
    """
    request = deleting.DeleteShareGroupOffsetsRequest(
        group_id=group_id,
        topics=[
            deleting.DeleteShareGroupOffsetsRequestTopic(topic_name=name)
            for name in names_in(topics, "topics")
        ],
    )

    async def attempt(group: GroupClient) -> dict[str, KafkaError | None]:
        answer = await group.send(await group.channel(), request)
        raise_for(answer.error_code, answer.error_message)
        return {each.topic_name: _error(each) for each in answer.responses}

    return await with_group(admin, group_id, attempt)


async def _describe_share_group(admin: Calls, group_id: str) -> GroupDescription:
    request = describing.ShareGroupDescribeRequest(group_ids=[group_id])

    async def attempt(group: GroupClient) -> GroupDescription:
        answer = (await group.send(await group.channel(), request)).groups[0]
        raise_for(answer.error_code, answer.error_message)
        assert group.coordinator.broker is not None
        return _described(answer, group.coordinator.broker)

    return await with_group(admin, group_id, attempt)


def _error(
    answer: altering.AlterShareGroupOffsetsResponsePartition
    | deleting.DeleteShareGroupOffsetsResponseTopic,
) -> KafkaError | None:
    if not answer.error_code:
        return None
    code = ErrorCode(answer.error_code)
    return KafkaError(code, answer.error_message or code.name)


def _described(answer: describing.DescribedGroup, at: Broker) -> GroupDescription:
    return GroupDescription(
        answer.group_id,
        answer.group_state,
        _PROTOCOL,
        answer.assignor_name,
        tuple(
            GroupMember(
                member.member_id,
                None,
                member.client_id,
                member.client_host,
                tuple(
                    sorted(
                        TopicPartition(topic.topic_name, index)
                        for topic in member.assignment.topic_partitions
                        for index in topic.partitions
                    )
                ),
                member.member_epoch,
                rack=member.rack_id,
            )
            for member in answer.members
        ),
        at,
        answer.group_epoch,
        answer.assignment_epoch,
    )
