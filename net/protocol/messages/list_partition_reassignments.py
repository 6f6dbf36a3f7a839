"""Ongoing reassignments (KIP-455). A null list of topics requests all.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class ListPartitionReassignmentsTopics(Struct):
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


class OngoingPartitionReassignment(Struct):
    LAYOUT = (
        "partition_index int32",
        "replicas []int32",
        "adding_replicas []int32",
        "removing_replicas []int32",
    )
    __slots__ = (
        "partition_index",
        "replicas",
        "adding_replicas",
        "removing_replicas",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        replicas: list[int] = FRESH,
        adding_replicas: list[int] = FRESH,
        removing_replicas: list[int] = FRESH,
    ) -> None:
        self.partition_index = partition_index
        self.replicas = [] if replicas is FRESH else replicas
        self.adding_replicas = [] if adding_replicas is FRESH else adding_replicas
        self.removing_replicas = [] if removing_replicas is FRESH else removing_replicas


class OngoingTopicReassignment(Struct):
    LAYOUT = (
        "name string",
        "partitions []OngoingPartitionReassignment",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[OngoingPartitionReassignment] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class ListPartitionReassignmentsResponse(Response):
    API_KEY = 46
    API_NAME = "ListPartitionReassignments"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable = null",
        "topics []OngoingTopicReassignment",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
        "topics",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        topics: list[OngoingTopicReassignment] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message
        self.topics = [] if topics is FRESH else topics


class ListPartitionReassignmentsRequest(Request[ListPartitionReassignmentsResponse]):
    API_KEY = 46
    API_NAME = "ListPartitionReassignments"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = ListPartitionReassignmentsResponse
    LAYOUT = (
        "timeout int32 = 60000",
        "topics []ListPartitionReassignmentsTopics nullable",
    )
    __slots__ = (
        "timeout",
        "topics",
    )

    def __init__(
        self,
        *,
        timeout: int = 60000,
        topics: list[ListPartitionReassignmentsTopics] | None = FRESH,
    ) -> None:
        self.timeout = timeout
        self.topics = [] if topics is FRESH else topics
