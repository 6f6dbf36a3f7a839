"""The end offset of a leader epoch in the leader's log (KIP-101, KIP-279, KIP-320).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class OffsetForLeaderPartition(Struct):
    LAYOUT = (
        "partition int32",
        "current_leader_epoch int32 = -1",
        "leader_epoch int32",
    )
    __slots__ = (
        "partition",
        "current_leader_epoch",
        "leader_epoch",
    )

    def __init__(
        self,
        *,
        partition: int = 0,
        current_leader_epoch: int = -1,
        leader_epoch: int = 0,
    ) -> None:
        self.partition = partition
        self.current_leader_epoch = current_leader_epoch
        self.leader_epoch = leader_epoch


class OffsetForLeaderTopic(Struct):
    LAYOUT = (
        "topic string",
        "partitions []OffsetForLeaderPartition",
    )
    __slots__ = (
        "topic",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic: str = "",
        partitions: list[OffsetForLeaderPartition] = FRESH,
    ) -> None:
        self.topic = topic
        self.partitions = [] if partitions is FRESH else partitions


class EpochEndOffset(Struct):
    LAYOUT = (
        "error_code int16",
        "partition int32",
        "leader_epoch int32 = -1",
        "end_offset int64 = -1",
    )
    __slots__ = (
        "error_code",
        "partition",
        "leader_epoch",
        "end_offset",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        partition: int = 0,
        leader_epoch: int = -1,
        end_offset: int = -1,
    ) -> None:
        self.error_code = error_code
        self.partition = partition
        self.leader_epoch = leader_epoch
        self.end_offset = end_offset


class OffsetForLeaderTopicResult(Struct):
    LAYOUT = (
        "topic string",
        "partitions []EpochEndOffset",
    )
    __slots__ = (
        "topic",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic: str = "",
        partitions: list[EpochEndOffset] = FRESH,
    ) -> None:
        self.topic = topic
        self.partitions = [] if partitions is FRESH else partitions


class OffsetForLeaderEpochResponse(Response):
    API_KEY = 23
    API_NAME = "OffsetForLeaderEpoch"
    VALID_VERSIONS = (2, 4)
    FLEXIBLE_FROM = 4
    LAYOUT = (
        "throttle_time int32",
        "topics []OffsetForLeaderTopicResult",
    )
    __slots__ = (
        "throttle_time",
        "topics",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        topics: list[OffsetForLeaderTopicResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.topics = [] if topics is FRESH else topics


class OffsetForLeaderEpochRequest(Request[OffsetForLeaderEpochResponse]):
    API_KEY = 23
    API_NAME = "OffsetForLeaderEpoch"
    VALID_VERSIONS = (2, 4)
    FLEXIBLE_FROM = 4
    RESPONSE = OffsetForLeaderEpochResponse
    LAYOUT = (
        "replica_id int32 3+ = -2",
        "topics []OffsetForLeaderTopic",
    )
    __slots__ = (
        "replica_id",
        "topics",
    )

    def __init__(
        self,
        *,
        replica_id: int = -2,
        topics: list[OffsetForLeaderTopic] = FRESH,
    ) -> None:
        self.replica_id = replica_id
        self.topics = [] if topics is FRESH else topics
