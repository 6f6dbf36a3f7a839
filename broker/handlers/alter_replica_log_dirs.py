"""AlterReplicaLogDirs (key 34): moves replicas between log directories of this broker (KIP-113).

It is answered when the moves have started; DescribeLogDirs shows their progress.
"""

from __future__ import annotations

from collections.abc import Iterator

from raftka.broker.request import Context, handles
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.net.protocol.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)


def refusal(request: AlterReplicaLogDirsRequest, error: KafkaError) -> AlterReplicaLogDirsResponse:
    """Repeat an error of the whole request for each replica that it names."""
    return _response({target: int(error.code) for target, _ in _wishes(request)})


@handles(AlterReplicaLogDirsRequest, versions=(1, 2), access=Cluster.ALTER, refusal=refusal)
def alter_replica_log_dirs(
    context: Context, request: AlterReplicaLogDirsRequest
) -> AlterReplicaLogDirsResponse:
    codes: dict[TopicPartition, int] = {}
    for target, path in _wishes(request):
        try:
            context.node.data_plane.mover.move(target, path)
            codes[target] = int(ErrorCode.NONE)
        except KafkaError as error:
            codes[target] = int(error.code)
    return _response(codes)


def _wishes(request: AlterReplicaLogDirsRequest) -> Iterator[tuple[TopicPartition, str]]:
    for directory in request.dirs:
        for topic in directory.topics:
            for index in topic.partitions:
                yield TopicPartition(topic.name, index), directory.path


def _response(codes: dict[TopicPartition, int]) -> AlterReplicaLogDirsResponse:
    topics: dict[str, AlterReplicaLogDirTopicResult] = {}
    for (name, index), code in codes.items():
        topic = topics.setdefault(name, AlterReplicaLogDirTopicResult(topic_name=name))
        topic.partitions.append(
            AlterReplicaLogDirPartitionResult(partition_index=index, error_code=code)
        )
    return AlterReplicaLogDirsResponse(results=list(topics.values()))
