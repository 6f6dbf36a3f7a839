"""OffsetFetch (key 9): how far groups have read; -1 where nothing was committed.

Version notes: 1 asks for named partitions and has errors by partition only. 2: null topics ask for
all, and the answer has an error. 7: whether to wait out transactions (KIP-447), of which there are
none. 8: many groups at once (KIP-709). A member id and epoch (9) mean nothing to a classic group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE
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
    OffsetFetchResponseTopic,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raftka.broker.coordinators.group.service import GroupCoordinatorService

_ERROR_FROM = 2
_MANY_FROM = 8


@handles(OffsetFetchRequest, versions=(1, 9), access=PER_RESOURCE)
async def offset_fetch(context: Context, request: OffsetFetchRequest) -> OffsetFetchResponse:
    node = context.node
    if context.api_version >= _MANY_FROM:
        groups = [await _fetch_group(node.groups, wanted) for wanted in request.groups]
        return OffsetFetchResponse(groups=groups)
    try:
        found = await node.groups.fetch_offsets(request.group_id, _wanted(request.topics))
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
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in found
        ]
    )


async def _fetch_group(
    groups: GroupCoordinatorService, wanted: OffsetFetchRequestGroup
) -> OffsetFetchResponseGroup:
    try:
        topics = await groups.fetch_offsets(wanted.group_id, _wanted(wanted.topics))
    except KafkaError as error:
        return OffsetFetchResponseGroup(group_id=wanted.group_id, error_code=error.code)
    return OffsetFetchResponseGroup(group_id=wanted.group_id, topics=topics)


def _wanted(
    topics: Sequence[OffsetFetchRequestTopic | OffsetFetchRequestTopics] | None,
) -> list[tuple[str, list[int]]] | None:
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
