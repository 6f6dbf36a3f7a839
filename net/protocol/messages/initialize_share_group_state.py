"""Initialize the state of share-partitions in __share_group_state (KIP-932); sent by group
coordinators.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class PartitionData(Struct):
    LAYOUT = (
        "partition int32",
        "state_epoch int32",
        "start_offset int64",
    )
    __slots__ = (
        "partition",
        "state_epoch",
        "start_offset",
    )

    def __init__(
        self,
        *,
        partition: int = 0,
        state_epoch: int = 0,
        start_offset: int = 0,
    ) -> None:
        self.partition = partition
        self.state_epoch = state_epoch
        self.start_offset = start_offset


class InitializeStateData(Struct):
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


class InitializeStateResult(Struct):
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


class InitializeShareGroupStateResponse(Response):
    API_KEY = 83
    API_NAME = "InitializeShareGroupState"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = ("results []InitializeStateResult",)
    __slots__ = ("results",)

    def __init__(
        self,
        *,
        results: list[InitializeStateResult] = FRESH,
    ) -> None:
        self.results = [] if results is FRESH else results


class InitializeShareGroupStateRequest(Request[InitializeShareGroupStateResponse]):
    API_KEY = 83
    API_NAME = "InitializeShareGroupState"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = InitializeShareGroupStateResponse
    LAYOUT = (
        "group_id string",
        "topics []InitializeStateData",
    )
    __slots__ = (
        "group_id",
        "topics",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topics: list[InitializeStateData] = FRESH,
    ) -> None:
        self.group_id = group_id
        self.topics = [] if topics is FRESH else topics
