"""Store a group's offsets (KIP-211, KIP-345, KIP-848). current brokers ignore retention_time. From
9 on the newer group protocol may commit (with its member epoch as the generation). From 10 on
topics are named by id.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class OffsetCommitRequestPartition(Struct):
    LAYOUT = (
        "partition_index int32",
        "committed_offset int64",
        "committed_leader_epoch int32 6+ = -1",
        "committed_metadata string nullable = null",
    )
    __slots__ = (
        "partition_index",
        "committed_offset",
        "committed_leader_epoch",
        "committed_metadata",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        committed_offset: int = 0,
        committed_leader_epoch: int = -1,
        committed_metadata: str | None = None,
    ) -> None:
        self.partition_index = partition_index
        self.committed_offset = committed_offset
        self.committed_leader_epoch = committed_leader_epoch
        self.committed_metadata = committed_metadata


class OffsetCommitRequestTopic(Struct):
    LAYOUT = (
        "name string 2-9",
        "topic_id uuid 10+",
        "partitions []OffsetCommitRequestPartition",
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
        partitions: list[OffsetCommitRequestPartition] = FRESH,
    ) -> None:
        self.name = name
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class OffsetCommitResponsePartition(Struct):
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


class OffsetCommitResponseTopic(Struct):
    LAYOUT = (
        "name string 2-9",
        "topic_id uuid 10+",
        "partitions []OffsetCommitResponsePartition",
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
        partitions: list[OffsetCommitResponsePartition] = FRESH,
    ) -> None:
        self.name = name
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class OffsetCommitResponse(Response):
    API_KEY = 8
    API_NAME = "OffsetCommit"
    VALID_VERSIONS = (2, 10)
    FLEXIBLE_FROM = 8
    LAYOUT = (
        "throttle_time int32 3+",
        "topics []OffsetCommitResponseTopic",
    )
    __slots__ = (
        "throttle_time",
        "topics",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        topics: list[OffsetCommitResponseTopic] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.topics = [] if topics is FRESH else topics


class OffsetCommitRequest(Request[OffsetCommitResponse]):
    API_KEY = 8
    API_NAME = "OffsetCommit"
    VALID_VERSIONS = (2, 10)
    FLEXIBLE_FROM = 8
    RESPONSE = OffsetCommitResponse
    LAYOUT = (
        "group_id string",
        "generation_id_or_member_epoch int32 = -1",
        "member_id string",
        "retention_time int64 2-4 = -1",
        "group_instance_id string 7+ nullable = null",
        "topics []OffsetCommitRequestTopic",
    )
    __slots__ = (
        "group_id",
        "generation_id_or_member_epoch",
        "member_id",
        "retention_time",
        "group_instance_id",
        "topics",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        generation_id_or_member_epoch: int = -1,
        member_id: str = "",
        retention_time: int = -1,
        group_instance_id: str | None = None,
        topics: list[OffsetCommitRequestTopic] = FRESH,
    ) -> None:
        self.group_id = group_id
        self.generation_id_or_member_epoch = generation_id_or_member_epoch
        self.member_id = member_id
        self.retention_time = retention_time
        self.group_instance_id = group_instance_id
        self.topics = [] if topics is FRESH else topics
