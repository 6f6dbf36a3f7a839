"""Acknowledge records that a member of a share group has acquired (KIP-932). From 2 on a member may
renew its acquisitions (KIP-1222).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class AcknowledgementBatch(Struct):
    LAYOUT = (
        "first_offset int64",
        "last_offset int64",
        "acknowledge_types []int8",
    )
    __slots__ = (
        "first_offset",
        "last_offset",
        "acknowledge_types",
    )

    def __init__(
        self,
        *,
        first_offset: int = 0,
        last_offset: int = 0,
        acknowledge_types: list[int] = FRESH,
    ) -> None:
        self.first_offset = first_offset
        self.last_offset = last_offset
        self.acknowledge_types = [] if acknowledge_types is FRESH else acknowledge_types


class AcknowledgePartition(Struct):
    LAYOUT = (
        "partition_index int32",
        "acknowledgement_batches []AcknowledgementBatch",
    )
    __slots__ = (
        "partition_index",
        "acknowledgement_batches",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        acknowledgement_batches: list[AcknowledgementBatch] = FRESH,
    ) -> None:
        self.partition_index = partition_index
        self.acknowledgement_batches = (
            [] if acknowledgement_batches is FRESH else acknowledgement_batches
        )


class AcknowledgeTopic(Struct):
    LAYOUT = (
        "topic_id uuid",
        "partitions []AcknowledgePartition",
    )
    __slots__ = (
        "topic_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_id: bytes = bytes(16),
        partitions: list[AcknowledgePartition] = FRESH,
    ) -> None:
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class LeaderIdAndEpoch(Struct):
    LAYOUT = (
        "leader_id int32",
        "leader_epoch int32",
    )
    __slots__ = (
        "leader_id",
        "leader_epoch",
    )

    def __init__(
        self,
        *,
        leader_id: int = 0,
        leader_epoch: int = 0,
    ) -> None:
        self.leader_id = leader_id
        self.leader_epoch = leader_epoch


class PartitionData(Struct):
    LAYOUT = (
        "partition_index int32",
        "error_code int16",
        "error_message string nullable = null",
        "current_leader LeaderIdAndEpoch",
    )
    __slots__ = (
        "partition_index",
        "error_code",
        "error_message",
        "current_leader",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        current_leader: LeaderIdAndEpoch = FRESH,
    ) -> None:
        self.partition_index = partition_index
        self.error_code = error_code
        self.error_message = error_message
        self.current_leader = LeaderIdAndEpoch() if current_leader is FRESH else current_leader


class ShareAcknowledgeTopicResponse(Struct):
    LAYOUT = (
        "topic_id uuid",
        "partitions []PartitionData",
    )
    __slots__ = (
        "topic_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_id: bytes = bytes(16),
        partitions: list[PartitionData] = FRESH,
    ) -> None:
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


class ShareAcknowledgeResponse(Response):
    API_KEY = 79
    API_NAME = "ShareAcknowledge"
    VALID_VERSIONS = (1, 2)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable = null",
        "acquisition_lock_timeout int32 2+",
        "responses []ShareAcknowledgeTopicResponse",
        "node_endpoints []NodeEndpoint",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
        "acquisition_lock_timeout",
        "responses",
        "node_endpoints",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        acquisition_lock_timeout: int = 0,
        responses: list[ShareAcknowledgeTopicResponse] = FRESH,
        node_endpoints: list[NodeEndpoint] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message
        self.acquisition_lock_timeout = acquisition_lock_timeout
        self.responses = [] if responses is FRESH else responses
        self.node_endpoints = [] if node_endpoints is FRESH else node_endpoints


class ShareAcknowledgeRequest(Request[ShareAcknowledgeResponse]):
    API_KEY = 79
    API_NAME = "ShareAcknowledge"
    VALID_VERSIONS = (1, 2)
    FLEXIBLE_FROM = 0
    RESPONSE = ShareAcknowledgeResponse
    LAYOUT = (
        "group_id string nullable = null",
        "member_id string nullable",
        "share_session_epoch int32",
        "is_renew_ack bool 2+",
        "topics []AcknowledgeTopic",
    )
    __slots__ = (
        "group_id",
        "member_id",
        "share_session_epoch",
        "is_renew_ack",
        "topics",
    )

    def __init__(
        self,
        *,
        group_id: str | None = None,
        member_id: str | None = "",
        share_session_epoch: int = 0,
        is_renew_ack: bool = False,
        topics: list[AcknowledgeTopic] = FRESH,
    ) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.share_session_epoch = share_session_epoch
        self.is_renew_ack = is_renew_ack
        self.topics = [] if topics is FRESH else topics
