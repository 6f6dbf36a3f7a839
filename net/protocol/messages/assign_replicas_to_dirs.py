"""A broker reports to the controller which log directory each of its replicas is in (KIP-858).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class PartitionData(Struct):
    LAYOUT = ("partition_index int32",)
    __slots__ = ("partition_index",)

    def __init__(
        self,
        *,
        partition_index: int = 0,
    ) -> None:
        self.partition_index = partition_index


class TopicData(Struct):
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


class DirectoryData(Struct):
    LAYOUT = (
        "id uuid",
        "topics []TopicData",
    )
    __slots__ = (
        "id",
        "topics",
    )

    def __init__(
        self,
        *,
        id: bytes = bytes(16),
        topics: list[TopicData] = FRESH,
    ) -> None:
        self.id = id
        self.topics = [] if topics is FRESH else topics


class AssignedPartition(Struct):
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


class AssignedTopic(Struct):
    LAYOUT = (
        "topic_id uuid",
        "partitions []AssignedPartition",
    )
    __slots__ = (
        "topic_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_id: bytes = bytes(16),
        partitions: list[AssignedPartition] = FRESH,
    ) -> None:
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class AssignedDirectory(Struct):
    LAYOUT = (
        "id uuid",
        "topics []AssignedTopic",
    )
    __slots__ = (
        "id",
        "topics",
    )

    def __init__(
        self,
        *,
        id: bytes = bytes(16),
        topics: list[AssignedTopic] = FRESH,
    ) -> None:
        self.id = id
        self.topics = [] if topics is FRESH else topics


class AssignReplicasToDirsResponse(Response):
    API_KEY = 73
    API_NAME = "AssignReplicasToDirs"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "directories []AssignedDirectory",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "directories",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        directories: list[AssignedDirectory] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.directories = [] if directories is FRESH else directories


class AssignReplicasToDirsRequest(Request[AssignReplicasToDirsResponse]):
    API_KEY = 73
    API_NAME = "AssignReplicasToDirs"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = AssignReplicasToDirsResponse
    LAYOUT = (
        "broker_id int32",
        "broker_epoch int64 = -1",
        "directories []DirectoryData",
    )
    __slots__ = (
        "broker_id",
        "broker_epoch",
        "directories",
    )

    def __init__(
        self,
        *,
        broker_id: int = 0,
        broker_epoch: int = -1,
        directories: list[DirectoryData] = FRESH,
    ) -> None:
        self.broker_id = broker_id
        self.broker_epoch = broker_epoch
        self.directories = [] if directories is FRESH else directories
