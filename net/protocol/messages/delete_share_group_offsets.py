"""Delete the state of topics of an empty share group (KIP-932).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class DeleteShareGroupOffsetsRequestTopic(Struct):
    LAYOUT = ("topic_name string",)
    __slots__ = ("topic_name",)

    def __init__(
        self,
        *,
        topic_name: str = "",
    ) -> None:
        self.topic_name = topic_name


class DeleteShareGroupOffsetsResponseTopic(Struct):
    LAYOUT = (
        "topic_name string",
        "topic_id uuid",
        "error_code int16",
        "error_message string nullable = null",
    )
    __slots__ = (
        "topic_name",
        "topic_id",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        topic_name: str = "",
        topic_id: bytes = bytes(16),
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.topic_name = topic_name
        self.topic_id = topic_id
        self.error_code = error_code
        self.error_message = error_message


class DeleteShareGroupOffsetsResponse(Response):
    API_KEY = 92
    API_NAME = "DeleteShareGroupOffsets"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable = null",
        "responses []DeleteShareGroupOffsetsResponseTopic",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
        "responses",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        responses: list[DeleteShareGroupOffsetsResponseTopic] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message
        self.responses = [] if responses is FRESH else responses


class DeleteShareGroupOffsetsRequest(Request[DeleteShareGroupOffsetsResponse]):
    API_KEY = 92
    API_NAME = "DeleteShareGroupOffsets"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = DeleteShareGroupOffsetsResponse
    LAYOUT = (
        "group_id string",
        "topics []DeleteShareGroupOffsetsRequestTopic",
    )
    __slots__ = (
        "group_id",
        "topics",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topics: list[DeleteShareGroupOffsetsRequestTopic] = FRESH,
    ) -> None:
        self.group_id = group_id
        self.topics = [] if topics is FRESH else topics
