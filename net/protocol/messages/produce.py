"""Append record batches to partitions (KIP-98, KIP-467, KIP-951, KIP-516). acks: 0 is never
answered, 1 waits for the leader, -1 for the in-sync replicas; timeout in ms. From 10 on an error
may contain the partition's new leader, which saves a Metadata request. From 12 on the broker
adds the partitions to the producer's transaction (KIP-890). From 13 on topics are named by id.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Records, Request, Response, Struct


class PartitionProduceData(Struct):
    LAYOUT = (
        "index int32",
        "records records nullable = null",
    )
    __slots__ = (
        "index",
        "records",
    )

    def __init__(
        self,
        *,
        index: int = 0,
        records: Records = None,
    ) -> None:
        self.index = index
        self.records = records


class TopicProduceData(Struct):
    LAYOUT = (
        "name string 3-12",
        "topic_id uuid 13+",
        "partition_data []PartitionProduceData",
    )
    __slots__ = (
        "name",
        "topic_id",
        "partition_data",
    )

    def __init__(
        self,
        *,
        name: str = "",
        topic_id: bytes = bytes(16),
        partition_data: list[PartitionProduceData] = FRESH,
    ) -> None:
        self.name = name
        self.topic_id = topic_id
        self.partition_data = [] if partition_data is FRESH else partition_data


class BatchIndexAndErrorMessage(Struct):
    LAYOUT = (
        "batch_index int32",
        "batch_index_error_message string nullable = null",
    )
    __slots__ = (
        "batch_index",
        "batch_index_error_message",
    )

    def __init__(
        self,
        *,
        batch_index: int = 0,
        batch_index_error_message: str | None = None,
    ) -> None:
        self.batch_index = batch_index
        self.batch_index_error_message = batch_index_error_message


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


class PartitionProduceResponse(Struct):
    LAYOUT = (
        "index int32",
        "error_code int16",
        "base_offset int64",
        "log_append_time int64 = -1",
        "log_start_offset int64 5+ = -1",
        "record_errors []BatchIndexAndErrorMessage 8+",
        "error_message string 8+ nullable = null",
        "current_leader LeaderIdAndEpoch 10+ tag 0",
    )
    __slots__ = (
        "index",
        "error_code",
        "base_offset",
        "log_append_time",
        "log_start_offset",
        "record_errors",
        "error_message",
        "current_leader",
    )

    def __init__(
        self,
        *,
        index: int = 0,
        error_code: int = 0,
        base_offset: int = 0,
        log_append_time: int = -1,
        log_start_offset: int = -1,
        record_errors: list[BatchIndexAndErrorMessage] = FRESH,
        error_message: str | None = None,
        current_leader: LeaderIdAndEpoch = FRESH,
    ) -> None:
        self.index = index
        self.error_code = error_code
        self.base_offset = base_offset
        self.log_append_time = log_append_time
        self.log_start_offset = log_start_offset
        self.record_errors = [] if record_errors is FRESH else record_errors
        self.error_message = error_message
        self.current_leader = LeaderIdAndEpoch() if current_leader is FRESH else current_leader


class TopicProduceResponse(Struct):
    LAYOUT = (
        "name string 3-12",
        "topic_id uuid 13+",
        "partition_responses []PartitionProduceResponse",
    )
    __slots__ = (
        "name",
        "topic_id",
        "partition_responses",
    )

    def __init__(
        self,
        *,
        name: str = "",
        topic_id: bytes = bytes(16),
        partition_responses: list[PartitionProduceResponse] = FRESH,
    ) -> None:
        self.name = name
        self.topic_id = topic_id
        self.partition_responses = [] if partition_responses is FRESH else partition_responses


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


class ProduceResponse(Response):
    API_KEY = 0
    API_NAME = "Produce"
    VALID_VERSIONS = (3, 13)
    FLEXIBLE_FROM = 9
    LAYOUT = (
        "responses []TopicProduceResponse",
        "throttle_time int32",
        "node_endpoints []NodeEndpoint 10+ tag 0",
    )
    __slots__ = (
        "responses",
        "throttle_time",
        "node_endpoints",
    )

    def __init__(
        self,
        *,
        responses: list[TopicProduceResponse] = FRESH,
        throttle_time: int = 0,
        node_endpoints: list[NodeEndpoint] = FRESH,
    ) -> None:
        self.responses = [] if responses is FRESH else responses
        self.throttle_time = throttle_time
        self.node_endpoints = [] if node_endpoints is FRESH else node_endpoints


class ProduceRequest(Request[ProduceResponse]):
    API_KEY = 0
    API_NAME = "Produce"
    VALID_VERSIONS = (3, 13)
    FLEXIBLE_FROM = 9
    RESPONSE = ProduceResponse
    LAYOUT = (
        "transactional_id string nullable = null",
        "acks int16",
        "timeout int32",
        "topic_data []TopicProduceData",
    )
    __slots__ = (
        "transactional_id",
        "acks",
        "timeout",
        "topic_data",
    )

    def __init__(
        self,
        *,
        transactional_id: str | None = None,
        acks: int = 0,
        timeout: int = 0,
        topic_data: list[TopicProduceData] = FRESH,
    ) -> None:
        self.transactional_id = transactional_id
        self.acks = acks
        self.timeout = timeout
        self.topic_data = [] if topic_data is FRESH else topic_data
