"""Offsets by timestamp, and the special ones (KIP-79, KIP-207, KIP-734, KIP-405, KIP-1005,
KIP-1023). A timestamp of -1 asks for the end, -2 for the start, -3 (from 7) for the record with
the largest timestamp, -4 (from 8) for the start of the local log, -5 (from 9) for the last
offset in tiered storage, -6 (from 11) for the earliest not yet uploaded. timeout, from 10 on,
in ms.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class ListOffsetsPartition(Struct):
    LAYOUT = (
        "partition_index int32",
        "current_leader_epoch int32 4+ = -1",
        "timestamp int64",
    )
    __slots__ = (
        "partition_index",
        "current_leader_epoch",
        "timestamp",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        current_leader_epoch: int = -1,
        timestamp: int = 0,
    ) -> None:
        self.partition_index = partition_index
        self.current_leader_epoch = current_leader_epoch
        self.timestamp = timestamp


class ListOffsetsTopic(Struct):
    LAYOUT = (
        "name string",
        "partitions []ListOffsetsPartition",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[ListOffsetsPartition] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class ListOffsetsPartitionResponse(Struct):
    LAYOUT = (
        "partition_index int32",
        "error_code int16",
        "timestamp int64 = -1",
        "offset int64 = -1",
        "leader_epoch int32 4+ = -1",
    )
    __slots__ = (
        "partition_index",
        "error_code",
        "timestamp",
        "offset",
        "leader_epoch",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        error_code: int = 0,
        timestamp: int = -1,
        offset: int = -1,
        leader_epoch: int = -1,
    ) -> None:
        self.partition_index = partition_index
        self.error_code = error_code
        self.timestamp = timestamp
        self.offset = offset
        self.leader_epoch = leader_epoch


class ListOffsetsTopicResponse(Struct):
    LAYOUT = (
        "name string",
        "partitions []ListOffsetsPartitionResponse",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[ListOffsetsPartitionResponse] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class ListOffsetsResponse(Response):
    API_KEY = 2
    API_NAME = "ListOffsets"
    VALID_VERSIONS = (1, 11)
    FLEXIBLE_FROM = 6
    LAYOUT = (
        "throttle_time int32 2+",
        "topics []ListOffsetsTopicResponse",
    )
    __slots__ = (
        "throttle_time",
        "topics",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        topics: list[ListOffsetsTopicResponse] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.topics = [] if topics is FRESH else topics


class ListOffsetsRequest(Request[ListOffsetsResponse]):
    API_KEY = 2
    API_NAME = "ListOffsets"
    VALID_VERSIONS = (1, 11)
    FLEXIBLE_FROM = 6
    RESPONSE = ListOffsetsResponse
    LAYOUT = (
        "replica_id int32",
        "isolation_level int8 2+",
        "topics []ListOffsetsTopic",
        "timeout int32 10+",
    )
    __slots__ = (
        "replica_id",
        "isolation_level",
        "topics",
        "timeout",
    )

    def __init__(
        self,
        *,
        replica_id: int = 0,
        isolation_level: int = 0,
        topics: list[ListOffsetsTopic] = FRESH,
        timeout: int = 0,
    ) -> None:
        self.replica_id = replica_id
        self.isolation_level = isolation_level
        self.topics = [] if topics is FRESH else topics
        self.timeout = timeout
