"""OffsetCommit (key 8): stores a group's offsets, with the client's metadata.

It is answered when all in-sync replicas have them. Versions 2 to 4 can set their own retention. 9:
the generation may be a member epoch (KIP-848). 10: topics are named by id.
"""

from __future__ import annotations

from typing import Any

from raftka.broker.missing import add_missing, take_missing
from raftka.broker.naming import name_topics
from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from raftka.net.router import Pending

_IDS_FROM = 10


def refusal(request: OffsetCommitRequest, error: KafkaError) -> OffsetCommitResponse:
    """Repeat an error of the whole request for each partition that it names."""
    return OffsetCommitResponse(topics=[_refused(each, error.code) for each in request.topics])


@handles(OffsetCommitRequest, versions=(2, 10), access=PER_RESOURCE, refusal=refusal)
def offset_commit(context: Context, request: OffsetCommitRequest) -> Pending | OffsetCommitResponse:
    node = context.node
    context.require(Operation.READ, ResourceType.GROUP, request.group_id)
    refused = []
    if context.api_version >= _IDS_FROM:
        unknown = name_topics(context, request.topics)
        request.topics = [topic for topic in request.topics if topic not in unknown]
        refused = [_refused(topic, ErrorCode.UNKNOWN_TOPIC_ID) for topic in unknown]
    request.topics, denied = context.sort_out(
        Operation.READ, ResourceType.TOPIC, request.topics, lambda topic: topic.name
    )
    refused += [_refused(topic, ErrorCode.TOPIC_AUTHORIZATION_FAILED) for topic in denied]
    request.topics, outside = take_missing(node.image, request.topics, _like)
    missing = [_refused(topic, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) for topic in outside]
    if not refused and not missing:
        return node.groups.commit_offsets(request, context.api_version)
    if not request.topics:
        return OffsetCommitResponse(topics=missing + refused)
    committed = node.groups.commit_offsets(request, context.api_version)
    answer = Pending()

    def complete(response: object) -> None:
        assert isinstance(response, OffsetCommitResponse)
        add_missing(response.topics, missing)
        response.topics += refused
        answer.resolve(response)

    committed.on_resolved(complete)
    return answer


def _like(topic: OffsetCommitRequestTopic, partitions: list[Any]) -> OffsetCommitRequestTopic:
    return OffsetCommitRequestTopic(name=topic.name, topic_id=topic.topic_id, partitions=partitions)


def _refused(topic: OffsetCommitRequestTopic, code: ErrorCode) -> OffsetCommitResponseTopic:
    return OffsetCommitResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=[
            OffsetCommitResponsePartition(
                partition_index=each.partition_index, error_code=int(code)
            )
            for each in topic.partitions
        ],
    )
