"""Streams groups (KIP-1071): members, tasks and topology."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from raftka.client.admin.groups import GroupOperations
from raftka.client.admin.outcomes import checked, raise_for
from raftka.client.consumer.group_client import GroupClient
from raftka.client.metadata import Broker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages import streams_group_describe as messages

TaskIds = dict[str, tuple[int, ...]]
"""Partitions by subtopology."""


@dataclass(frozen=True, slots=True)
class StreamsAssignment:
    """Tasks by what a member does with them."""

    active: TaskIds
    standby: TaskIds
    warmup: TaskIds


@dataclass(frozen=True, slots=True)
class StreamsGroupMember:
    """A thread of an application: what it has, and what it will have."""

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
    """A piece of a topology that shares tasks, with the topics that it needs."""

    subtopology_id: str
    source_topics: tuple[str, ...]
    repartition_sink_topics: tuple[str, ...]
    repartition_source_topics: tuple[str, ...]
    changelog_topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StreamsGroupDescription:
    """A streams group; `topology_epoch` is -1 while no member has said its topology."""

    group_id: str
    state: str
    epoch: int
    target_epoch: int
    topology_epoch: int
    subtopologies: tuple[Subtopology, ...]
    members: tuple[StreamsGroupMember, ...]
    coordinator: Broker
    assignor: str


class StreamsGroupOperations(GroupOperations):
    """See the module."""

    async def describe_streams_groups(
        self, group_ids: Iterable[str]
    ) -> dict[str, StreamsGroupDescription]:
        """Topology, members and tasks. Raises SomeFailed, with GROUP_ID_NOT_FOUND for a group that
        is unknown or of another kind.
        """
        outcomes: dict[str, StreamsGroupDescription | KafkaError] = {}
        for group_id in group_ids:
            outcomes[group_id] = await self._outcome(self._describe_streams_group(group_id))
        return checked(outcomes)

    async def _describe_streams_group(self, group_id: str) -> StreamsGroupDescription:
        async def attempt(group: GroupClient) -> StreamsGroupDescription:
            channel = await group.channel()
            assert group.coordinator.broker is not None
            if messages.StreamsGroupDescribeRequest.API_KEY not in channel.versions:
                raise KafkaError(
                    ErrorCode.UNSUPPORTED_VERSION, "the brokers do not know streams groups"
                )
            request = messages.StreamsGroupDescribeRequest(group_ids=[group_id])
            told = (await group.send(channel, request)).groups[0]
            raise_for(told.error_code, told.error_message)
            return _description(told, group.coordinator.broker)

        return await self._with_coordinator(group_id, attempt)


def _description(told: messages.DescribedGroup, at: Broker) -> StreamsGroupDescription:
    topology = told.topology
    return StreamsGroupDescription(
        told.group_id,
        told.group_state,
        told.group_epoch,
        told.assignment_epoch,
        -1 if topology is None else topology.epoch,
        () if topology is None else tuple(map(_subtopology, topology.subtopologies or ())),
        tuple(map(_member, told.members)),
        at,
        told.assignor_name or "",
    )


def _subtopology(told: messages.Subtopology) -> Subtopology:
    return Subtopology(
        told.subtopology_id,
        tuple(told.source_topics),
        tuple(told.repartition_sink_topics),
        tuple(topic.name for topic in told.repartition_source_topics),
        tuple(topic.name for topic in told.state_changelog_topics),
    )


def _member(told: messages.Member) -> StreamsGroupMember:
    return StreamsGroupMember(
        told.member_id,
        told.member_epoch,
        told.instance_id,
        told.rack_id,
        told.client_id,
        told.client_host,
        told.topology_epoch,
        told.process_id,
        _assignment(told.assignment),
        _assignment(told.target_assignment),
    )


def _assignment(told: messages.Assignment) -> StreamsAssignment:
    active, standby, warmup = (
        {each.subtopology_id: tuple(sorted(each.partitions)) for each in ids}
        for ids in (told.active_tasks, told.standby_tasks, told.warmup_tasks)
    )
    return StreamsAssignment(active, standby, warmup)
