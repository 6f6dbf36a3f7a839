"""AlterPartition (key 56): a partition's leader proposes another ISR to the controller (KIP-497).

Version notes: 2 names topics by id and knows INELIGIBLE_REPLICA (KIP-841); 3 has the broker epoch
of each member (KIP-903).
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.in_sync_replicas import (
    ANY_BROKER_EPOCH,
    IsrAnswer,
    IsrWish,
    alter_partitions,
)
from raftka.model.access import Cluster
from raftka.model.errors import KafkaError
from raftka.net.protocol.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionResponse,
    RequestPartitionData,
    ResponsePartitionData,
    ResponseTopicData,
)


@handles(
    AlterPartitionRequest, versions=(2, 3), access=Cluster.CLUSTER_ACTION, listeners="controller"
)
async def handle_alter_partition(
    context: Context, request: AlterPartitionRequest
) -> AlterPartitionResponse:
    node = context.node
    controller = node.controller
    wishes = [
        _wish(bytes(topic.topic_id), each, context.api_version)
        for topic in request.topics
        for each in topic.partitions
    ]
    answers = await controller.submit(
        lambda image: alter_partitions(
            image, controller.rules, request.broker_id, request.broker_epoch, wishes
        )
    )
    topics: dict[bytes, list[ResponsePartitionData]] = {}
    for answer in answers:
        topics.setdefault(answer[0].topic_id, []).append(_result(answer))
    return AlterPartitionResponse(
        topics=[
            ResponseTopicData(topic_id=topic_id, partitions=partitions)
            for topic_id, partitions in topics.items()
        ]
    )


def _wish(topic_id: bytes, data: RequestPartitionData, api_version: int) -> IsrWish:
    if api_version >= 3:
        isr = tuple((each.broker_id, each.broker_epoch) for each in data.new_isr_with_epochs)
    else:
        isr = tuple((replica, ANY_BROKER_EPOCH) for replica in data.new_isr)
    return IsrWish(
        topic_id=topic_id,
        partition=data.partition_index,
        leader_epoch=data.leader_epoch,
        partition_epoch=data.partition_epoch,
        isr=isr,
        leader_recovery_state=data.leader_recovery_state,
    )


def _result(answer: IsrAnswer) -> ResponsePartitionData:
    wish, outcome = answer
    if isinstance(outcome, KafkaError):
        return ResponsePartitionData(partition_index=wish.partition, error_code=int(outcome.code))
    return ResponsePartitionData(
        partition_index=wish.partition,
        leader_id=outcome.leader,
        leader_epoch=outcome.leader_epoch,
        isr=list(outcome.isr),
        leader_recovery_state=outcome.leader_recovery_state,
        partition_epoch=outcome.partition_epoch,
    )
