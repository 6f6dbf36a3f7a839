"""The start offsets of share-partitions (KIP-932). From 1 on with the number of complete offsets
(KIP-1226).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class PartitionData(Struct):
    LAYOUT = (
        "partition int32",
        "leader_epoch int32",
    )
    __slots__ = (
        "partition",
        "leader_epoch",
    )

    def __init__(
        self,
        *,
        partition: int = 0,
        leader_epoch: int = 0,
    ) -> None:
        self.partition = partition
        self.leader_epoch = leader_epoch


class ReadStateSummaryData(Struct):
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
        "state_epoch int32",
        "leader_epoch int32",
        "start_offset int64",
        "delivery_complete_count int32 1+ = -1",
    )
    __slots__ = (
        "partition",
        "error_code",
        "error_message",
        "state_epoch",
        "leader_epoch",
        "start_offset",
        "delivery_complete_count",
    )

    def __init__(
        self,
        *,
        partition: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        state_epoch: int = 0,
        leader_epoch: int = 0,
        start_offset: int = 0,
        delivery_complete_count: int = -1,
    ) -> None:
        self.partition = partition
        self.error_code = error_code
        self.error_message = error_message
        self.state_epoch = state_epoch
        self.leader_epoch = leader_epoch
        self.start_offset = start_offset
        self.delivery_complete_count = delivery_complete_count


class ReadStateSummaryResult(Struct):
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


class ReadShareGroupStateSummaryResponse(Response):
    API_KEY = 87
    API_NAME = "ReadShareGroupStateSummary"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    LAYOUT = ("results []ReadStateSummaryResult",)
    __slots__ = ("results",)

    def __init__(
        self,
        *,
        results: list[ReadStateSummaryResult] = FRESH,
    ) -> None:
        self.results = [] if results is FRESH else results


class ReadShareGroupStateSummaryRequest(Request[ReadShareGroupStateSummaryResponse]):
    API_KEY = 87
    API_NAME = "ReadShareGroupStateSummary"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    RESPONSE = ReadShareGroupStateSummaryResponse
    LAYOUT = (
        "group_id string",
        "topics []ReadStateSummaryData",
    )
    __slots__ = (
        "group_id",
        "topics",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topics: list[ReadStateSummaryData] = FRESH,
    ) -> None:
        self.group_id = group_id
        self.topics = [] if topics is FRESH else topics
