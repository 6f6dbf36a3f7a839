"""A transaction coordinator writes end markers into partitions (KIP-98). From 2 on a marker has its
transaction's version (KIP-1228).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class WritableTxnMarkerTopic(Struct):
    LAYOUT = (
        "name string",
        "partition_indexes []int32",
    )
    __slots__ = (
        "name",
        "partition_indexes",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partition_indexes: list[int] = FRESH,
    ) -> None:
        self.name = name
        self.partition_indexes = [] if partition_indexes is FRESH else partition_indexes


class WritableTxnMarker(Struct):
    LAYOUT = (
        "producer_id int64",
        "producer_epoch int16",
        "transaction_result bool",
        "topics []WritableTxnMarkerTopic",
        "coordinator_epoch int32",
        "transaction_version int8 2+",
    )
    __slots__ = (
        "producer_id",
        "producer_epoch",
        "transaction_result",
        "topics",
        "coordinator_epoch",
        "transaction_version",
    )

    def __init__(
        self,
        *,
        producer_id: int = 0,
        producer_epoch: int = 0,
        transaction_result: bool = False,
        topics: list[WritableTxnMarkerTopic] = FRESH,
        coordinator_epoch: int = 0,
        transaction_version: int = 0,
    ) -> None:
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.transaction_result = transaction_result
        self.topics = [] if topics is FRESH else topics
        self.coordinator_epoch = coordinator_epoch
        self.transaction_version = transaction_version


class WritableTxnMarkerPartitionResult(Struct):
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


class WritableTxnMarkerTopicResult(Struct):
    LAYOUT = (
        "name string",
        "partitions []WritableTxnMarkerPartitionResult",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[WritableTxnMarkerPartitionResult] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class WritableTxnMarkerResult(Struct):
    LAYOUT = (
        "producer_id int64",
        "topics []WritableTxnMarkerTopicResult",
    )
    __slots__ = (
        "producer_id",
        "topics",
    )

    def __init__(
        self,
        *,
        producer_id: int = 0,
        topics: list[WritableTxnMarkerTopicResult] = FRESH,
    ) -> None:
        self.producer_id = producer_id
        self.topics = [] if topics is FRESH else topics


class WriteTxnMarkersResponse(Response):
    API_KEY = 27
    API_NAME = "WriteTxnMarkers"
    VALID_VERSIONS = (1, 2)
    FLEXIBLE_FROM = 1
    LAYOUT = ("markers []WritableTxnMarkerResult",)
    __slots__ = ("markers",)

    def __init__(
        self,
        *,
        markers: list[WritableTxnMarkerResult] = FRESH,
    ) -> None:
        self.markers = [] if markers is FRESH else markers


class WriteTxnMarkersRequest(Request[WriteTxnMarkersResponse]):
    API_KEY = 27
    API_NAME = "WriteTxnMarkers"
    VALID_VERSIONS = (1, 2)
    FLEXIBLE_FROM = 1
    RESPONSE = WriteTxnMarkersResponse
    LAYOUT = ("markers []WritableTxnMarker",)
    __slots__ = ("markers",)

    def __init__(
        self,
        *,
        markers: list[WritableTxnMarker] = FRESH,
    ) -> None:
        self.markers = [] if markers is FRESH else markers
