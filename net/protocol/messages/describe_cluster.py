"""Cluster id, controller and brokers (KIP-700, KIP-919, KIP-1073). endpoint_type: 1 asks for
brokers, 2 for controllers.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import FRESH, Request, Response, Struct


class RecorderAfter(Struct):
    LAYOUT = (
        "event int64",
        "sample int64",
    )
    __slots__ = (
        "event",
        "sample",
    )

    def __init__(
        self,
        *,
        event: int = 0,
        sample: int = 0,
    ) -> None:
        self.event = event
        self.sample = sample


class MetadataLogAfter(Struct):
    LAYOUT = ("cursor bytes",)
    __slots__ = ("cursor",)

    def __init__(
        self,
        *,
        cursor: Buffer = b"",
    ) -> None:
        self.cursor = cursor


class DescribeClusterBroker(Struct):
    LAYOUT = (
        "broker_id int32",
        "host string",
        "port int32",
        "rack string nullable = null",
        "is_fenced bool 2+",
    )
    __slots__ = (
        "broker_id",
        "host",
        "port",
        "rack",
        "is_fenced",
    )

    def __init__(
        self,
        *,
        broker_id: int = 0,
        host: str = "",
        port: int = 0,
        rack: str | None = None,
        is_fenced: bool = False,
    ) -> None:
        self.broker_id = broker_id
        self.host = host
        self.port = port
        self.rack = rack
        self.is_fenced = is_fenced


class RecorderSlot(Struct):
    LAYOUT = (
        "number int64",
        "content bytes",
    )
    __slots__ = (
        "number",
        "content",
    )

    def __init__(
        self,
        *,
        number: int = 0,
        content: Buffer = b"",
    ) -> None:
        self.number = number
        self.content = content


class RecorderPart(Struct):
    LAYOUT = (
        "error_code int16",
        "error_message string nullable = null",
        "node_id int32",
        "newest_event int64",
        "newest_sample int64",
        "events []RecorderSlot",
        "samples []RecorderSlot",
    )
    __slots__ = (
        "error_code",
        "error_message",
        "node_id",
        "newest_event",
        "newest_sample",
        "events",
        "samples",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        error_message: str | None = None,
        node_id: int = 0,
        newest_event: int = 0,
        newest_sample: int = 0,
        events: list[RecorderSlot] = FRESH,
        samples: list[RecorderSlot] = FRESH,
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message
        self.node_id = node_id
        self.newest_event = newest_event
        self.newest_sample = newest_sample
        self.events = [] if events is FRESH else events
        self.samples = [] if samples is FRESH else samples


class MetadataLogBatch(Struct):
    LAYOUT = (
        "offset int64",
        "epoch int32",
        "records bytes",
    )
    __slots__ = (
        "offset",
        "epoch",
        "records",
    )

    def __init__(
        self,
        *,
        offset: int = 0,
        epoch: int = 0,
        records: Buffer = b"",
    ) -> None:
        self.offset = offset
        self.epoch = epoch
        self.records = records


class MetadataLogPart(Struct):
    LAYOUT = (
        "error_code int16",
        "error_message string nullable = null",
        "node_id int32",
        "snapshot_offset int64",
        "snapshot_epoch int32",
        "of_snapshot []bytes",
        "batches []MetadataLogBatch",
        "cursor bytes",
    )
    __slots__ = (
        "error_code",
        "error_message",
        "node_id",
        "snapshot_offset",
        "snapshot_epoch",
        "of_snapshot",
        "batches",
        "cursor",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        error_message: str | None = None,
        node_id: int = 0,
        snapshot_offset: int = 0,
        snapshot_epoch: int = 0,
        of_snapshot: list[Buffer] = FRESH,
        batches: list[MetadataLogBatch] = FRESH,
        cursor: Buffer = b"",
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message
        self.node_id = node_id
        self.snapshot_offset = snapshot_offset
        self.snapshot_epoch = snapshot_epoch
        self.of_snapshot = [] if of_snapshot is FRESH else of_snapshot
        self.batches = [] if batches is FRESH else batches
        self.cursor = cursor


class DescribeClusterResponse(Response):
    API_KEY = 60
    API_NAME = "DescribeCluster"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable = null",
        "endpoint_type int8 1+ = 1",
        "cluster_id string",
        "controller_id int32 = -1",
        "brokers []DescribeClusterBroker",
        "cluster_authorized_operations int32 = -2147483648",
        "recorder []RecorderPart 0+ tag 1000",
        "metadata_log []MetadataLogPart 0+ tag 1001",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
        "endpoint_type",
        "cluster_id",
        "controller_id",
        "brokers",
        "cluster_authorized_operations",
        "recorder",
        "metadata_log",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        endpoint_type: int = 1,
        cluster_id: str = "",
        controller_id: int = -1,
        brokers: list[DescribeClusterBroker] = FRESH,
        cluster_authorized_operations: int = -2147483648,
        recorder: list[RecorderPart] = FRESH,
        metadata_log: list[MetadataLogPart] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message
        self.endpoint_type = endpoint_type
        self.cluster_id = cluster_id
        self.controller_id = controller_id
        self.brokers = [] if brokers is FRESH else brokers
        self.cluster_authorized_operations = cluster_authorized_operations
        self.recorder = [] if recorder is FRESH else recorder
        self.metadata_log = [] if metadata_log is FRESH else metadata_log


class DescribeClusterRequest(Request[DescribeClusterResponse]):
    API_KEY = 60
    API_NAME = "DescribeCluster"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 0
    RESPONSE = DescribeClusterResponse
    LAYOUT = (
        "include_cluster_authorized_operations bool",
        "endpoint_type int8 1+ = 1",
        "include_fenced_brokers bool 2+",
        "recorder []RecorderAfter 0+ tag 1000",
        "metadata_log []MetadataLogAfter 0+ tag 1001",
    )
    __slots__ = (
        "include_cluster_authorized_operations",
        "endpoint_type",
        "include_fenced_brokers",
        "recorder",
        "metadata_log",
    )

    def __init__(
        self,
        *,
        include_cluster_authorized_operations: bool = False,
        endpoint_type: int = 1,
        include_fenced_brokers: bool = False,
        recorder: list[RecorderAfter] = FRESH,
        metadata_log: list[MetadataLogAfter] = FRESH,
    ) -> None:
        self.include_cluster_authorized_operations = include_cluster_authorized_operations
        self.endpoint_type = endpoint_type
        self.include_fenced_brokers = include_fenced_brokers
        self.recorder = [] if recorder is FRESH else recorder
        self.metadata_log = [] if metadata_log is FRESH else metadata_log
