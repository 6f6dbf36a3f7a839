"""StreamsGroupDescribe (key 89): state, topology, members and tasks of streams groups (KIP-1071).

A group that does not exist, or has another type, is answered GROUP_ID_NOT_FOUND.

Version notes: 1 has the assignor (KIP-1357), and can request descriptions of topologies (KIP-1331),
which Java plugins store, so raftka never has one.
"""

from __future__ import annotations

from raftka.broker.coordinators.group.streams.describe import NOT_STORED
from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.streams_group_describe import (
    DescribedGroup,
    StreamsGroupDescribeRequest,
    StreamsGroupDescribeResponse,
)


def refusal(
    request: StreamsGroupDescribeRequest, error: KafkaError
) -> StreamsGroupDescribeResponse:
    """Repeat an error of the whole request for each group that it names."""
    return StreamsGroupDescribeResponse(
        groups=[_refused(group_id, error) for group_id in request.group_ids]
    )


@handles(StreamsGroupDescribeRequest, versions=(0, 1), access=PER_RESOURCE, refusal=refusal)
async def streams_group_describe(
    context: Context, request: StreamsGroupDescribeRequest
) -> StreamsGroupDescribeResponse:
    context.node.groups.streams.check_enabled()
    groups = []
    for group_id in request.group_ids:
        try:
            described = await _describe(context, group_id)
            if request.include_authorized_operations:
                described.authorized_operations = context.operations(ResourceType.GROUP, group_id)
            if request.include_topology_description:
                described.topology_description_status = NOT_STORED
        except KafkaError as error:
            described = _refused(group_id, error)
        groups.append(described)
    return StreamsGroupDescribeResponse(groups=groups)


async def _describe(context: Context, group_id: str) -> DescribedGroup:
    context.require(Operation.DESCRIBE, ResourceType.GROUP, group_id)
    if not group_id:
        raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
    described = await context.node.groups.streams.describe(group_id)
    names: set[str] = set()
    for each in () if described.topology is None else described.topology.subtopologies or ():
        names.update(each.source_topics, each.repartition_sink_topics)
        names.update(topic.name for topic in each.repartition_source_topics)
        names.update(topic.name for topic in each.state_changelog_topics)
    # A client that may not describe one of its topics may not describe the group, as in Apache
    # Kafka.
    for name in sorted(names):
        if not context.may(Operation.DESCRIBE, ResourceType.TOPIC, name, quietly=True):
            raise KafkaError(
                ErrorCode.TOPIC_AUTHORIZATION_FAILED,
                "The described group uses topics that the client is not authorized to describe.",
            )
    return described


def _refused(group_id: str, error: KafkaError) -> DescribedGroup:
    return DescribedGroup(
        group_id=group_id, error_code=int(error.code), error_message=error.message
    )
