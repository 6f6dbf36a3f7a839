"""Groups: members, committed offsets, deletion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from raftka.client.admin.calls import Calls
from raftka.client.admin.coordinated import with_group
from raftka.client.admin.outcomes import checked, error_of, outcome_of, raise_for
from raftka.client.consumer.group_client import GroupClient
from raftka.client.consumer.group_messages import PROTOCOL_TYPE, decode_assignment
from raftka.client.given import names_in
from raftka.client.group_offsets import OffsetAndMetadata
from raftka.client.metadata import Broker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import Buffer
from raftka.net.protocol.codec import MalformedMessage
from raftka.net.protocol.messages import consumer_group_describe
from raftka.net.protocol.messages.consumer_group_describe import (
    Assignment,
    ConsumerGroupDescribeRequest,
)
from raftka.net.protocol.messages.delete_groups import DeleteGroupsRequest
from raftka.net.protocol.messages.describe_groups import DescribedGroup, DescribeGroupsRequest
from raftka.net.protocol.messages.leave_group import LeaveGroupRequest, MemberIdentity
from raftka.net.protocol.messages.list_groups import ListGroupsRequest
from raftka.net.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)

T = TypeVar("T")

_CLASSIC_MEMBER = 0
"""The MemberType of a member that speaks the classic protocol."""

_DEAD = "Dead"
"""The state of an unknown group in answers before version 6 of DescribeGroups."""


@dataclass(frozen=True, slots=True)
class GroupListing:
    """A group; `state` and `type` are empty when the broker does not report them."""

    group_id: str
    protocol_type: str
    state: str
    type: str


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member and its assignment; only a static member has an `instance_id`. The other fields
    exist in groups of the consumer protocol (KIP-848).
    """

    member_id: str
    instance_id: str | None
    client_id: str
    host: str
    assignment: tuple[TopicPartition, ...]
    epoch: int | None = None
    target: tuple[TopicPartition, ...] | None = None
    """Its target: the assignment that it will have once the group is stable."""
    speaks_classic: bool = False
    """Whether it still speaks the classic protocol (KIP-1099)."""
    rack: str | None = None
    awaited: bool = False
    """Whether the rebalance of a classic group waits for it; Apache Kafka does not report that."""
    topics: tuple[str, ...] = ()
    """The topics that it subscribes to by name, in a group of the consumer protocol."""
    pattern: str = ""
    """The regular expression that it subscribes to, likewise."""


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """`strategy` is how the group divides partitions; empty while a classic group is not stable.

    A group has epochs if it speaks the consumer protocol (KIP-848).
    """

    group_id: str
    state: str
    protocol_type: str
    strategy: str
    members: tuple[GroupMember, ...]
    coordinator: Broker
    epoch: int | None = None
    target_epoch: int | None = None
    """The epoch of the members' targets."""


async def list_groups(
    admin: Calls, *, states: Iterable[str] = (), types: Iterable[str] = ()
) -> list[GroupListing]:
    """All groups of all brokers, by id; only of these states and types, if any are given."""
    states, types = list(states), list(types)
    answers = await admin.ask_everyone(
        lambda: ListGroupsRequest(states_filter=states, types_filter=types)
    )
    found: dict[str, GroupListing] = {}
    for answer in answers.values():
        raise_for(answer.error_code)
        for item in answer.groups:
            found[item.group_id] = GroupListing(
                item.group_id, item.protocol_type, item.group_state, item.group_type
            )
    return [found[group_id] for group_id in sorted(found)]


async def describe_groups(admin: Calls, group_ids: Iterable[str]) -> dict[str, GroupDescription]:
    """State and members. Raises SomeFailed, with GROUP_ID_NOT_FOUND for an unknown group."""
    outcomes: dict[str, GroupDescription | KafkaError] = {}
    for group_id in names_in(group_ids, "groups"):
        outcomes[group_id] = await outcome_of(_describe_group(admin, group_id))
    return checked(outcomes)


async def delete_groups(admin: Calls, group_ids: Iterable[str]) -> None:
    """Delete groups that have no members. Raises SomeFailed."""
    outcomes: dict[str, KafkaError | None] = {}
    for group_id in names_in(group_ids, "groups"):
        outcomes[group_id] = await outcome_of(_delete_group(admin, group_id))
    checked(outcomes)


async def list_group_offsets(
    admin: Calls, group_id: str, partitions: Iterable[TopicPartition] | None = None
) -> dict[TopicPartition, OffsetAndMetadata]:
    """A group's committed offsets, of these partitions or of all."""
    wanted = None if partitions is None else list(partitions)
    group = GroupClient(admin.cluster, group_id, patient=False)
    return await admin.retrying(lambda: group.committed(wanted))


async def alter_group_offsets(
    admin: Calls, group_id: str, offsets: Mapping[TopicPartition, OffsetAndMetadata]
) -> None:
    """Commit offsets for a group that has no members. Raises SomeFailed."""

    async def attempt(group: GroupClient) -> dict[TopicPartition, KafkaError | None]:
        channel = await group.channel()
        answer = await group.send_commit(channel, offsets)
        return {
            TopicPartition(item.name, part.partition_index): error_of(part.error_code)
            for item in answer.topics
            for part in item.partitions
        }

    checked(await with_group(admin, group_id, attempt))


