"""Leader, voters and observers of the metadata quorum (KIP-595, KIP-836, KIP-853). Timestamps in
ms, -1 where unknown. Kafka's TopicData and PartitionData are prefixed with Request or Response
here.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class RequestPartitionData(Struct):
    LAYOUT = ("partition_index int32",)
    __slots__ = ("partition_index",)

    def __init__(
        self,
        *,
        partition_index: int = 0,
    ) -> None:
        self.partition_index = partition_index


class RequestTopicData(Struct):
    LAYOUT = (
        "topic_name string",
        "partitions []RequestPartitionData",
    )
    __slots__ = (
        "topic_name",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_name: str = "",
        partitions: list[RequestPartitionData] = FRESH,
    ) -> None:
        self.topic_name = topic_name
        self.partitions = [] if partitions is FRESH else partitions


class ReplicaState(Struct):
    LAYOUT = (
        "replica_id int32",
        "replica_directory_id uuid 2+",
        "log_end_offset int64",
        "last_fetch_timestamp int64 1+ = -1",
        "last_caught_up_timestamp int64 1+ = -1",
    )
    __slots__ = (
        "replica_id",
        "replica_directory_id",
        "log_end_offset",
        "last_fetch_timestamp",
        "last_caught_up_timestamp",
    )

    def __init__(
        self,
        *,
        replica_id: int = 0,
        replica_directory_id: bytes = bytes(16),
        log_end_offset: int = 0,
        last_fetch_timestamp: int = -1,
        last_caught_up_timestamp: int = -1,
    ) -> None:
        self.replica_id = replica_id
        self.replica_directory_id = replica_directory_id
        self.log_end_offset = log_end_offset
        self.last_fetch_timestamp = last_fetch_timestamp
        self.last_caught_up_timestamp = last_caught_up_timestamp


class ResponsePartitionData(Struct):
    LAYOUT = (
        "partition_index int32",
        "error_code int16",
        "error_message string 2+ nullable = null",
        "leader_id int32",
        "leader_epoch int32",
        "high_watermark int64",
        "current_voters []ReplicaState",
        "observers []ReplicaState",
    )
    __slots__ = (
        "partition_index",
        "error_code",
        "error_message",
        "leader_id",
        "leader_epoch",
        "high_watermark",
        "current_voters",
        "observers",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        leader_id: int = 0,
        leader_epoch: int = 0,
        high_watermark: int = 0,
        current_voters: list[ReplicaState] = FRESH,
        observers: list[ReplicaState] = FRESH,
    ) -> None:
        self.partition_index = partition_index
        self.error_code = error_code
        self.error_message = error_message
        self.leader_id = leader_id
        self.leader_epoch = leader_epoch
        self.high_watermark = high_watermark
        self.current_voters = [] if current_voters is FRESH else current_voters
        self.observers = [] if observers is FRESH else observers


class ResponseTopicData(Struct):
    LAYOUT = (
        "topic_name string",
        "partitions []ResponsePartitionData",
    )
    __slots__ = (
        "topic_name",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_name: str = "",
        partitions: list[ResponsePartitionData] = FRESH,
    ) -> None:
        self.topic_name = topic_name
        self.partitions = [] if partitions is FRESH else partitions


class Listener(Struct):
    LAYOUT = (
        "name string",
        "host string",
        "port uint16",
    )
    __slots__ = (
        "name",
        "host",
        "port",
    )

    def __init__(
        self,
        *,
        name: str = "",
        host: str = "",
        port: int = 0,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port


class Node(Struct):
    LAYOUT = (
        "node_id int32",
        "listeners []Listener",
    )
    __slots__ = (
        "node_id",
        "listeners",
    )

    def __init__(
        self,
        *,
        node_id: int = 0,
        listeners: list[Listener] = FRESH,
    ) -> None:
        self.node_id = node_id
        self.listeners = [] if listeners is FRESH else listeners


class DescribeQuorumResponse(Response):
    API_KEY = 55
    API_NAME = "DescribeQuorum"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "error_code int16",
        "error_message string 2+ nullable = null",
        "topics []ResponseTopicData",
        "nodes []Node 2+",
    )
    __slots__ = (
        "error_code",
        "error_message",
        "topics",
        "nodes",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        error_message: str | None = None,
        topics: list[ResponseTopicData] = FRESH,
        nodes: list[Node] = FRESH,
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message
        self.topics = [] if topics is FRESH else topics
        self.nodes = [] if nodes is FRESH else nodes


class DescribeQuorumRequest(Request[DescribeQuorumResponse]):
    API_KEY = 55
    API_NAME = "DescribeQuorum"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 0
    RESPONSE = DescribeQuorumResponse
    LAYOUT = ("topics []RequestTopicData",)
    __slots__ = ("topics",)

    def __init__(
        self,
        *,
        topics: list[RequestTopicData] = FRESH,
    ) -> None:
        self.topics = [] if topics is FRESH else topics
