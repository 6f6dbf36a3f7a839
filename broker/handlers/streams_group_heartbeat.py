"""StreamsGroupHeartbeat (key 88): join, stay in or leave a streams group (KIP-1071).

Epoch 0 joins, -1 leaves, -2 leaves temporarily. Missing internal topics of the topology are created
before the answer, with the client's permissions: later heartbeats assign tasks.

Version notes: 1 knows the status MISSING_CLIENT_TAGS.
"""

from __future__ import annotations

from collections.abc import Iterable

from raftka.broker.auto_creation import create_for
from raftka.broker.coordinators.group.streams.heartbeat import Beat, Caller
from raftka.broker.coordinators.group.streams.topology import StatusCode, WantedTopic
from raftka.broker.request import Context, handles
from raftka.kraft.controller.topics import check_name
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.internal_topics import INTERNAL_TOPICS
from raftka.net.protocol.messages.create_topics import CreatableTopic, CreatableTopicConfig
from raftka.net.protocol.messages.streams_group_heartbeat import (
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
    Topology,
)


def refusal(
    request: StreamsGroupHeartbeatRequest, error: KafkaError
) -> StreamsGroupHeartbeatResponse:
    """The answer to an error of the whole request."""
    return StreamsGroupHeartbeatResponse(error_code=int(error.code), error_message=error.message)


@handles(StreamsGroupHeartbeatRequest, versions=(0, 1), access=PER_RESOURCE, refusal=refusal)
async def streams_group_heartbeat(
    context: Context, request: StreamsGroupHeartbeatRequest
) -> StreamsGroupHeartbeatResponse:
    groups = context.node.groups.streams
    groups.check_enabled()
    context.require(Operation.READ, ResourceType.GROUP, request.group_id)
    if request.topology is not None:
        _check_topics(context, request.topology)
    # Java formats an address like this, and tools split it at the slash.
    caller = Caller(context.client_id or "", f"/{context.client_address}", context.api_version)
    beat = await groups.heartbeat(request, caller)
    if beat.missing:
        await _create(context, beat)
    return beat.response


def _check_topics(context: Context, topology: Topology) -> None:
    """Raises KafkaError STREAMS_INVALID_TOPOLOGY, TOPIC_AUTHORIZATION_FAILED."""
    names = sorted(set(_topics(topology)))
    internal = [name for name in names if name in INTERNAL_TOPICS]
    if internal:
        raise KafkaError(
            ErrorCode.STREAMS_INVALID_TOPOLOGY,
            f"Use of Kafka internal topics {','.join(internal)} in a Kafka Streams topology is"
            " prohibited.",
        )
    invalid = [name for name in names if not _is_valid(name)]
    if invalid:
        raise KafkaError(
            ErrorCode.STREAMS_INVALID_TOPOLOGY,
            f"Topic names {','.join(invalid)} are not valid topic names.",
        )
    for name in names:
        context.require(Operation.DESCRIBE, ResourceType.TOPIC, name)


def _is_valid(name: str) -> bool:
    try:
        check_name(name)
    except KafkaError:
        return False
    return True


def _topics(topology: Topology) -> Iterable[str]:
    for each in topology.subtopologies:
        yield from each.source_topics
        yield from each.repartition_sink_topics
        for topic in (*each.repartition_source_topics, *each.state_changelog_topics):
            yield topic.name


async def _create(context: Context, beat: Beat) -> None:
    """Create missing topics; those that cannot be created are listed in the answer's status."""
    wanted = {topic.name: topic for topic in beat.missing}
    denied: list[str] = []
    if not context.may_with_cluster(Operation.CREATE, quietly=True):
        denied = [n for n in wanted if not context.may(Operation.CREATE, ResourceType.TOPIC, n)]
    if denied:
        problem = f"Unauthorized to CREATE on topics {','.join(denied)}."
    else:
        failed = await create_for(context, list(map(_creatable, wanted.values())))
        told = ", ".join(f"{name} ({why})" for name, why in failed)
        problem = f"Creation failed: {told}." if failed else ""
    if problem:
        for status in beat.response.status or ():
            if status.status_code == StatusCode.MISSING_INTERNAL_TOPICS:
                status.status_detail += f"; {problem}"


def _creatable(topic: WantedTopic) -> CreatableTopic:
    return CreatableTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=topic.replication_factor,
        configs=[CreatableTopicConfig(name=name, value=value) for name, value in topic.configs],
    )
