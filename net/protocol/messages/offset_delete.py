"""Delete a group's offsets of topics that it does not subscribe to (KIP-496).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, NEVER, Request, Response, Struct


class OffsetDeleteRequestPartition(Struct):
    LAYOUT = ("partition_index int32",)
    __slots__ = ("partition_index",)

    def __init__(
        self,
        *,
        partition_index: int = 0,
    ) -> None:
        self.partition_index = partition_index


class OffsetDeleteRequestTopic(Struct):
    LAYOUT = (
        "name string",
        "partitions []OffsetDeleteRequestPartition",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[OffsetDeleteRequestPartition] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class OffsetDeleteResponsePartition(Struct):
    LAYOUT = (
        "partition_index int32",
        "error_code int16",
    )
    __slots__ = (
        "partition_index",
        "error_code",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        error_code: int = 0,
    ) -> None:
        self.partition_index = partition_index
        self.error_code = error_code


class OffsetDeleteResponseTopic(Struct):
    LAYOUT = (
        "name string",
        "partitions []OffsetDeleteResponsePartition",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[OffsetDeleteResponsePartition] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class OffsetDeleteResponse(Response):
    API_KEY = 47
    API_NAME = "OffsetDelete"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = NEVER
    LAYOUT = (
        "error_code int16",
        "throttle_time int32",
        "topics []OffsetDeleteResponseTopic",
    )
    __slots__ = (
        "error_code",
        "throttle_time",
        "topics",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        throttle_time: int = 0,
        topics: list[OffsetDeleteResponseTopic] = FRESH,
    ) -> None:
        self.error_code = error_code
        self.throttle_time = throttle_time
        self.topics = [] if topics is FRESH else topics


class OffsetDeleteRequest(Request[OffsetDeleteResponse]):
    API_KEY = 47
    API_NAME = "OffsetDelete"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = NEVER
    RESPONSE = OffsetDeleteResponse
    LAYOUT = (
        "group_id string",
        "topics []OffsetDeleteRequestTopic",
    )
    __slots__ = (
        "group_id",
        "topics",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topics: list[OffsetDeleteRequestTopic] = FRESH,
    ) -> None:
        self.group_id = group_id
        self.topics = [] if topics is FRESH else topics
