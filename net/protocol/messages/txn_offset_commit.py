"""Store a group's offsets as part of a producer's transaction (KIP-98). From 3 on the member is
checked (KIP-447), from 4 on the answer may be TRANSACTION_ABORTABLE, from 5 on the request adds
the offsets to the transaction (KIP-890), from 6 on topics are named by id (KIP-1319).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class TxnOffsetCommitRequestPartition(Struct):
    LAYOUT = (
        "partition_index int32",
        "committed_offset int64",
        "committed_leader_epoch int32 2+ = -1",
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


class TxnOffsetCommitRequestTopic(Struct):
    LAYOUT = (
        "name string 0-5",
        "topic_id uuid 6+",
        "partitions []TxnOffsetCommitRequestPartition",
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
        partitions: list[TxnOffsetCommitRequestPartition] = FRESH,
    ) -> None:
        self.name = name
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class TxnOffsetCommitResponsePartition(Struct):
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


class TxnOffsetCommitResponseTopic(Struct):
    LAYOUT = (
        "name string 0-5",
        "topic_id uuid 6+",
        "partitions []TxnOffsetCommitResponsePartition",
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
        partitions: list[TxnOffsetCommitResponsePartition] = FRESH,
    ) -> None:
        self.name = name
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class TxnOffsetCommitResponse(Response):
    API_KEY = 28
    API_NAME = "TxnOffsetCommit"
    VALID_VERSIONS = (0, 6)
    FLEXIBLE_FROM = 3
    LAYOUT = (
        "throttle_time int32",
        "topics []TxnOffsetCommitResponseTopic",
    )
    __slots__ = (
        "throttle_time",
        "topics",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        topics: list[TxnOffsetCommitResponseTopic] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.topics = [] if topics is FRESH else topics


class TxnOffsetCommitRequest(Request[TxnOffsetCommitResponse]):
    API_KEY = 28
    API_NAME = "TxnOffsetCommit"
    VALID_VERSIONS = (0, 6)
    FLEXIBLE_FROM = 3
    RESPONSE = TxnOffsetCommitResponse
    LAYOUT = (
        "transactional_id string",
        "group_id string",
        "producer_id int64",
        "producer_epoch int16",
        "generation_id int32 3+ = -1",
        "member_id string 3+",
        "group_instance_id string 3+ nullable = null",
        "topics []TxnOffsetCommitRequestTopic",
    )
    __slots__ = (
        "transactional_id",
        "group_id",
        "producer_id",
        "producer_epoch",
        "generation_id",
        "member_id",
        "group_instance_id",
        "topics",
    )

    def __init__(
        self,
        *,
        transactional_id: str = "",
        group_id: str = "",
        producer_id: int = 0,
        producer_epoch: int = 0,
        generation_id: int = -1,
        member_id: str = "",
        group_instance_id: str | None = None,
        topics: list[TxnOffsetCommitRequestTopic] = FRESH,
    ) -> None:
        self.transactional_id = transactional_id
        self.group_id = group_id
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.generation_id = generation_id
        self.member_id = member_id
        self.group_instance_id = group_instance_id
        self.topics = [] if topics is FRESH else topics
