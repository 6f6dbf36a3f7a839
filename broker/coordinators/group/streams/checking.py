"""Validates StreamsGroupHeartbeat requests before anything changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.streams import log as written
from raftka.broker.coordinators.group.streams.group import (
    JOIN_EPOCH,
    STATIC_LEAVE_EPOCH,
    Description,
    StreamsGroup,
)
from raftka.broker.coordinators.group.streams.tasks import Tasks
from raftka.broker.coordinators.group.streams.topology import Configured
from raftka.broker.coordinators.shard import STRING_BYTES_MAX
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages import streams_group_topology_value as log_values
from raftka.net.protocol.messages.streams_group_heartbeat import (
    StreamsGroupHeartbeatRequest,
    Subtopology,
    TaskIds,
    TopicInfo,
    Topology,
)
from raftka.net.protocol.messages.streams_group_topology_value import StreamsGroupTopologyValue


def check(request: StreamsGroupHeartbeatRequest) -> None:
    """Raises KafkaError INVALID_REQUEST, STREAMS_INVALID_TOPOLOGY, worded as in Apache Kafka."""
    epoch = request.member_epoch
    for subtopology in () if request.topology is None else request.topology.subtopologies:
        if subtopology.source_topic_regex:
            _invalid("Regular expressions for source topics are not supported yet.")
    for name, value in (
        ("MemberId", request.member_id),
        ("GroupId", request.group_id),
        ("InstanceId", request.instance_id),
        ("RackId", request.rack_id),
    ):
        if value is not None and not value.strip():
            _invalid(f"{name} can't be empty.")
    tasks = (request.active_tasks, request.standby_tasks, request.warmup_tasks)
    if epoch == JOIN_EPOCH:
        _check_join(request)
    elif epoch == STATIC_LEAVE_EPOCH and request.instance_id is None:
        _invalid("InstanceId can't be null.")
    elif epoch < STATIC_LEAVE_EPOCH:
        _invalid(f"MemberEpoch is {epoch}, but must be greater than or equal to -2.")
    if any(each is not None for each in tasks) and any(each is None for each in tasks):
        _invalid("If one task-type is non-null, all must be non-null.")
    if epoch != JOIN_EPOCH and request.topology is not None:
        _invalid("Topology can only be provided when (re-)joining.")
    _check_lengths(request)


def _check_join(request: StreamsGroupHeartbeatRequest) -> None:
    if request.rebalance_timeout == -1:
        _invalid("RebalanceTimeoutMs must be provided in first request.")
    for name, tasks in (
        ("ActiveTasks", request.active_tasks),
        ("StandbyTasks", request.standby_tasks),
        ("WarmupTasks", request.warmup_tasks),
    ):
        if tasks is None or tasks:
            _invalid(f"{name} must be empty when (re-)joining.")
    if request.topology is None:
        _invalid("Topology must be non-null when (re-)joining.")
    _check_topology(request.topology)
    seen = set[str]()
    for tag in request.client_tags or ():
        if tag.key in seen:
            _invalid(f"The client tag {tag.key} is there more than once.")
        seen.add(tag.key)


def _check_topology(topology: Topology) -> None:
    """Kafka answers UNKNOWN_SERVER_ERROR where this gives a reason, except without topics."""
    if topology.epoch < 0:
        _invalid(f"The epoch of the topology is {topology.epoch}, but must not be negative.")
    seen = set[str]()
    for subtopology in topology.subtopologies:
        if subtopology.subtopology_id in seen:
            _invalid(f"Subtopology {subtopology.subtopology_id} is there more than once.")
        seen.add(subtopology.subtopology_id)
        _check_subtopology(subtopology)


def _check_subtopology(subtopology: Subtopology) -> None:
    if not (subtopology.source_topics or subtopology.repartition_source_topics):
        raise KafkaError(
            ErrorCode.STREAMS_INVALID_TOPOLOGY,
            f"No source topics found for subtopology {subtopology.subtopology_id}",
        )
    for topic in subtopology.state_changelog_topics:
        if topic.partitions:
            raise KafkaError(
                ErrorCode.STREAMS_INVALID_TOPOLOGY,
                f"Changelog topic {topic.name} must have an undefined partition count, but it is"
                f" set to {topic.partitions}.",
            )
    for group in subtopology.copartition_groups:
        for indexes, topics in (
            (group.source_topics, len(subtopology.source_topics)),
            (group.repartition_source_topics, len(subtopology.repartition_source_topics)),
        ):
            if any(not 0 <= index < topics for index in indexes):
                raise KafkaError(
                    ErrorCode.STREAMS_INVALID_TOPOLOGY,
                    f"A copartition group of subtopology {subtopology.subtopology_id} names a"
                    " topic that the subtopology does not have.",
                )


def _check_lengths(request: StreamsGroupHeartbeatRequest) -> None:
    """Refuse names that fit into the request but not into a record."""
    endpoint = request.user_endpoint
    names = [request.member_id, request.instance_id, request.rack_id, request.process_id]
    names += [None if endpoint is None else endpoint.host]
    names += [text for tag in request.client_tags or () for text in (tag.key, tag.value)]
    for subtopology in () if request.topology is None else request.topology.subtopologies:
        names += [subtopology.subtopology_id, *subtopology.source_topics]
        names += subtopology.repartition_sink_topics
        for topic in (*subtopology.repartition_source_topics, *subtopology.state_changelog_topics):
            names += [
                topic.name,
                *(text for each in topic.topic_configs for text in (each.key, each.value)),
            ]
    for name in names:
        if name is not None and len(name.encode()) > STRING_BYTES_MAX:
            _invalid(f"a name of more than {STRING_BYTES_MAX} bytes")


def _invalid(words: str) -> NoReturn:
    raise KafkaError(ErrorCode.INVALID_REQUEST, words)


def owned_tasks(request: StreamsGroupHeartbeatRequest) -> Tasks | None:
    """The tasks that the member reports as owned; None if it reports none."""
    if request.active_tasks is None:
        return None
    return Tasks(
        _ids(request.active_tasks),
        _ids(request.standby_tasks or ()),
        _ids(request.warmup_tasks or ()),
    )


def _ids(tasks: Iterable[TaskIds]) -> dict[str, frozenset[int]]:
    return {each.subtopology_id: frozenset(each.partitions) for each in tasks if each.partitions}


def check_owned(found: Configured | None, owned: Tasks | None) -> None:
    """Raises KafkaError INVALID_REQUEST for tasks that the topology does not have."""
    if found is None or not found.is_ready or owned is None:
        return
    for ids in owned:
        for name, partitions in ids.items():
            count = found.tasks.get(name)
            if count is None:
                _invalid(f"Subtopology {name} does not exist in the topology.")
            for partition in sorted(partitions):
                if not 0 <= partition < count:
                    _invalid(
                        f"Task {partition} for subtopology {name} is invalid. Number of tasks for"
                        f" this subtopology: {count}"
                    )


def topology_of(topology: Topology) -> StreamsGroupTopologyValue:
    """A request's topology as a record holds it."""

    def info(topic: TopicInfo) -> log_values.TopicInfo:
        return log_values.TopicInfo(
            name=topic.name,
            partitions=topic.partitions,
            replication_factor=topic.replication_factor,
            topic_configs=[
                log_values.TopicConfig(key=each.key, value=each.value)
                for each in topic.topic_configs
            ],
        )

    return log_values.StreamsGroupTopologyValue(
        epoch=topology.epoch,
        subtopologies=[
            log_values.Subtopology(
                subtopology_id=each.subtopology_id,
                source_topics=list(each.source_topics),
                source_topic_regex=list(each.source_topic_regex),
                state_changelog_topics=list(map(info, each.state_changelog_topics)),
                repartition_sink_topics=list(each.repartition_sink_topics),
                repartition_source_topics=list(map(info, each.repartition_source_topics)),
                copartition_groups=[
                    log_values.CopartitionGroup(
                        source_topics=list(group.source_topics),
                        source_topic_regex=list(group.source_topic_regex),
                        repartition_source_topics=list(group.repartition_source_topics),
                    )
                    for group in each.copartition_groups
                ],
            )
            for each in topology.subtopologies
        ],
    )


