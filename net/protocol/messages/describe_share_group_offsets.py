"""The start offsets of share-partitions (KIP-932). From 1 on with their lag (KIP-1226).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class DescribeShareGroupOffsetsRequestTopic(Struct):
    LAYOUT = (
        "topic_name string",
        "partitions []int32",
    )
    __slots__ = (
        "topic_name",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_name: str = "",
        partitions: list[int] = FRESH,
    ) -> None:
        self.topic_name = topic_name
        self.partitions = [] if partitions is FRESH else partitions


class DescribeShareGroupOffsetsRequestGroup(Struct):
    LAYOUT = (
        "group_id string",
        "topics []DescribeShareGroupOffsetsRequestTopic nullable",
    )
    __slots__ = (
        "group_id",
        "topics",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topics: list[DescribeShareGroupOffsetsRequestTopic] | None = FRESH,
    ) -> None:
        self.group_id = group_id
        self.topics = [] if topics is FRESH else topics


class DescribeShareGroupOffsetsResponsePartition(Struct):
    LAYOUT = (
        "partition_index int32",
        "start_offset int64",
        "leader_epoch int32",
        "lag int64 1+ = -1",
        "error_code int16",
        "error_message string nullable = null",
    )
    __slots__ = (
        "partition_index",
        "start_offset",
        "leader_epoch",
        "lag",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        start_offset: int = 0,
        leader_epoch: int = 0,
        lag: int = -1,
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.partition_index = partition_index
        self.start_offset = start_offset
        self.leader_epoch = leader_epoch
        self.lag = lag
        self.error_code = error_code
        self.error_message = error_message


class DescribeShareGroupOffsetsResponseTopic(Struct):
    LAYOUT = (
        "topic_name string",
        "topic_id uuid",
        "partitions []DescribeShareGroupOffsetsResponsePartition",
    )
    __slots__ = (
        "topic_name",
        "topic_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_name: str = "",
        topic_id: bytes = bytes(16),
        partitions: list[DescribeShareGroupOffsetsResponsePartition] = FRESH,
    ) -> None:
        self.topic_name = topic_name
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class DescribeShareGroupOffsetsResponseGroup(Struct):
    LAYOUT = (
        "group_id string",
        "topics []DescribeShareGroupOffsetsResponseTopic",
        "error_code int16",
        "error_message string nullable = null",
    )
    __slots__ = (
        "group_id",
        "topics",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topics: list[DescribeShareGroupOffsetsResponseTopic] = FRESH,
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.group_id = group_id
        self.topics = [] if topics is FRESH else topics
        self.error_code = error_code
        self.error_message = error_message


class DescribeShareGroupOffsetsResponse(Response):
    API_KEY = 90
    API_NAME = "DescribeShareGroupOffsets"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "groups []DescribeShareGroupOffsetsResponseGroup",
    )
    __slots__ = (
        "throttle_time",
        "groups",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        groups: list[DescribeShareGroupOffsetsResponseGroup] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.groups = [] if groups is FRESH else groups


class DescribeShareGroupOffsetsRequest(Request[DescribeShareGroupOffsetsResponse]):
    API_KEY = 90
    API_NAME = "DescribeShareGroupOffsets"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    RESPONSE = DescribeShareGroupOffsetsResponse
    LAYOUT = ("groups []DescribeShareGroupOffsetsRequestGroup",)
    __slots__ = ("groups",)

    def __init__(
        self,
        *,
        groups: list[DescribeShareGroupOffsetsRequestGroup] = FRESH,
    ) -> None:
        self.groups = [] if groups is FRESH else groups
