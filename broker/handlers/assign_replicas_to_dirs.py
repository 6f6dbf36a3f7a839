"""AssignReplicasToDirs (key 73): the log directories of a broker's replicas (KIP-858)."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.log_directories import Placement
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.assign_replicas_to_dirs import (
    AssignedDirectory,
    AssignedPartition,
    AssignedTopic,
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsResponse,
)


@handles(
    AssignReplicasToDirsRequest,
    versions=(0, 0),
    access=Cluster.CLUSTER_ACTION,
    listeners="controller",
)
async def handle_assign_replicas_to_dirs(
    context: Context, request: AssignReplicasToDirsRequest
) -> AssignReplicasToDirsResponse:
    placements = [
        Placement(bytes(topic.topic_id), each.partition_index, bytes(directory.id))
        for directory in request.directories
        for topic in directory.topics
        for each in topic.partitions
    ]
    outcomes = iter(
        await context.node.controller.assign_replicas(
            request.broker_id, request.broker_epoch, placements
        )
    )
    codes = (int(ErrorCode.NONE if error is None else error.code) for error in outcomes)
    return AssignReplicasToDirsResponse(
        directories=[
            AssignedDirectory(
                id=directory.id,
                topics=[
                    AssignedTopic(
                        topic_id=topic.topic_id,
                        partitions=[
                            AssignedPartition(
                                partition_index=each.partition_index, error_code=next(codes)
                            )
                            for each in topic.partitions
                        ],
                    )
                    for topic in directory.topics
                ],
            )
            for directory in request.directories
        ]
    )
