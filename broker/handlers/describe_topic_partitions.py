"""DescribeTopicPartitions (key 75): partitions page by page, with their eligible leaders (KIP-966).

Topics are listed in the order of their names; the cursor is the start of the next page.
"""

from __future__ import annotations

from raftka.broker.listener_view import Reach
from raftka.broker.request import Context, handles
from raftka.kraft.controller.topics import check_name
from raftka.kraft.image import PartitionImage
from raftka.model.access import NOT_ASKED, PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.internal_topics import INTERNAL_TOPICS
from raftka.net.protocol.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)


@handles(DescribeTopicPartitionsRequest, versions=(0, 0), access=PER_RESOURCE)
def describe_topic_partitions(
    context: Context, request: DescribeTopicPartitionsRequest
) -> DescribeTopicPartitionsResponse:
    node = context.node
    image = node.image
    reach = Reach(image, context.listener)
    named = sorted({topic.name for topic in request.topics})
    asked, denied = context.sort_out(
        Operation.DESCRIBE,
        ResourceType.TOPIC,
        named or sorted(image.topics),
        str,
        quietly=not named,
    )
    if not named:
        denied = []  # They do not exist for this client.
    first_topic, first_partition = "", 0
    if request.cursor is not None:
        first_topic, first_partition = request.cursor.topic_name, request.cursor.partition_index
        if first_partition < 0 or (named and first_topic not in named):
            # The answer has no field for an error of the whole request.
            return DescribeTopicPartitionsResponse(
                topics=[_failed(topic.name, ErrorCode.INVALID_REQUEST) for topic in request.topics]
            )
    limit = node.config.int("max.request.partition.size.limit")
    left = min(max(1, request.response_partition_limit), limit)
    found = [
        _failed(name, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        for name in denied
        if name >= first_topic
    ]
    for name in asked:
        if name < first_topic:
            continue
        if left == 0:
            return DescribeTopicPartitionsResponse(
                topics=found, next_cursor=Cursor(topic_name=name, partition_index=0)
            )
        topic = image.topics.get(name)
        if topic is None:
            missing = _failed(name, _why_not(name))
            missing.topic_authorized_operations = context.operations(ResourceType.TOPIC, name)
            found.append(missing)
            continue
        start = first_partition if name == first_topic else 0
        stop = min(len(topic.partitions), start + left)
        found.append(
            DescribeTopicPartitionsResponseTopic(
                error_code=int(ErrorCode.NONE),
                name=name,
                topic_id=topic.topic_id,
                is_internal=name in INTERNAL_TOPICS,
                topic_authorized_operations=context.operations(ResourceType.TOPIC, name),
                partitions=[
                    _partition(reach, index, topic.partitions[index])
                    for index in range(start, stop)
                ],
            )
        )
        left -= max(0, stop - start)
        if stop < len(topic.partitions):
            return DescribeTopicPartitionsResponse(
                topics=found, next_cursor=Cursor(topic_name=name, partition_index=stop)
            )
    return DescribeTopicPartitionsResponse(topics=found, next_cursor=None)


def _failed(name: str, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(
        error_code=int(code), name=name, topic_authorized_operations=NOT_ASKED
    )


def _why_not(name: str) -> ErrorCode:
    """The error code for a topic that does not exist."""
    try:
        check_name(name)
    except KafkaError as error:
        return error.code
    return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def _partition(
    reach: Reach, index: int, partition: PartitionImage
) -> DescribeTopicPartitionsResponsePartition:
    leader, code = reach.leader(partition)
    return DescribeTopicPartitionsResponsePartition(
        error_code=int(code),
        partition_index=index,
        leader_id=leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=list(partition.replicas),
        isr_nodes=list(partition.isr),
        eligible_leader_replicas=list(partition.elr),
        last_known_elr=list(partition.last_known_elr),
        offline_replicas=reach.offline(partition),
    )
