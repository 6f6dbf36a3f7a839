"""Elect the preferred leader (0) or any replica (1) of partitions (KIP-183, KIP-460). A null list
requests all partitions.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class TopicPartitions(Struct):
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


class PartitionResult(Struct):
    LAYOUT = (
        "partition_id int32",
        "error_code int16",
        "error_message string nullable = null",
    )
    __slots__ = (
        "partition_id",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        partition_id: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.partition_id = partition_id
        self.error_code = error_code
        self.error_message = error_message


class ReplicaElectionResult(Struct):
    LAYOUT = (
        "topic string",
        "partition_result []PartitionResult",
    )
    __slots__ = (
        "topic",
        "partition_result",
    )

    def __init__(
        self,
        *,
        topic: str = "",
        partition_result: list[PartitionResult] = FRESH,
    ) -> None:
        self.topic = topic
        self.partition_result = [] if partition_result is FRESH else partition_result


class ElectLeadersResponse(Response):
    API_KEY = 43
    API_NAME = "ElectLeaders"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "throttle_time int32",
        "error_code int16 1+",
        "replica_election_results []ReplicaElectionResult",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "replica_election_results",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        replica_election_results: list[ReplicaElectionResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.replica_election_results = (
            [] if replica_election_results is FRESH else replica_election_results
        )


class ElectLeadersRequest(Request[ElectLeadersResponse]):
    API_KEY = 43
    API_NAME = "ElectLeaders"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 2
    RESPONSE = ElectLeadersResponse
    LAYOUT = (
        "election_type int8 1+",
        "topic_partitions []TopicPartitions nullable",
        "timeout int32 = 60000",
    )
    __slots__ = (
        "election_type",
        "topic_partitions",
        "timeout",
    )

    def __init__(
        self,
        *,
        election_type: int = 0,
        topic_partitions: list[TopicPartitions] | None = FRESH,
        timeout: int = 60000,
    ) -> None:
        self.election_type = election_type
        self.topic_partitions = [] if topic_partitions is FRESH else topic_partitions
        self.timeout = timeout
