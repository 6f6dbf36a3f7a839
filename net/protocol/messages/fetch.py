"""Read record batches, as a consumer or as a follower (KIP-74, KIP-227, KIP-320, KIP-392, KIP-595).
From 7 on fetch sessions omit unchanged partitions. From 9 on requests are fenced by leader
epoch. From 11 on a consumer may be sent to a nearer replica. From 12 on a follower learns where
its log diverges. From 13 on topics are named by id. From 15 on the follower sends its broker
epoch (KIP-903), from 18 on its high watermark (KIP-1166).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Records, Request, Response, Struct


class ReplicaState(Struct):
    LAYOUT = (
        "replica_id int32 = -1",
        "replica_epoch int64 = -1",
    )
    __slots__ = (
        "replica_id",
        "replica_epoch",
    )

    def __init__(
        self,
        *,
        replica_id: int = -1,
        replica_epoch: int = -1,
    ) -> None:
        self.replica_id = replica_id
        self.replica_epoch = replica_epoch


class FetchPartition(Struct):
    LAYOUT = (
        "partition int32",
        "current_leader_epoch int32 9+ = -1",
        "fetch_offset int64",
        "last_fetched_epoch int32 12+ = -1",
        "log_start_offset int64 5+ = -1",
        "partition_max_bytes int32",
        "replica_directory_id uuid 17+ tag 0",
        "high_watermark int64 18+ tag 1 = 9223372036854775807",
    )
    __slots__ = (
        "partition",
        "current_leader_epoch",
        "fetch_offset",
        "last_fetched_epoch",
        "log_start_offset",
        "partition_max_bytes",
        "replica_directory_id",
        "high_watermark",
    )

    def __init__(
        self,
        *,
        partition: int = 0,
        current_leader_epoch: int = -1,
        fetch_offset: int = 0,
        last_fetched_epoch: int = -1,
        log_start_offset: int = -1,
        partition_max_bytes: int = 0,
        replica_directory_id: bytes = bytes(16),
        high_watermark: int = 9223372036854775807,
    ) -> None:
        self.partition = partition
        self.current_leader_epoch = current_leader_epoch
        self.fetch_offset = fetch_offset
        self.last_fetched_epoch = last_fetched_epoch
        self.log_start_offset = log_start_offset
        self.partition_max_bytes = partition_max_bytes
        self.replica_directory_id = replica_directory_id
        self.high_watermark = high_watermark


class FetchTopic(Struct):
    LAYOUT = (
        "topic string 4-12",
        "topic_id uuid 13+",
        "partitions []FetchPartition",
    )
    __slots__ = (
        "topic",
        "topic_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic: str = "",
        topic_id: bytes = bytes(16),
        partitions: list[FetchPartition] = FRESH,
    ) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class ForgottenTopic(Struct):
    LAYOUT = (
        "topic string 7-12",
        "topic_id uuid 13+",
        "partitions []int32",
    )
    __slots__ = (
        "topic",
        "topic_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic: str = "",
        topic_id: bytes = bytes(16),
        partitions: list[int] = FRESH,
    ) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class EpochEndOffset(Struct):
    LAYOUT = (
        "epoch int32 = -1",
        "end_offset int64 = -1",
    )
    __slots__ = (
        "epoch",
        "end_offset",
    )

    def __init__(
        self,
        *,
        epoch: int = -1,
        end_offset: int = -1,
    ) -> None:
        self.epoch = epoch
        self.end_offset = end_offset


class LeaderIdAndEpoch(Struct):
    LAYOUT = (
        "leader_id int32 = -1",
        "leader_epoch int32 = -1",
    )
    __slots__ = (
        "leader_id",
        "leader_epoch",
    )

    def __init__(
        self,
        *,
        leader_id: int = -1,
        leader_epoch: int = -1,
    ) -> None:
        self.leader_id = leader_id
        self.leader_epoch = leader_epoch


class SnapshotId(Struct):
    LAYOUT = (
        "end_offset int64 = -1",
        "epoch int32 = -1",
    )
    __slots__ = (
        "end_offset",
        "epoch",
    )

    def __init__(
        self,
        *,
        end_offset: int = -1,
        epoch: int = -1,
    ) -> None:
        self.end_offset = end_offset
        self.epoch = epoch


class AbortedTransaction(Struct):
    LAYOUT = (
        "producer_id int64",
        "first_offset int64",
    )
    __slots__ = (
        "producer_id",
        "first_offset",
    )

    def __init__(
        self,
        *,
        producer_id: int = 0,
        first_offset: int = 0,
    ) -> None:
        self.producer_id = producer_id
        self.first_offset = first_offset


class PartitionData(Struct):
    LAYOUT = (
        "partition_index int32",
        "error_code int16",
        "high_watermark int64",
        "last_stable_offset int64 = -1",
        "log_start_offset int64 5+ = -1",
        "diverging_epoch EpochEndOffset 12+ tag 0",
        "current_leader LeaderIdAndEpoch 12+ tag 1",
        "snapshot_id SnapshotId 12+ tag 2",
        "aborted_transactions []AbortedTransaction nullable",
        "preferred_read_replica int32 11+ = -1",
        "records records nullable = null",
    )
    __slots__ = (
        "partition_index",
        "error_code",
        "high_watermark",
        "last_stable_offset",
        "log_start_offset",
        "diverging_epoch",
        "current_leader",
        "snapshot_id",
        "aborted_transactions",
        "preferred_read_replica",
        "records",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        error_code: int = 0,
        high_watermark: int = 0,
        last_stable_offset: int = -1,
        log_start_offset: int = -1,
        diverging_epoch: EpochEndOffset = FRESH,
        current_leader: LeaderIdAndEpoch = FRESH,
        snapshot_id: SnapshotId = FRESH,
        aborted_transactions: list[AbortedTransaction] | None = FRESH,
        preferred_read_replica: int = -1,
        records: Records = None,
    ) -> None:
        self.partition_index = partition_index
        self.error_code = error_code
        self.high_watermark = high_watermark
        self.last_stable_offset = last_stable_offset
        self.log_start_offset = log_start_offset
        self.diverging_epoch = EpochEndOffset() if diverging_epoch is FRESH else diverging_epoch
        self.current_leader = LeaderIdAndEpoch() if current_leader is FRESH else current_leader
        self.snapshot_id = SnapshotId() if snapshot_id is FRESH else snapshot_id
        self.aborted_transactions = [] if aborted_transactions is FRESH else aborted_transactions
        self.preferred_read_replica = preferred_read_replica
        self.records = records


class FetchableTopicResponse(Struct):
    LAYOUT = (
        "topic string 4-12",
        "topic_id uuid 13+",
        "partitions []PartitionData",
    )
    __slots__ = (
        "topic",
        "topic_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic: str = "",
        topic_id: bytes = bytes(16),
        partitions: list[PartitionData] = FRESH,
    ) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class NodeEndpoint(Struct):
    LAYOUT = (
        "node_id int32",
        "host string",
        "port int32",
        "rack string nullable = null",
    )
    __slots__ = (
        "node_id",
        "host",
        "port",
        "rack",
    )

    def __init__(
        self,
        *,
        node_id: int = 0,
        host: str = "",
        port: int = 0,
        rack: str | None = None,
    ) -> None:
        self.node_id = node_id
        self.host = host
        self.port = port
        self.rack = rack


class FetchResponse(Response):
    API_KEY = 1
    API_NAME = "Fetch"
    VALID_VERSIONS = (4, 18)
    FLEXIBLE_FROM = 12
    LAYOUT = (
        "throttle_time int32",
        "error_code int16 7+",
        "session_id int32 7+",
        "responses []FetchableTopicResponse",
        "node_endpoints []NodeEndpoint 16+ tag 0",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "session_id",
        "responses",
        "node_endpoints",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        session_id: int = 0,
        responses: list[FetchableTopicResponse] = FRESH,
        node_endpoints: list[NodeEndpoint] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.session_id = session_id
        self.responses = [] if responses is FRESH else responses
        self.node_endpoints = [] if node_endpoints is FRESH else node_endpoints


class FetchRequest(Request[FetchResponse]):
    API_KEY = 1
    API_NAME = "Fetch"
    VALID_VERSIONS = (4, 18)
    FLEXIBLE_FROM = 12
    RESPONSE = FetchResponse
    LAYOUT = (
        "cluster_id string 12+ nullable tag 0 = null",
        "replica_id int32 4-14 = -1",
        "replica_state ReplicaState 15+ tag 1",
        "max_wait int32",
        "min_bytes int32",
        "max_bytes int32 = 2147483647",
        "isolation_level int8",
        "session_id int32 7+",
        "session_epoch int32 7+ = -1",
        "topics []FetchTopic",
        "forgotten_topics_data []ForgottenTopic 7+",
        "rack_id string 11+",
    )
    __slots__ = (
        "cluster_id",
        "replica_id",
        "replica_state",
        "max_wait",
        "min_bytes",
        "max_bytes",
        "isolation_level",
        "session_id",
        "session_epoch",
        "topics",
        "forgotten_topics_data",
        "rack_id",
    )

    def __init__(
        self,
        *,
        cluster_id: str | None = None,
        replica_id: int = -1,
        replica_state: ReplicaState = FRESH,
        max_wait: int = 0,
        min_bytes: int = 0,
        max_bytes: int = 2147483647,
        isolation_level: int = 0,
        session_id: int = 0,
        session_epoch: int = -1,
        topics: list[FetchTopic] = FRESH,
        forgotten_topics_data: list[ForgottenTopic] = FRESH,
        rack_id: str = "",
    ) -> None:
        self.cluster_id = cluster_id
        self.replica_id = replica_id
        self.replica_state = ReplicaState() if replica_state is FRESH else replica_state
        self.max_wait = max_wait
        self.min_bytes = min_bytes
        self.max_bytes = max_bytes
        self.isolation_level = isolation_level
        self.session_id = session_id
        self.session_epoch = session_epoch
        self.topics = [] if topics is FRESH else topics
        self.forgotten_topics_data = [] if forgotten_topics_data is FRESH else forgotten_topics_data
        self.rack_id = rack_id
