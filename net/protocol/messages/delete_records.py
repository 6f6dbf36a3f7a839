"""Advance the log start offset of partitions (KIP-107). Offset -1 stands for the high watermark.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class DeleteRecordsPartition(Struct):
    LAYOUT = (
        "partition_index int32",
        "offset int64",
    )
    __slots__ = (
        "partition_index",
        "offset",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        offset: int = 0,
    ) -> None:
        self.partition_index = partition_index
        self.offset = offset


class DeleteRecordsTopic(Struct):
    LAYOUT = (
        "name string",
        "partitions []DeleteRecordsPartition",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[DeleteRecordsPartition] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class DeleteRecordsPartitionResult(Struct):
    LAYOUT = (
        "partition_index int32",
        "low_watermark int64",
        "error_code int16",
    )
    __slots__ = (
        "partition_index",
        "low_watermark",
        "error_code",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        low_watermark: int = 0,
        error_code: int = 0,
    ) -> None:
        self.partition_index = partition_index
        self.low_watermark = low_watermark
        self.error_code = error_code


class DeleteRecordsTopicResult(Struct):
    LAYOUT = (
        "name string",
        "partitions []DeleteRecordsPartitionResult",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[DeleteRecordsPartitionResult] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class DeleteRecordsResponse(Response):
    API_KEY = 21
    API_NAME = "DeleteRecords"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "throttle_time int32",
        "topics []DeleteRecordsTopicResult",
    )
    __slots__ = (
        "throttle_time",
        "topics",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        topics: list[DeleteRecordsTopicResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.topics = [] if topics is FRESH else topics


class DeleteRecordsRequest(Request[DeleteRecordsResponse]):
    API_KEY = 21
    API_NAME = "DeleteRecords"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 2
    RESPONSE = DeleteRecordsResponse
    LAYOUT = (
        "topics []DeleteRecordsTopic",
        "timeout int32",
    )
    __slots__ = (
        "topics",
        "timeout",
    )

    def __init__(
        self,
        *,
        topics: list[DeleteRecordsTopic] = FRESH,
        timeout: int = 0,
    ) -> None:
        self.topics = [] if topics is FRESH else topics
        self.timeout = timeout
