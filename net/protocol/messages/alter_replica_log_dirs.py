"""Move replicas to other log directories of their broker (KIP-113).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class AlterReplicaLogDirTopic(Struct):
    LAYOUT = (
        "name string",
        "partitions []int32",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[int] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class AlterReplicaLogDir(Struct):
    LAYOUT = (
        "path string",
        "topics []AlterReplicaLogDirTopic",
    )
    __slots__ = (
        "path",
        "topics",
    )

    def __init__(
        self,
        *,
        path: str = "",
        topics: list[AlterReplicaLogDirTopic] = FRESH,
    ) -> None:
        self.path = path
        self.topics = [] if topics is FRESH else topics


class AlterReplicaLogDirPartitionResult(Struct):
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


class AlterReplicaLogDirTopicResult(Struct):
    LAYOUT = (
        "topic_name string",
        "partitions []AlterReplicaLogDirPartitionResult",
    )
    __slots__ = (
        "topic_name",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_name: str = "",
        partitions: list[AlterReplicaLogDirPartitionResult] = FRESH,
    ) -> None:
        self.topic_name = topic_name
        self.partitions = [] if partitions is FRESH else partitions


class AlterReplicaLogDirsResponse(Response):
    API_KEY = 34
    API_NAME = "AlterReplicaLogDirs"
    VALID_VERSIONS = (1, 2)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "throttle_time int32",
        "results []AlterReplicaLogDirTopicResult",
    )
    __slots__ = (
        "throttle_time",
        "results",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        results: list[AlterReplicaLogDirTopicResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.results = [] if results is FRESH else results


class AlterReplicaLogDirsRequest(Request[AlterReplicaLogDirsResponse]):
    API_KEY = 34
    API_NAME = "AlterReplicaLogDirs"
    VALID_VERSIONS = (1, 2)
    FLEXIBLE_FROM = 2
    RESPONSE = AlterReplicaLogDirsResponse
    LAYOUT = ("dirs []AlterReplicaLogDir",)
    __slots__ = ("dirs",)

    def __init__(
        self,
        *,
        dirs: list[AlterReplicaLogDir] = FRESH,
    ) -> None:
        self.dirs = [] if dirs is FRESH else dirs
