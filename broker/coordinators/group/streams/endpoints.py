"""Endpoints of partitions for interactive queries (KIP-1071, "Interactive queries")."""

from __future__ import annotations

from raftka.broker.coordinators.group.streams.group import StreamsGroup, StreamsMember
from raftka.broker.coordinators.group.streams.tasks import Task, each
from raftka.broker.coordinators.group.streams.topology import Configured, source_topics
from raftka.net.protocol.messages.streams_group_heartbeat import (
    Endpoint,
    EndpointToPartitions,
    TopicPartition,
)


def of_group(group: StreamsGroup, found: Configured | None) -> list[EndpointToPartitions]:
    """One entry per member that has an endpoint."""
    answer = []
    for member_id, member in group.members.items():
        if member.says.endpoint is None:
            continue
        entry = group.endpoints.get(member_id)
        if entry is None:
            entry = group.endpoints[member_id] = _of_member(group, member, found)
        answer.append(entry)
    return answer


def _of_member(
    group: StreamsGroup, member: StreamsMember, found: Configured | None
) -> EndpointToPartitions:
    assert member.says.endpoint is not None
    host, port = member.says.endpoint
    held = member.assigned
    return EndpointToPartitions(
        user_endpoint=Endpoint(host=host, port=port),
        active_partitions=_inputs(group, found, set(each(held.active))),
        standby_partitions=_inputs(group, found, {*each(held.standby), *each(held.warmup)}),
    )


def _inputs(
    group: StreamsGroup, found: Configured | None, tasks: set[Task]
) -> list[TopicPartition]:
    """The input partitions of tasks: a topic may have fewer than its subtopology has tasks."""
    counts = {} if found is None else found.partitions
    answer = []
    for topic, subtopology in source_topics(group.topology).items():
        partitions = sorted(p for s, p in tasks if s == subtopology and p < counts.get(topic, 0))
        if partitions:
            answer.append(TopicPartition(topic=topic, partitions=partitions))
    return answer
