"""DescribeQuorum (key 55): leader, voters and observers of the metadata log (KIP-595, KIP-836).

Only the leader knows the progress of the others, so brokers forward this to it. Version notes: 1
has the times of the last fetch, 2 directory ids and the voters' endpoints (KIP-853).
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.topics import METADATA_TOPIC
from raftka.kraft.raft.port import QuorumDescription, ReplicaState
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode
from raftka.model.ids import NO_BROKER
from raftka.net.protocol.messages import describe_quorum as messages
from raftka.net.protocol.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    ResponsePartitionData,
    ResponseTopicData,
)


@handles(DescribeQuorumRequest, versions=(0, 2), access=Cluster.DESCRIBE, forward=True)
async def handle_describe_quorum(
    context: Context, request: DescribeQuorumRequest
) -> DescribeQuorumResponse:
    node = context.node
    described = node.quorum.describe()
    leads = described.leader_id == node.node_id
    topics = []
    for topic in request.topics:
        known = topic.topic_name == METADATA_TOPIC
        partitions = [
            _partition(described, leads)
            if known and each.partition_index == 0
            else _failed(each.partition_index, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            for each in topic.partitions
        ]
        topics.append(ResponseTopicData(topic_name=topic.topic_name, partitions=partitions))
    listener = node.config.names("controller.listener.names")[0]
    nodes = _nodes(described, listener) if leads else []
    return DescribeQuorumResponse(topics=topics, nodes=nodes)


def _failed(index: int, code: ErrorCode) -> ResponsePartitionData:
    return ResponsePartitionData(partition_index=index, error_code=int(code))


def _partition(described: QuorumDescription, leads: bool) -> ResponsePartitionData:
    if not leads:
        return _failed(0, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    leader = NO_BROKER if described.leader_id is None else described.leader_id
    return ResponsePartitionData(
        partition_index=0,
        leader_id=leader,
        leader_epoch=described.epoch,
        high_watermark=described.high_watermark,
        current_voters=[_replica(each) for each in described.voters],
        observers=[_replica(each) for each in described.observers],
    )


def _replica(state: ReplicaState) -> messages.ReplicaState:
    return messages.ReplicaState(
        replica_id=state.id,
        replica_directory_id=state.directory_id,
        log_end_offset=state.log_end_offset,
        last_fetch_timestamp=state.last_fetch_ms,
        last_caught_up_timestamp=state.last_caught_up_ms,
    )


def _nodes(described: QuorumDescription, listener: str) -> list[messages.Node]:
    """The voters; those of controller.quorum.voters have no listener name except the one in use."""
    return [
        messages.Node(
            node_id=each.id,
            listeners=[
                messages.Listener(name=where.name or listener, host=where.host, port=where.port)
                for where in each.endpoints
            ],
        )
        for each in described.voters
    ]
