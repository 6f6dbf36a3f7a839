"""Delete the state of share-partitions (KIP-932); sent by group coordinators.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class PartitionData(Struct):
    LAYOUT = ("partition int32",)
    __slots__ = ("partition",)

    def __init__(
        self,
        *,
        partition: int = 0,
    ) -> None:
        self.partition = partition


class DeleteStateData(Struct):
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


class PartitionResult(Struct):
    LAYOUT = (
        "partition int32",
        "error_code int16",
        "error_message string nullable = null",
    )
    __slots__ = (
        "partition",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        partition: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.partition = partition
        self.error_code = error_code
        self.error_message = error_message


class DeleteStateResult(Struct):
    LAYOUT = (
        "topic_id uuid",
        "partitions []PartitionResult",
    )
    __slots__ = (
        "topic_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_id: bytes = bytes(16),
        partitions: list[PartitionResult] = FRESH,
    ) -> None:
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class DeleteShareGroupStateResponse(Response):
    API_KEY = 86
    API_NAME = "DeleteShareGroupState"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = ("results []DeleteStateResult",)
    __slots__ = ("results",)

    def __init__(
        self,
        *,
        results: list[DeleteStateResult] = FRESH,
    ) -> None:
        self.results = [] if results is FRESH else results


class DeleteShareGroupStateRequest(Request[DeleteShareGroupStateResponse]):
    API_KEY = 86
    API_NAME = "DeleteShareGroupState"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = DeleteShareGroupStateResponse
    LAYOUT = (
        "group_id string",
        "topics []DeleteStateData",
    )
    __slots__ = (
        "group_id",
        "topics",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topics: list[DeleteStateData] = FRESH,
    ) -> None:
        self.group_id = group_id
        self.topics = [] if topics is FRESH else topics
