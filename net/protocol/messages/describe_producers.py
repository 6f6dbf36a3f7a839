"""The idempotent and transactional producers with state in a partition (KIP-664).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class TopicRequest(Struct):
    LAYOUT = (
        "name string",
        "partition_indexes []int32",
    )
    __slots__ = (
        "name",
        "partition_indexes",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partition_indexes: list[int] = FRESH,
    ) -> None:
        self.name = name
        self.partition_indexes = [] if partition_indexes is FRESH else partition_indexes


class ProducerState(Struct):
    LAYOUT = (
        "producer_id int64",
        "producer_epoch int32",
        "last_sequence int32 = -1",
        "last_timestamp int64 = -1",
        "coordinator_epoch int32",
        "current_txn_start_offset int64 = -1",
    )
    __slots__ = (
        "producer_id",
        "producer_epoch",
        "last_sequence",
        "last_timestamp",
        "coordinator_epoch",
        "current_txn_start_offset",
    )

    def __init__(
        self,
        *,
        producer_id: int = 0,
        producer_epoch: int = 0,
        last_sequence: int = -1,
        last_timestamp: int = -1,
        coordinator_epoch: int = 0,
        current_txn_start_offset: int = -1,
    ) -> None:
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.last_sequence = last_sequence
        self.last_timestamp = last_timestamp
        self.coordinator_epoch = coordinator_epoch
        self.current_txn_start_offset = current_txn_start_offset


class PartitionResponse(Struct):
    LAYOUT = (
        "partition_index int32",
        "error_code int16",
        "error_message string nullable = null",
        "active_producers []ProducerState",
    )
    __slots__ = (
        "partition_index",
        "error_code",
        "error_message",
        "active_producers",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        active_producers: list[ProducerState] = FRESH,
    ) -> None:
        self.partition_index = partition_index
        self.error_code = error_code
        self.error_message = error_message
        self.active_producers = [] if active_producers is FRESH else active_producers


class TopicResponse(Struct):
    LAYOUT = (
        "name string",
        "partitions []PartitionResponse",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[PartitionResponse] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class DescribeProducersResponse(Response):
    API_KEY = 61
    API_NAME = "DescribeProducers"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "topics []TopicResponse",
    )
    __slots__ = (
        "throttle_time",
        "topics",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        topics: list[TopicResponse] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.topics = [] if topics is FRESH else topics


class DescribeProducersRequest(Request[DescribeProducersResponse]):
    API_KEY = 61
    API_NAME = "DescribeProducers"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = DescribeProducersResponse
    LAYOUT = ("topics []TopicRequest",)
    __slots__ = ("topics",)

    def __init__(
        self,
        *,
        topics: list[TopicRequest] = FRESH,
    ) -> None:
        self.topics = [] if topics is FRESH else topics
