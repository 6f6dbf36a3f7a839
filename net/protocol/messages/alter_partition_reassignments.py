"""Begin or, with null replicas, cancel reassignments (KIP-455, KIP-860).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class ReassignablePartition(Struct):
    LAYOUT = (
        "partition_index int32",
        "replicas []int32 nullable = null",
    )
    __slots__ = (
        "partition_index",
        "replicas",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        replicas: list[int] | None = None,
    ) -> None:
        self.partition_index = partition_index
        self.replicas = replicas


class ReassignableTopic(Struct):
    LAYOUT = (
        "name string",
        "partitions []ReassignablePartition",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[ReassignablePartition] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class ReassignablePartitionResponse(Struct):
    LAYOUT = (
        "partition_index int32",
        "error_code int16",
        "error_message string nullable = null",
    )
    __slots__ = (
        "partition_index",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.partition_index = partition_index
        self.error_code = error_code
        self.error_message = error_message


class ReassignableTopicResponse(Struct):
    LAYOUT = (
        "name string",
        "partitions []ReassignablePartitionResponse",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[ReassignablePartitionResponse] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class AlterPartitionReassignmentsResponse(Response):
    API_KEY = 45
    API_NAME = "AlterPartitionReassignments"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "allow_replication_factor_change bool 1+ = true",
        "error_code int16",
        "error_message string nullable = null",
        "responses []ReassignableTopicResponse",
    )
    __slots__ = (
        "throttle_time",
        "allow_replication_factor_change",
        "error_code",
        "error_message",
        "responses",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        allow_replication_factor_change: bool = True,
        error_code: int = 0,
        error_message: str | None = None,
        responses: list[ReassignableTopicResponse] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.allow_replication_factor_change = allow_replication_factor_change
        self.error_code = error_code
        self.error_message = error_message
        self.responses = [] if responses is FRESH else responses


class AlterPartitionReassignmentsRequest(Request[AlterPartitionReassignmentsResponse]):
    API_KEY = 45
    API_NAME = "AlterPartitionReassignments"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    RESPONSE = AlterPartitionReassignmentsResponse
    LAYOUT = (
        "timeout int32 = 60000",
        "allow_replication_factor_change bool 1+ = true",
        "topics []ReassignableTopic",
    )
    __slots__ = (
        "timeout",
        "allow_replication_factor_change",
        "topics",
    )

    def __init__(
        self,
        *,
        timeout: int = 60000,
        allow_replication_factor_change: bool = True,
        topics: list[ReassignableTopic] = FRESH,
    ) -> None:
        self.timeout = timeout
        self.allow_replication_factor_change = allow_replication_factor_change
        self.topics = [] if topics is FRESH else topics
