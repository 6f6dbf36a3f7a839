"""The partitions of topics, page by page (KIP-966).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class TopicRequest(Struct):
    LAYOUT = ("name string",)
    __slots__ = ("name",)

    def __init__(
        self,
        *,
        name: str = "",
    ) -> None:
        self.name = name


class Cursor(Struct):
    LAYOUT = (
        "topic_name string",
        "partition_index int32",
    )
    __slots__ = (
        "topic_name",
        "partition_index",
    )

    def __init__(
        self,
        *,
        topic_name: str = "",
        partition_index: int = 0,
    ) -> None:
        self.topic_name = topic_name
        self.partition_index = partition_index


class DescribeTopicPartitionsResponsePartition(Struct):
    LAYOUT = (
        "error_code int16",
        "partition_index int32",
        "leader_id int32",
        "leader_epoch int32 = -1",
        "replica_nodes []int32",
        "isr_nodes []int32",
        "eligible_leader_replicas []int32 nullable = null",
        "last_known_elr []int32 nullable = null",
        "offline_replicas []int32",
    )
    __slots__ = (
        "error_code",
        "partition_index",
        "leader_id",
        "leader_epoch",
        "replica_nodes",
        "isr_nodes",
        "eligible_leader_replicas",
        "last_known_elr",
        "offline_replicas",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        partition_index: int = 0,
        leader_id: int = 0,
        leader_epoch: int = -1,
        replica_nodes: list[int] = FRESH,
        isr_nodes: list[int] = FRESH,
        eligible_leader_replicas: list[int] | None = None,
        last_known_elr: list[int] | None = None,
        offline_replicas: list[int] = FRESH,
    ) -> None:
        self.error_code = error_code
        self.partition_index = partition_index
        self.leader_id = leader_id
        self.leader_epoch = leader_epoch
        self.replica_nodes = [] if replica_nodes is FRESH else replica_nodes
        self.isr_nodes = [] if isr_nodes is FRESH else isr_nodes
        self.eligible_leader_replicas = eligible_leader_replicas
        self.last_known_elr = last_known_elr
        self.offline_replicas = [] if offline_replicas is FRESH else offline_replicas


class DescribeTopicPartitionsResponseTopic(Struct):
    LAYOUT = (
        "error_code int16",
        "name string nullable = null",
        "topic_id uuid",
        "is_internal bool",
        "partitions []DescribeTopicPartitionsResponsePartition",
        "topic_authorized_operations int32 = -2147483648",
    )
    __slots__ = (
        "error_code",
        "name",
        "topic_id",
        "is_internal",
        "partitions",
        "topic_authorized_operations",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        name: str | None = None,
        topic_id: bytes = bytes(16),
        is_internal: bool = False,
        partitions: list[DescribeTopicPartitionsResponsePartition] = FRESH,
        topic_authorized_operations: int = -2147483648,
    ) -> None:
        self.error_code = error_code
        self.name = name
        self.topic_id = topic_id
        self.is_internal = is_internal
        self.partitions = [] if partitions is FRESH else partitions
        self.topic_authorized_operations = topic_authorized_operations


class DescribeTopicPartitionsResponse(Response):
    API_KEY = 75
    API_NAME = "DescribeTopicPartitions"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "topics []DescribeTopicPartitionsResponseTopic",
        "next_cursor Cursor nullable = null",
    )
    __slots__ = (
        "throttle_time",
        "topics",
        "next_cursor",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        topics: list[DescribeTopicPartitionsResponseTopic] = FRESH,
        next_cursor: Cursor | None = None,
    ) -> None:
        self.throttle_time = throttle_time
        self.topics = [] if topics is FRESH else topics
        self.next_cursor = next_cursor


class DescribeTopicPartitionsRequest(Request[DescribeTopicPartitionsResponse]):
    API_KEY = 75
    API_NAME = "DescribeTopicPartitions"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = DescribeTopicPartitionsResponse
    LAYOUT = (
        "topics []TopicRequest",
        "response_partition_limit int32 = 2000",
        "cursor Cursor nullable = null",
    )
    __slots__ = (
        "topics",
        "response_partition_limit",
        "cursor",
    )

    def __init__(
        self,
        *,
        topics: list[TopicRequest] = FRESH,
        response_partition_limit: int = 2000,
        cursor: Cursor | None = None,
    ) -> None:
        self.topics = [] if topics is FRESH else topics
        self.response_partition_limit = response_partition_limit
        self.cursor = cursor
