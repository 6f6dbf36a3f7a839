"""Streams groups (KIP-1071): members, tasks and topology."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from raftka.client.admin.calls import Calls
from raftka.client.admin.coordinated import with_group
from raftka.client.admin.outcomes import checked, outcome_of, raise_for
from raftka.client.consumer.group_client import GroupClient
from raftka.client.given import names_in
from raftka.client.metadata import Broker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages import streams_group_describe as messages
from raftka.net.protocol.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest

TaskIds = dict[str, tuple[int, ...]]
"""Partitions by subtopology."""

_LEAVES = -1
"""The epoch with which a member leaves (KIP-1071)."""
_DESCRIPTIONS_FROM = 1
"""The version of StreamsGroupDescribe that has descriptions of topologies."""


@dataclass(frozen=True, slots=True)
class StreamsAssignment:
    """Tasks by the member's role."""

    active: TaskIds
    standby: TaskIds
    warmup: TaskIds


@dataclass(frozen=True, slots=True)
class StreamsGroupMember:
    """A thread of an application: its tasks, and its target tasks."""

    member_id: str
    epoch: int
    instance_id: str | None
    rack: str | None
    client_id: str
    host: str
    topology_epoch: int
    process_id: str
    assignment: StreamsAssignment
    target: StreamsAssignment


@dataclass(frozen=True, slots=True)
class Subtopology:
    """A subtopology, whose tasks belong together, with the topics that it needs."""

    subtopology_id: str
    source_topics: tuple[str, ...]
    repartition_sink_topics: tuple[str, ...]
    repartition_source_topics: tuple[str, ...]
    changelog_topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StreamsGroupDescription:
    """A streams group; `topology_epoch` is -1 until a member has sent its topology."""

    group_id: str
    state: str
    epoch: int
    target_epoch: int
    topology_epoch: int
    subtopologies: tuple[Subtopology, ...]
    members: tuple[StreamsGroupMember, ...]
    coordinator: Broker
    assignor: str
    not_ready: str = ""
    """A sentence about why it has no tasks; Apache Kafka's brokers do not report it."""
    described: messages.TopologyDescription | None = None
    """The nodes of its topology, if they were asked for and the broker keeps them (KIP-1331)."""
    described_status: int = 0
    """Whether it does: 0 not asked for, 1 not stored, 2 the broker failed, 3 it does."""


async def describe_streams_groups(
    admin: Calls, group_ids: Iterable[str], *, with_description: bool = False
) -> dict[str, StreamsGroupDescription]:
    """Topology, members and tasks; also the nodes of the topology (KIP-1331), if so wanted.

    Raises SomeFailed, with GROUP_ID_NOT_FOUND for a group that is unknown or of another kind, and
    UNSUPPORTED_VERSION of brokers that know no descriptions of topologies.
    """
    outcomes: dict[str, StreamsGroupDescription | KafkaError] = {}
    for group_id in names_in(group_ids, "groups"):
        outcomes[group_id] = await outcome_of(
            _describe_streams_group(admin, group_id, with_description)
        )
    return checked(outcomes)


async def remove_streams_group_members(admin: Calls, group_id: str, members: Iterable[str]) -> None:
    """Make members leave, by member id; one that still runs joins again by itself.

    Raises SomeFailed, with UNKNOWN_MEMBER_ID for members that are not in the group.
    """

    async def remove(member_id: str) -> None:
        async def attempt(group: GroupClient) -> None:
            request = StreamsGroupHeartbeatRequest(
                group_id=group_id, member_id=member_id, member_epoch=_LEAVES
            )
            answer = await group.send(await group.channel(), request)
            raise_for(answer.error_code, answer.error_message)

        await with_group(admin, group_id, attempt)

    checked({member: await outcome_of(remove(member)) for member in members})


async def _describe_streams_group(
    admin: Calls, group_id: str, with_description: bool
) -> StreamsGroupDescription:
    async def attempt(group: GroupClient) -> StreamsGroupDescription:
        channel = await group.channel()
        assert group.coordinator.broker is not None
        if messages.StreamsGroupDescribeRequest.API_KEY not in channel.versions:
            raise KafkaError(
                ErrorCode.UNSUPPORTED_VERSION, "the brokers do not know streams groups"
            )
        request = messages.StreamsGroupDescribeRequest(group_ids=[group_id])
        if with_description:
            _, newest = channel.versions[request.API_KEY]
            if newest < _DESCRIPTIONS_FROM:
                raise KafkaError(
                    ErrorCode.UNSUPPORTED_VERSION,
                    "the brokers know no descriptions of topologies: these need Apache Kafka 4.4",
                )
            request.include_topology_description = True
        item = (await group.send(channel, request)).groups[0]
        raise_for(item.error_code, item.error_message)
        return _description(item, group.coordinator.broker)

    return await with_group(admin, group_id, attempt)


def _description(item: messages.DescribedGroup, at: Broker) -> StreamsGroupDescription:
    topology = item.topology
    return StreamsGroupDescription(
        item.group_id,
        item.group_state,
        item.group_epoch,
        item.assignment_epoch,
        -1 if topology is None else topology.epoch,
        () if topology is None else tuple(map(_subtopology, topology.subtopologies or ())),
        tuple(map(_member, item.members)),
        at,
        item.assignor_name or "",
        item.not_ready,
        item.topology_description,
        item.topology_description_status,
    )


def _subtopology(item: messages.Subtopology) -> Subtopology:
    return Subtopology(
        item.subtopology_id,
        tuple(item.source_topics),
        tuple(item.repartition_sink_topics),
        tuple(topic.name for topic in item.repartition_source_topics),
        tuple(topic.name for topic in item.state_changelog_topics),
    )


def _member(item: messages.Member) -> StreamsGroupMember:
    return StreamsGroupMember(
        item.member_id,
        item.member_epoch,
        item.instance_id,
        item.rack_id,
        item.client_id,
        item.client_host,
        item.topology_epoch,
        item.process_id,
        _assignment(item.assignment),
        _assignment(item.target_assignment),
    )


def _assignment(item: messages.Assignment) -> StreamsAssignment:
    active, standby, warmup = (
        {each.subtopology_id: tuple(sorted(each.partitions)) for each in ids}
        for ids in (item.active_tasks, item.standby_tasks, item.warmup_tasks)
    )
    return StreamsAssignment(active, standby, warmup)
