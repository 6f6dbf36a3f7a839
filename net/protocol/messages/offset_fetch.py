"""A group's committed offsets; from 8 on those of many groups (KIP-709, KIP-447, KIP-848). A null
list of topics requests all of the group's. From 10 on topics are named by id.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class OffsetFetchRequestTopic(Struct):
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


class OffsetFetchRequestTopics(Struct):
    LAYOUT = (
        "name string 8-9",
        "topic_id uuid 10+",
        "partition_indexes []int32",
    )
    __slots__ = (
        "name",
        "topic_id",
        "partition_indexes",
    )

    def __init__(
        self,
        *,
        name: str = "",
        topic_id: bytes = bytes(16),
        partition_indexes: list[int] = FRESH,
    ) -> None:
        self.name = name
        self.topic_id = topic_id
        self.partition_indexes = [] if partition_indexes is FRESH else partition_indexes


class OffsetFetchRequestGroup(Struct):
    LAYOUT = (
        "group_id string",
        "member_id string 9+ nullable = null",
        "member_epoch int32 9+ = -1",
        "topics []OffsetFetchRequestTopics nullable",
    )
    __slots__ = (
        "group_id",
        "member_id",
        "member_epoch",
        "topics",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        member_id: str | None = None,
        member_epoch: int = -1,
        topics: list[OffsetFetchRequestTopics] | None = FRESH,
    ) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.member_epoch = member_epoch
        self.topics = [] if topics is FRESH else topics


class OffsetFetchResponsePartition(Struct):
    LAYOUT = (
        "partition_index int32",
        "committed_offset int64",
        "committed_leader_epoch int32 5+ = -1",
        "metadata string nullable = null",
        "error_code int16",
    )
    __slots__ = (
        "partition_index",
        "committed_offset",
        "committed_leader_epoch",
        "metadata",
        "error_code",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        committed_offset: int = 0,
        committed_leader_epoch: int = -1,
        metadata: str | None = None,
        error_code: int = 0,
    ) -> None:
        self.partition_index = partition_index
        self.committed_offset = committed_offset
        self.committed_leader_epoch = committed_leader_epoch
        self.metadata = metadata
        self.error_code = error_code


class OffsetFetchResponseTopic(Struct):
    LAYOUT = (
        "name string",
        "partitions []OffsetFetchResponsePartition",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[OffsetFetchResponsePartition] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class OffsetFetchResponsePartitions(Struct):
    LAYOUT = (
        "partition_index int32",
        "committed_offset int64",
        "committed_leader_epoch int32 = -1",
        "metadata string nullable = null",
        "error_code int16",
    )
    __slots__ = (
        "partition_index",
        "committed_offset",
        "committed_leader_epoch",
        "metadata",
        "error_code",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        committed_offset: int = 0,
        committed_leader_epoch: int = -1,
        metadata: str | None = None,
        error_code: int = 0,
    ) -> None:
        self.partition_index = partition_index
        self.committed_offset = committed_offset
        self.committed_leader_epoch = committed_leader_epoch
        self.metadata = metadata
        self.error_code = error_code


class OffsetFetchResponseTopics(Struct):
    LAYOUT = (
        "name string 8-9",
        "topic_id uuid 10+",
        "partitions []OffsetFetchResponsePartitions",
    )
    __slots__ = (
        "name",
        "topic_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        topic_id: bytes = bytes(16),
        partitions: list[OffsetFetchResponsePartitions] = FRESH,
    ) -> None:
        self.name = name
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class OffsetFetchResponseGroup(Struct):
    LAYOUT = (
        "group_id string",
        "topics []OffsetFetchResponseTopics",
        "error_code int16",
    )
    __slots__ = (
        "group_id",
        "topics",
        "error_code",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topics: list[OffsetFetchResponseTopics] = FRESH,
        error_code: int = 0,
    ) -> None:
        self.group_id = group_id
        self.topics = [] if topics is FRESH else topics
        self.error_code = error_code


class OffsetFetchResponse(Response):
    API_KEY = 9
    API_NAME = "OffsetFetch"
    VALID_VERSIONS = (1, 10)
    FLEXIBLE_FROM = 6
    LAYOUT = (
        "throttle_time int32 3+",
        "topics []OffsetFetchResponseTopic 1-7",
        "error_code int16 2-7",
        "groups []OffsetFetchResponseGroup 8+",
    )
    __slots__ = (
        "throttle_time",
        "topics",
        "error_code",
        "groups",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        topics: list[OffsetFetchResponseTopic] = FRESH,
        error_code: int = 0,
        groups: list[OffsetFetchResponseGroup] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.topics = [] if topics is FRESH else topics
        self.error_code = error_code
        self.groups = [] if groups is FRESH else groups


class OffsetFetchRequest(Request[OffsetFetchResponse]):
    API_KEY = 9
    API_NAME = "OffsetFetch"
    VALID_VERSIONS = (1, 10)
    FLEXIBLE_FROM = 6
    RESPONSE = OffsetFetchResponse
    LAYOUT = (
        "group_id string 1-7",
        "topics []OffsetFetchRequestTopic 1-7 nullable 2-7",
        "groups []OffsetFetchRequestGroup 8+",
        "require_stable bool 7+",
    )
    __slots__ = (
        "group_id",
        "topics",
        "groups",
        "require_stable",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topics: list[OffsetFetchRequestTopic] | None = FRESH,
        groups: list[OffsetFetchRequestGroup] = FRESH,
        require_stable: bool = False,
    ) -> None:
        self.group_id = group_id
        self.topics = [] if topics is FRESH else topics
        self.groups = [] if groups is FRESH else groups
        self.require_stable = require_stable
