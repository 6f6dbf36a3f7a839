"""DescribeShareGroupOffsets (key 90): the start offsets of share-partitions (KIP-932), from the
share coordinator's state.

Version notes: 1 has the lag, the number of incomplete records (KIP-1226).
"""

from __future__ import annotations

from raftka.broker.coordinators.group.share.lags import UNKNOWN
from raftka.broker.request import Context, handles
from raftka.broker.share import requests
from raftka.broker.share.key import SharePartitionKey
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_OFFSET, ZERO_UUID
from raftka.net.protocol.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsResponse,
    DescribeShareGroupOffsetsResponseGroup,
    DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
)

_LAG_FROM = 1


def refusal(
    request: DescribeShareGroupOffsetsRequest, error: KafkaError
) -> DescribeShareGroupOffsetsResponse:
    """Repeat an error of the whole request for each group that it names."""
    return DescribeShareGroupOffsetsResponse(
        groups=[_refused(group.group_id, error) for group in request.groups]
    )


@handles(DescribeShareGroupOffsetsRequest, versions=(0, 1), access=PER_RESOURCE, refusal=refusal)
async def describe_share_group_offsets(
    context: Context, request: DescribeShareGroupOffsetsRequest
) -> DescribeShareGroupOffsetsResponse:
    requests.check_version(context)
    groups = []
    for wanted in request.groups:
        try:
            groups.append(await _describe(context, wanted))
        except KafkaError as error:
            groups.append(_refused(wanted.group_id, error))
    return DescribeShareGroupOffsetsResponse(groups=groups)


def _refused(group_id: str, error: KafkaError) -> DescribeShareGroupOffsetsResponseGroup:
    return DescribeShareGroupOffsetsResponseGroup(
        group_id=group_id, error_code=int(error.code), error_message=error.message
    )


async def _describe(
    context: Context, wanted: DescribeShareGroupOffsetsRequestGroup
) -> DescribeShareGroupOffsetsResponseGroup:
    context.require(Operation.DESCRIBE, ResourceType.GROUP, wanted.group_id)
    named = (
        None
        if wanted.topics is None
        else [(topic.topic_name, list(topic.partitions)) for topic in wanted.topics]
    )
    found = await context.node.share_groups.offsets(wanted.group_id, named)
    topics: dict[str, DescribeShareGroupOffsetsResponseTopic] = {}
    for name, topic_id, index in found:
        may = context.may(Operation.DESCRIBE, ResourceType.TOPIC, name, quietly=named is None)
        if not may and named is None:
            continue
        topic = topics.get(name)
        if topic is None:
            topic = topics[name] = DescribeShareGroupOffsetsResponseTopic(
                topic_name=name, topic_id=topic_id or ZERO_UUID
            )
        try:
            if not may:
                raise KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
            part = await _partition(context, wanted.group_id, name, topic_id, index)
        except KafkaError as error:
            part = DescribeShareGroupOffsetsResponsePartition(
                partition_index=index,
                start_offset=NO_OFFSET,
                error_code=int(error.code),
                error_message=error.message,
            )
        topic.partitions.append(part)
    return DescribeShareGroupOffsetsResponseGroup(
        group_id=wanted.group_id, topics=list(topics.values())
    )


async def _partition(
    context: Context, group_id: str, name: str, topic_id: bytes, index: int
) -> DescribeShareGroupOffsetsResponsePartition:
    if not topic_id:
        # What the group has of a topic that is not there is nothing: Kafka has no error for it.
        return DescribeShareGroupOffsetsResponsePartition(
            partition_index=index, start_offset=NO_OFFSET, lag=UNKNOWN
        )
    share_groups = context.node.share_groups
    state = await share_groups.summary(SharePartitionKey(group_id, topic_id, index))
    lag = UNKNOWN
    if context.api_version >= _LAG_FROM:
        lag = await share_groups.lag(name, index, state)
    return DescribeShareGroupOffsetsResponsePartition(
        partition_index=index,
        start_offset=state.start_offset,
        leader_epoch=state.leader_epoch,
        lag=lag,
    )
