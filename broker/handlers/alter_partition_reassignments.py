"""AlterPartitionReassignments (key 45): moves replicas, or with null replicas cancels a move
(KIP-455).

Version notes: 1 can forbid changes of the replication factor (KIP-860).
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.reassignments import Move, alter_reassignments
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from raftka.net.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)


@handles(AlterPartitionReassignmentsRequest, versions=(0, 1), access=Cluster.ALTER, forward=True)
async def handle_alter_partition_reassignments(
    context: Context, request: AlterPartitionReassignmentsRequest
) -> AlterPartitionReassignmentsResponse:
    node = context.node
    controller = node.controller
    moves = [
        Move(
            TopicPartition(topic.name, each.partition_index),
            None if each.replicas is None else tuple(each.replicas),
        )
        for topic in request.topics
        for each in topic.partitions
    ]
    outcomes = await controller.submit(
        lambda image: alter_reassignments(
            image,
            controller.rules,
            moves,
            allow_replication_factor_change=request.allow_replication_factor_change,
        ),
        timeout_ms=request.timeout,
    )
    topics: dict[str, list[ReassignablePartitionResponse]] = {}
    for which, failure in outcomes:
        topics.setdefault(which.topic, []).append(
            ReassignablePartitionResponse(
                partition_index=which.partition,
                error_code=int(ErrorCode.NONE if failure is None else failure.code),
                error_message=None if failure is None else failure.message,
            )
        )
    return AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=request.allow_replication_factor_change,
        responses=[
            ReassignableTopicResponse(name=name, partitions=partitions)
            for name, partitions in topics.items()
        ],
    )
