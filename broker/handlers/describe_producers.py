"""DescribeProducers (key 61): the producers with state in a partition, and the start offsets of
their open transactions (KIP-664).

Followers answer too, for their own logs: `kafka-transactions describe-producers --broker-id`
inspects one replica, and `find-hanging --broker-id` asks one broker about all its partitions.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.topics import check_name
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import KafkaError
from raftka.net.protocol.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)


@handles(DescribeProducersRequest, versions=(0, 0), access=PER_RESOURCE)
def describe_producers(
    context: Context, request: DescribeProducersRequest
) -> DescribeProducersResponse:
    return DescribeProducersResponse(
        topics=[
            TopicResponse(
                name=topic.name,
                partitions=[_partition(context, topic.name, i) for i in topic.partition_indexes],
            )
            for topic in request.topics
        ]
    )


def _partition(context: Context, topic: str, index: int) -> PartitionResponse:
    node = context.node
    answer = PartitionResponse(partition_index=index)
    try:
        check_name(topic)
        context.require(Operation.READ, ResourceType.TOPIC, topic)
        replica = node.replicas.find((topic, index))
    except KafkaError as error:
        answer.error_code = int(error.code)
        answer.error_message = error.message
        return answer
    for producer_id, entry in sorted(replica.log.producer_state.producers.items()):
        answer.active_producers.append(
            ProducerState(
                producer_id=producer_id,
                producer_epoch=entry.epoch,
                last_sequence=entry.batches[-1].last_sequence if entry.batches else -1,
                last_timestamp=entry.last_timestamp,
                coordinator_epoch=entry.coordinator_epoch,
                current_txn_start_offset=entry.txn_first_offset,
            )
        )
    return answer
