"""OffsetForLeaderEpoch (key 23): the end offset of a leader epoch in the leader's log (KIP-101,
KIP-279).

The answer is the largest epoch not above the requested one, and its end offset; -1 and -1 if the
log does not reach back that far. Consumers detect truncation by it (KIP-320), followers use it if
the answer to their fetch is not sufficient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)

if TYPE_CHECKING:
    from raftka.broker.node import Node


@handles(OffsetForLeaderEpochRequest, versions=(2, 4), access=PER_RESOURCE)
def offset_for_leader_epoch(
    context: Context, request: OffsetForLeaderEpochRequest
) -> OffsetForLeaderEpochResponse:
    node = context.node
    if context.metering is not None and request.replica_id >= 0:
        context.metering.exempt()
    response = OffsetForLeaderEpochResponse()
    is_node = context.may_with_cluster(Operation.CLUSTER_ACTION, quietly=True)
    for topic in request.topics:
        if is_node or context.may(Operation.DESCRIBE, ResourceType.TOPIC, topic.topic):
            answers = [_partition(node, topic.topic, wanted) for wanted in topic.partitions]
        else:
            code = int(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
            answers = [
                EpochEndOffset(partition=wanted.partition, error_code=code)
                for wanted in topic.partitions
            ]
        response.topics.append(OffsetForLeaderTopicResult(topic=topic.topic, partitions=answers))
    return response


def _partition(node: Node, topic: str, wanted: OffsetForLeaderPartition) -> EpochEndOffset:
    answer = EpochEndOffset(partition=wanted.partition)
    try:
        replica = node.replicas.find((topic, wanted.partition))
        node.replicas.check_serving(replica, node.clock.monotonic())
        replica.state.check_leader(wanted.current_leader_epoch)
        answer.leader_epoch, answer.end_offset = replica.log.end_offset_for_epoch(
            wanted.leader_epoch
        )
    except KafkaError as error:
        answer.error_code = int(error.code)
    return answer
