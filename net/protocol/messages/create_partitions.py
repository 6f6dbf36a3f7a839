"""Add partitions to topics (KIP-195). count is the new total.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class CreatePartitionsAssignment(Struct):
    LAYOUT = ("broker_ids []int32",)
    __slots__ = ("broker_ids",)

    def __init__(
        self,
        *,
        broker_ids: list[int] = FRESH,
    ) -> None:
        self.broker_ids = [] if broker_ids is FRESH else broker_ids


class CreatePartitionsTopic(Struct):
    LAYOUT = (
        "name string",
        "count int32",
        "assignments []CreatePartitionsAssignment nullable",
    )
    __slots__ = (
        "name",
        "count",
        "assignments",
    )

    def __init__(
        self,
        *,
        name: str = "",
        count: int = 0,
        assignments: list[CreatePartitionsAssignment] | None = FRESH,
    ) -> None:
        self.name = name
        self.count = count
        self.assignments = [] if assignments is FRESH else assignments


class CreatePartitionsTopicResult(Struct):
    LAYOUT = (
        "name string",
        "error_code int16",
        "error_message string nullable = null",
    )
    __slots__ = (
        "name",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        name: str = "",
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.name = name
        self.error_code = error_code
        self.error_message = error_message


class CreatePartitionsResponse(Response):
    API_KEY = 37
    API_NAME = "CreatePartitions"
    VALID_VERSIONS = (0, 3)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "throttle_time int32",
        "results []CreatePartitionsTopicResult",
    )
    __slots__ = (
        "throttle_time",
        "results",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        results: list[CreatePartitionsTopicResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.results = [] if results is FRESH else results


class CreatePartitionsRequest(Request[CreatePartitionsResponse]):
    API_KEY = 37
    API_NAME = "CreatePartitions"
    VALID_VERSIONS = (0, 3)
    FLEXIBLE_FROM = 2
    RESPONSE = CreatePartitionsResponse
    LAYOUT = (
        "topics []CreatePartitionsTopic",
        "timeout int32",
        "validate_only bool",
    )
    __slots__ = (
        "topics",
        "timeout",
        "validate_only",
    )

    def __init__(
        self,
        *,
        topics: list[CreatePartitionsTopic] = FRESH,
        timeout: int = 0,
        validate_only: bool = False,
    ) -> None:
        self.topics = [] if topics is FRESH else topics
        self.timeout = timeout
        self.validate_only = validate_only
