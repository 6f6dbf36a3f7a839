"""OffsetFetch (key 9): the committed offsets of groups; -1 for partitions without one.

Version notes: 1 requests named partitions and has errors only by partition. 2: null topics request
all, and the answer has an error. 7: UNSTABLE_OFFSET_COMMIT for open transactions (KIP-447). 8: many
groups (KIP-709). 9: a member of the consumer protocol sends its id and epoch (KIP-848). 10: topics
are named by id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.broker.coordinators.group.service import NOBODY
from raftka.broker.naming import name_topics
from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_OFFSET
from raftka.net.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Wanted = tuple[str, list[int]]
"""A topic's name, and the requested partitions."""

_ERROR_FROM = 2
_MANY_FROM = 8
_IDS_FROM = 10


@handles(OffsetFetchRequest, versions=(1, 10), access=PER_RESOURCE)
async def offset_fetch(context: Context, request: OffsetFetchRequest) -> OffsetFetchResponse:
    stable = request.require_stable
    if context.api_version >= _MANY_FROM:
        groups = [await _fetch_group(context, wanted, stable) for wanted in request.groups]
        return OffsetFetchResponse(groups=groups)
    try:
        found = await _fetch(context, request.group_id, _wanted(request.topics), stable)
    except KafkaError as error:
        if context.api_version >= _ERROR_FROM:
            return OffsetFetchResponse(error_code=error.code)
        return OffsetFetchResponse(topics=_refused(request.topics or [], error.code))
    return OffsetFetchResponse(
        topics=[
            OffsetFetchResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetFetchResponsePartition(
                        partition_index=partition.partition_index,
                        committed_offset=partition.committed_offset,
                        committed_leader_epoch=partition.committed_leader_epoch,
                        metadata=partition.metadata,
                        error_code=partition.error_code,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in found
        ]
    )


async def _fetch_group(
    context: Context, wanted: OffsetFetchRequestGroup, stable: bool
) -> OffsetFetchResponseGroup:
    by_id = context.api_version >= _IDS_FROM
    unknown: list[OffsetFetchRequestTopics] = []
    if by_id:
        unknown = name_topics(context, wanted.topics or [])
    known = wanted.topics
    if known is not None:
        known = [topic for topic in known if topic not in unknown]
    member = (wanted.member_id, wanted.member_epoch)
    try:
        topics = await _fetch(context, wanted.group_id, _wanted(known), stable, member)
    except KafkaError as error:
        return OffsetFetchResponseGroup(group_id=wanted.group_id, error_code=error.code)
    if by_id:
        # A deleted topic has no id to answer with.
        topics = [topic for topic in topics if _has_id(context, topic)]
        topics += [
            OffsetFetchResponseTopics(
                topic_id=topic.topic_id,
                partitions=_nothing(topic.partition_indexes, ErrorCode.UNKNOWN_TOPIC_ID),
            )
            for topic in unknown
        ]
    return OffsetFetchResponseGroup(group_id=wanted.group_id, topics=topics)


def _has_id(context: Context, topic: OffsetFetchResponseTopics) -> bool:
    """Set the topic's id, if it exists; return whether it does."""
    found = context.node.image.topics.get(topic.name)
    if found is not None:
        topic.topic_id = found.topic_id
    return found is not None


async def _fetch(
    context: Context,
    group_id: str,
    wanted: list[Wanted] | None,
    stable: bool,
    member: tuple[str | None, int] = NOBODY,
) -> list[OffsetFetchResponseTopics]:
    """The offsets of a group that the client may see. Raises KafkaError."""
    groups = context.node.groups
    context.require(Operation.DESCRIBE, ResourceType.GROUP, group_id)
    if wanted is None:
        found = await groups.fetch_offsets(group_id, None, stable=stable, member=member)
        return [
            topic
            for topic in found
            if context.may(Operation.DESCRIBE, ResourceType.TOPIC, topic.name, quietly=True)
        ]
    allowed, denied = context.sort_out(
        Operation.DESCRIBE, ResourceType.TOPIC, wanted, lambda topic: topic[0]
    )
    found = await groups.fetch_offsets(group_id, allowed, stable=stable, member=member)
    code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
    return found + [
        OffsetFetchResponseTopics(name=name, partitions=_nothing(indexes, code))
        for name, indexes in denied
    ]


def _nothing(indexes: Sequence[int], code: ErrorCode) -> list[OffsetFetchResponsePartitions]:
    """An error for each of these partitions."""
    return [
        OffsetFetchResponsePartitions(
            partition_index=index, committed_offset=NO_OFFSET, metadata="", error_code=code
        )
        for index in indexes
    ]


def _wanted(
    topics: Sequence[OffsetFetchRequestTopic | OffsetFetchRequestTopics] | None,
) -> list[Wanted] | None:
    return None if topics is None else [(t.name, t.partition_indexes) for t in topics]


def _refused(
    topics: list[OffsetFetchRequestTopic], code: ErrorCode
) -> list[OffsetFetchResponseTopic]:
    return [
        OffsetFetchResponseTopic(
            name=topic.name,
            partitions=[
                OffsetFetchResponsePartition(
                    partition_index=index,
                    committed_offset=NO_OFFSET,
                    metadata="",
                    error_code=code,
                )
                for index in topic.partition_indexes
            ],
        )
        for topic in topics
    ]