def new_topology(
    group: StreamsGroup, topology: Topology | None
) -> StreamsGroupTopologyValue | None:
    """The topology that the group adopts from a member; None if it keeps its own.

    A member with an older topology joins, and its answer says that it is stale. Raises KafkaError
    INVALID_REQUEST for a newer one: a group cannot change its topology.
    """
    if topology is None:
        return None
    found = topology_of(topology)
    if group.topology is None:
        return found
    if group.topology.epoch <= found.epoch and _by_id(group.topology) != _by_id(found):
        _invalid("Topology updates are not supported yet.")
    return None


def check_fits(
    core: Core,
    group: StreamsGroup,
    member_id: str,
    topology: StreamsGroupTopologyValue | None,
    says: Description | None,
) -> None:
    """Refuse a topology, or a member's metadata, that does not fit into a record; None if
    unchanged.

    Raises KafkaError STREAMS_INVALID_TOPOLOGY, INVALID_REQUEST.
    """
    if topology is not None:
        record = written.topology_record(group.group_id, topology)
        core.outbox.check_fits(record, ErrorCode.STREAMS_INVALID_TOPOLOGY, "the topology")
    if says is not None:
        record = written.member_record(group.group_id, member_id, says)
        core.outbox.check_fits(record, ErrorCode.INVALID_REQUEST, "the record of the member")


def _by_id(topology: StreamsGroupTopologyValue) -> tuple[int, dict[str, object]]:
    return topology.epoch, {each.subtopology_id: each for each in topology.subtopologies}
