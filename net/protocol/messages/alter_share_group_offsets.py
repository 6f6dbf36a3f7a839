"""Change the start offsets of share-partitions of an empty group (KIP-932).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class AlterShareGroupOffsetsRequestPartition(Struct):
    LAYOUT = (
        "partition_index int32",
        "start_offset int64",
    )
    __slots__ = (
        "partition_index",
        "start_offset",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        start_offset: int = 0,
    ) -> None:
        self.partition_index = partition_index
        self.start_offset = start_offset


class AlterShareGroupOffsetsRequestTopic(Struct):
    LAYOUT = (
        "topic_name string",
        "partitions []AlterShareGroupOffsetsRequestPartition",
    )
    __slots__ = (
        "topic_name",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_name: str = "",
        partitions: list[AlterShareGroupOffsetsRequestPartition] = FRESH,
    ) -> None:
        self.topic_name = topic_name
        self.partitions = [] if partitions is FRESH else partitions


class AlterShareGroupOffsetsResponsePartition(Struct):
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


class AlterShareGroupOffsetsResponseTopic(Struct):
    LAYOUT = (
        "topic_name string",
        "topic_id uuid",
        "partitions []AlterShareGroupOffsetsResponsePartition",
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
        partitions: list[AlterShareGroupOffsetsResponsePartition] = FRESH,
    ) -> None:
        self.topic_name = topic_name
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class AlterShareGroupOffsetsResponse(Response):
    API_KEY = 91
    API_NAME = "AlterShareGroupOffsets"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable = null",
        "responses []AlterShareGroupOffsetsResponseTopic",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
        "responses",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        responses: list[AlterShareGroupOffsetsResponseTopic] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message
        self.responses = [] if responses is FRESH else responses


class AlterShareGroupOffsetsRequest(Request[AlterShareGroupOffsetsResponse]):
    API_KEY = 91
    API_NAME = "AlterShareGroupOffsets"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = AlterShareGroupOffsetsResponse
    LAYOUT = (
        "group_id string",
        "topics []AlterShareGroupOffsetsRequestTopic",
    )
    __slots__ = (
        "group_id",
        "topics",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topics: list[AlterShareGroupOffsetsRequestTopic] = FRESH,
    ) -> None:
        self.group_id = group_id
        self.topics = [] if topics is FRESH else topics
