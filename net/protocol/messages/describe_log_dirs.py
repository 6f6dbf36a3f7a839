"""Sizes and lag of replicas by log directory (KIP-113, KIP-827, KIP-1066). A null list of topics
requests all.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class DescribableLogDirTopic(Struct):
    LAYOUT = (
        "topic string",
        "partitions []int32",
    )
    __slots__ = (
        "topic",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic: str = "",
        partitions: list[int] = FRESH,
    ) -> None:
        self.topic = topic
        self.partitions = [] if partitions is FRESH else partitions


class DescribeLogDirsCleaner(Struct):
    LAYOUT = (
        "dirty_bytes int64",
        "blocked_bytes int64",
        "dirty_percent int32",
        "cleaned_to int64",
        "last_run int64",
        "blocked_by string",
        "uncleanable string",
    )
    __slots__ = (
        "dirty_bytes",
        "blocked_bytes",
        "dirty_percent",
        "cleaned_to",
        "last_run",
        "blocked_by",
        "uncleanable",
    )

    def __init__(
        self,
        *,
        dirty_bytes: int = 0,
        blocked_bytes: int = 0,
        dirty_percent: int = 0,
        cleaned_to: int = 0,
        last_run: int = 0,
        blocked_by: str = "",
        uncleanable: str = "",
    ) -> None:
        self.dirty_bytes = dirty_bytes
        self.blocked_bytes = blocked_bytes
        self.dirty_percent = dirty_percent
        self.cleaned_to = cleaned_to
        self.last_run = last_run
        self.blocked_by = blocked_by
        self.uncleanable = uncleanable


class DescribeLogDirsPartition(Struct):
    LAYOUT = (
        "partition_index int32",
        "partition_size int64",
        "offset_lag int64",
        "is_future_key bool",
        "cleaner []DescribeLogDirsCleaner 2+ tag 1000",
    )
    __slots__ = (
        "partition_index",
        "partition_size",
        "offset_lag",
        "is_future_key",
        "cleaner",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        partition_size: int = 0,
        offset_lag: int = 0,
        is_future_key: bool = False,
        cleaner: list[DescribeLogDirsCleaner] = FRESH,
    ) -> None:
        self.partition_index = partition_index
        self.partition_size = partition_size
        self.offset_lag = offset_lag
        self.is_future_key = is_future_key
        self.cleaner = [] if cleaner is FRESH else cleaner


class DescribeLogDirsTopic(Struct):
    LAYOUT = (
        "name string",
        "partitions []DescribeLogDirsPartition",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[DescribeLogDirsPartition] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class DescribeLogDirsResult(Struct):
    LAYOUT = (
        "error_code int16",
        "log_dir string",
        "topics []DescribeLogDirsTopic",
        "total_bytes int64 4+ = -1",
        "usable_bytes int64 4+ = -1",
        "is_cordoned bool 5+",
    )
    __slots__ = (
        "error_code",
        "log_dir",
        "topics",
        "total_bytes",
        "usable_bytes",
        "is_cordoned",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        log_dir: str = "",
        topics: list[DescribeLogDirsTopic] = FRESH,
        total_bytes: int = -1,
        usable_bytes: int = -1,
        is_cordoned: bool = False,
    ) -> None:
        self.error_code = error_code
        self.log_dir = log_dir
        self.topics = [] if topics is FRESH else topics
        self.total_bytes = total_bytes
        self.usable_bytes = usable_bytes
        self.is_cordoned = is_cordoned


class DescribeLogDirsResponse(Response):
    API_KEY = 35
    API_NAME = "DescribeLogDirs"
    VALID_VERSIONS = (1, 5)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "throttle_time int32",
        "error_code int16 3+",
        "results []DescribeLogDirsResult",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "results",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        results: list[DescribeLogDirsResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.results = [] if results is FRESH else results


class DescribeLogDirsRequest(Request[DescribeLogDirsResponse]):
    API_KEY = 35
    API_NAME = "DescribeLogDirs"
    VALID_VERSIONS = (1, 5)
    FLEXIBLE_FROM = 2
    RESPONSE = DescribeLogDirsResponse
    LAYOUT = ("topics []DescribableLogDirTopic nullable",)
    __slots__ = ("topics",)

    def __init__(
        self,
        *,
        topics: list[DescribableLogDirTopic] | None = FRESH,
    ) -> None:
        self.topics = [] if topics is FRESH else topics