async def delete_group_offsets(
    admin: Calls, group_id: str, partitions: Iterable[TopicPartition]
) -> None:
    """Delete a group's committed offsets of these partitions. Raises SomeFailed."""
    topics: dict[str, OffsetDeleteRequestTopic] = {}
    for target in partitions:
        topic = topics.setdefault(
            target.topic,
            OffsetDeleteRequestTopic(name=target.topic, partitions=[]),
        )
        topic.partitions.append(OffsetDeleteRequestPartition(partition_index=target.partition))
    request = OffsetDeleteRequest(group_id=group_id, topics=list(topics.values()))

    async def attempt(group: GroupClient) -> dict[TopicPartition, KafkaError | None]:
        channel = await group.channel()
        answer = await group.send(channel, request)
        raise_for(answer.error_code)
        return {
            TopicPartition(item.name, part.partition_index): error_of(part.error_code)
            for item in answer.topics
            for part in item.partitions
        }

    checked(await with_group(admin, group_id, attempt))


async def remove_group_members(
    admin: Calls,
    group_id: str,
    members: Iterable[str],
    *,
    reason: str = "removed by an administrator",
) -> None:
    """Make members leave, by member id. Raises SomeFailed."""
    request = LeaveGroupRequest(
        group_id=group_id,
        members=[
            MemberIdentity(member_id=each, reason=reason) for each in names_in(members, "members")
        ],
    )

    async def attempt(group: GroupClient) -> dict[str, KafkaError | None]:
        channel = await group.channel()
        answer = await group.send(channel, request)
        raise_for(answer.error_code)
        return {item.member_id: error_of(item.error_code) for item in answer.members}

    checked(await with_group(admin, group_id, attempt))


async def _describe_group(admin: Calls, group_id: str) -> GroupDescription:
    async def attempt(group: GroupClient) -> GroupDescription:
        channel = await group.channel()
        assert group.coordinator.broker is not None
        if ConsumerGroupDescribeRequest.API_KEY in channel.versions:
            request = ConsumerGroupDescribeRequest(group_ids=[group_id])
            coordinated = (await group.send(channel, request)).groups[0]
            if coordinated.error_code != ErrorCode.GROUP_ID_NOT_FOUND:
                raise_for(coordinated.error_code, coordinated.error_message)
                return _coordinated(coordinated, group.coordinator.broker)
        answer = await group.send(channel, DescribeGroupsRequest(groups=[group_id]))
        item = answer.groups[0]
        raise_for(item.error_code, item.error_message)
        if item.group_state == _DEAD:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
        return _description(item, group.coordinator.broker)

    return await with_group(admin, group_id, attempt)


async def _delete_group(admin: Calls, group_id: str) -> None:
    async def attempt(group: GroupClient) -> None:
        channel = await group.channel()
        answer = await group.send(channel, DeleteGroupsRequest(groups_names=[group_id]))
        raise_for(answer.results[0].error_code)

    await with_group(admin, group_id, attempt)


def _description(item: DescribedGroup, coordinator: Broker) -> GroupDescription:
    consumers = item.protocol_type in (PROTOCOL_TYPE, "")
    return GroupDescription(
        item.group_id,
        item.group_state,
        item.protocol_type,
        item.protocol_data,
        tuple(
            GroupMember(
                member.member_id,
                member.group_instance_id,
                member.client_id,
                member.client_host,
                _assignment(member.member_assignment) if consumers else (),
                awaited=member.awaited,
            )
            for member in item.members
        ),
        coordinator,
    )


def _coordinated(item: consumer_group_describe.DescribedGroup, at: Broker) -> GroupDescription:
    """A group of the consumer protocol."""
    return GroupDescription(
        item.group_id,
        item.group_state,
        PROTOCOL_TYPE,
        item.assignor_name,
        tuple(
            GroupMember(
                member.member_id,
                member.instance_id,
                member.client_id,
                member.client_host,
                _partitions(member.assignment),
                member.member_epoch,
                _partitions(member.target_assignment),
                member.member_type == _CLASSIC_MEMBER,
                member.rack_id,
                topics=tuple(member.subscribed_topic_names),
                pattern=member.subscribed_topic_regex or "",
            )
            for member in item.members
        ),
        at,
        item.group_epoch,
        item.assignment_epoch,
    )


def _partitions(assigned: Assignment) -> tuple[TopicPartition, ...]:
    return tuple(
        sorted(
            TopicPartition(topic.topic_name, index)
            for topic in assigned.topic_partitions
            for index in topic.partitions
        )
    )


def _assignment(data: Buffer) -> tuple[TopicPartition, ...]:
    """The partitions of a member; none when its bytes are not a consumer's assignment."""
    try:
        return tuple(sorted(decode_assignment(data)))
    except MalformedMessage:
        return ()
