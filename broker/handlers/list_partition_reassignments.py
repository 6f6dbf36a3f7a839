"""ListPartitionReassignments (key 46): the ongoing reassignments of partitions (KIP-455)."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.reassignments import ongoing
from raftka.kraft.controller.result import Result
from raftka.model.access import Cluster
from raftka.model.ids import TopicPartition
from raftka.net.protocol.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment,
    OngoingTopicReassignment,
)


@handles(ListPartitionReassignmentsRequest, versions=(0, 0), access=Cluster.DESCRIBE, forward=True)
async def handle_list_partition_reassignments(
    context: Context, request: ListPartitionReassignmentsRequest
) -> ListPartitionReassignmentsResponse:
    node = context.node
    wanted = None
    if request.topics is not None:
        wanted = [
            TopicPartition(topic.name, index)
            for topic in request.topics
            for index in topic.partition_indexes
        ]
    # Nothing is written, so the request's timeout does not matter; Kafka ignores it too.
    moving = await node.controller.submit(lambda image: Result((), ongoing(image, wanted)))
    topics: dict[str, list[OngoingPartitionReassignment]] = {}
    for which, partition in moving:
        topics.setdefault(which.topic, []).append(
            OngoingPartitionReassignment(
                partition_index=which.partition,
                replicas=list(partition.replicas),
                adding_replicas=list(partition.adding_replicas),
                removing_replicas=list(partition.removing_replicas),
            )
        )
    return ListPartitionReassignmentsResponse(
        topics=[
            OngoingTopicReassignment(name=name, partitions=partitions)
            for name, partitions in topics.items()
        ]
    )
