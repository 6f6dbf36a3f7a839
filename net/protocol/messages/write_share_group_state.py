"""A leader's changes of share-partitions (KIP-932). From 1 on it has the number of complete offsets
(KIP-1226).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class StateBatch(Struct):
    LAYOUT = (
        "first_offset int64",
        "last_offset int64",
        "delivery_state int8",
        "delivery_count int16",
    )
    __slots__ = (
        "first_offset",
        "last_offset",
        "delivery_state",
        "delivery_count",
    )

    def __init__(
        self,
        *,
        first_offset: int = 0,
        last_offset: int = 0,
        delivery_state: int = 0,
        delivery_count: int = 0,
    ) -> None:
        self.first_offset = first_offset
        self.last_offset = last_offset
        self.delivery_state = delivery_state
        self.delivery_count = delivery_count


class PartitionData(Struct):
    LAYOUT = (
        "partition int32",
        "state_epoch int32",
        "leader_epoch int32",
        "start_offset int64",
        "delivery_complete_count int32 1+ = -1",
        "state_batches []StateBatch",
    )
    __slots__ = (
        "partition",
        "state_epoch",
        "leader_epoch",
        "start_offset",
        "delivery_complete_count",
        "state_batches",
    )

    def __init__(
        self,
        *,
        partition: int = 0,
        state_epoch: int = 0,
        leader_epoch: int = 0,
        start_offset: int = 0,
        delivery_complete_count: int = -1,
        state_batches: list[StateBatch] = FRESH,
    ) -> None:
        self.partition = partition
        self.state_epoch = state_epoch
        self.leader_epoch = leader_epoch
        self.start_offset = start_offset
        self.delivery_complete_count = delivery_complete_count
        self.state_batches = [] if state_batches is FRESH else state_batches


class WriteStateData(Struct):
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


class WriteStateResult(Struct):
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


class WriteShareGroupStateResponse(Response):
    API_KEY = 85
    API_NAME = "WriteShareGroupState"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    LAYOUT = ("results []WriteStateResult",)
    __slots__ = ("results",)

    def __init__(
        self,
        *,
        results: list[WriteStateResult] = FRESH,
    ) -> None:
        self.results = [] if results is FRESH else results


class WriteShareGroupStateRequest(Request[WriteShareGroupStateResponse]):
    API_KEY = 85
    API_NAME = "WriteShareGroupState"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    RESPONSE = WriteShareGroupStateResponse
    LAYOUT = (
        "group_id string",
        "topics []WriteStateData",
    )
    __slots__ = (
        "group_id",
        "topics",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topics: list[WriteStateData] = FRESH,
    ) -> None:
        self.group_id = group_id
        self.topics = [] if topics is FRESH else topics
