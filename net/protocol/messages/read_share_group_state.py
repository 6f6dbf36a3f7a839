"""The whole state of share-partitions, for their leader (KIP-932).

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


class ReadStateData(Struct):
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


class PartitionResult(Struct):
    LAYOUT = (
        "partition int32",
        "error_code int16",
        "error_message string nullable = null",
        "state_epoch int32",
        "start_offset int64",
        "state_batches []StateBatch",
    )
    __slots__ = (
        "partition",
        "error_code",
        "error_message",
        "state_epoch",
        "start_offset",
        "state_batches",
    )

    def __init__(
        self,
        *,
        partition: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        state_epoch: int = 0,
        start_offset: int = 0,
        state_batches: list[StateBatch] = FRESH,
    ) -> None:
        self.partition = partition
        self.error_code = error_code
        self.error_message = error_message
        self.state_epoch = state_epoch
        self.start_offset = start_offset
        self.state_batches = [] if state_batches is FRESH else state_batches


class ReadStateResult(Struct):
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


class ReadShareGroupStateResponse(Response):
    API_KEY = 84
    API_NAME = "ReadShareGroupState"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = ("results []ReadStateResult",)
    __slots__ = ("results",)

    def __init__(
        self,
        *,
        results: list[ReadStateResult] = FRESH,
    ) -> None:
        self.results = [] if results is FRESH else results


class ReadShareGroupStateRequest(Request[ReadShareGroupStateResponse]):
    API_KEY = 84
    API_NAME = "ReadShareGroupState"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = ReadShareGroupStateResponse
    LAYOUT = (
        "group_id string",
        "topics []ReadStateData",
    )
    __slots__ = (
        "group_id",
        "topics",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topics: list[ReadStateData] = FRESH,
    ) -> None:
        self.group_id = group_id
        self.topics = [] if topics is FRESH else topics
