"""The answers to StreamsGroupDescribe (KIP-1071)."""

from __future__ import annotations

from raftka.broker.coordinators.group.any_group import GroupType, not_found
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.streams import target
from raftka.broker.coordinators.group.streams.group import StreamsGroup, StreamsMember
from raftka.broker.coordinators.group.streams.settings import ASSIGNOR
from raftka.broker.coordinators.group.streams.tasks import Task, Tasks
from raftka.net.protocol.messages import streams_group_describe as messages
from raftka.net.protocol.messages import streams_group_topology_value as value

NOT_STORED = 1
"""The status of a topology's description: this broker does not store any."""


def describe(core: Core, group_id: str) -> messages.DescribedGroup:
    """Describe a streams group. Raises KafkaError GROUP_ID_NOT_FOUND."""
    group = core.groups.get(group_id)
    if not isinstance(group, StreamsGroup):
        raise not_found(group_id, group, GroupType.STREAMS)
    return messages.DescribedGroup(
        group_id=group_id,
        group_state=group.state_name,
        group_epoch=group.epoch,
        assignment_epoch=group.assignment_epoch,
        topology=_topology(core, group),
        members=[_member(group, member) for member in group.members.values()],
        assignor_name=ASSIGNOR,
        not_ready=_problem(core, group),
    )


def _problem(core: Core, group: StreamsGroup) -> str:
    """What is wrong with the topology's topics, for people; empty if nothing is."""
    found = target.configured(core, group)
    return "" if found is None or found.problem is None else found.problem.words


def _topology(core: Core, group: StreamsGroup) -> messages.Topology | None:
    """With the partitions of internal topics, if known."""
    topology, found = group.topology, target.configured(core, group)
    if topology is None:
        return None
    counts = found.partitions if found is not None and found.is_ready else {}

    def info(topic: value.TopicInfo) -> messages.TopicInfo:
        return messages.TopicInfo(
            name=topic.name,
            partitions=counts.get(topic.name, topic.partitions),
            replication_factor=topic.replication_factor,
            topic_configs=[
                messages.KeyValue(key=each.key, value=each.value) for each in topic.topic_configs
            ],
        )

    return messages.Topology(
        epoch=topology.epoch,
        subtopologies=[
            messages.Subtopology(
                subtopology_id=each.subtopology_id,
                source_topics=sorted(each.source_topics),
                repartition_sink_topics=sorted(each.repartition_sink_topics),
                state_changelog_topics=list(map(info, each.state_changelog_topics)),
                repartition_source_topics=list(map(info, each.repartition_source_topics)),
            )
            for each in sorted(topology.subtopologies, key=lambda each: each.subtopology_id)
        ],
    )


def _member(group: StreamsGroup, member: StreamsMember) -> messages.Member:
    says = member.says
    return messages.Member(
        member_id=member.member_id,
        member_epoch=member.epoch,
        instance_id=says.instance_id,
        rack_id=says.rack_id,
        client_id=says.client_id,
        client_host=says.client_host,
        topology_epoch=says.topology_epoch,
        process_id=says.process_id,
        user_endpoint=None
        if says.endpoint is None
        else messages.Endpoint(host=says.endpoint[0], port=says.endpoint[1]),
        client_tags=[messages.KeyValue(key=key, value=value) for key, value in says.tags],
        task_offsets=_offsets(member.offsets),
        task_end_offsets=_offsets(member.end_offsets),
        assignment=_assignment(member.assigned.tasks()),
        target_assignment=_assignment(group.target_of(member.member_id)),
    )


def _offsets(offsets: dict[Task, int]) -> list[messages.TaskOffset]:
    return [
        messages.TaskOffset(subtopology_id=subtopology, partition=partition, offset=offset)
        for (subtopology, partition), offset in sorted(offsets.items())
    ]


def _assignment(tasks: Tasks) -> messages.Assignment:
    active, standby, warmup = (
        [messages.TaskIds(subtopology_id=n, partitions=sorted(some)) for n, some in ids.items()]
        for ids in tasks
    )
    return messages.Assignment(active_tasks=active, standby_tasks=standby, warmup_tasks=warmup)
