"""Delete topics by name, from 6 on also by id (KIP-516). timeout in ms.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class DeleteTopicState(Struct):
    LAYOUT = (
        "name string nullable = null",
        "topic_id uuid",
    )
    __slots__ = (
        "name",
        "topic_id",
    )

    def __init__(
        self,
        *,
        name: str | None = None,
        topic_id: bytes = bytes(16),
    ) -> None:
        self.name = name
        self.topic_id = topic_id


class DeletableTopicResult(Struct):
    LAYOUT = (
        "name string nullable 6+ = null",
        "topic_id uuid 6+",
        "error_code int16",
        "error_message string 5+ nullable = null",
    )
    __slots__ = (
        "name",
        "topic_id",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        name: str | None = None,
        topic_id: bytes = bytes(16),
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.name = name
        self.topic_id = topic_id
        self.error_code = error_code
        self.error_message = error_message


class DeleteTopicsResponse(Response):
    API_KEY = 20
    API_NAME = "DeleteTopics"
    VALID_VERSIONS = (1, 6)
    FLEXIBLE_FROM = 4
    LAYOUT = (
        "throttle_time int32",
        "responses []DeletableTopicResult",
    )
    __slots__ = (
        "throttle_time",
        "responses",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        responses: list[DeletableTopicResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.responses = [] if responses is FRESH else responses


class DeleteTopicsRequest(Request[DeleteTopicsResponse]):
    API_KEY = 20
    API_NAME = "DeleteTopics"
    VALID_VERSIONS = (1, 6)
    FLEXIBLE_FROM = 4
    RESPONSE = DeleteTopicsResponse
    LAYOUT = (
        "topic_names []string 1-5",
        "topics []DeleteTopicState 6+",
        "timeout int32",
    )
    __slots__ = (
        "topic_names",
        "topics",
        "timeout",
    )

    def __init__(
        self,
        *,
        topic_names: list[str] = FRESH,
        topics: list[DeleteTopicState] = FRESH,
        timeout: int = 0,
    ) -> None:
        self.topic_names = [] if topic_names is FRESH else topic_names
        self.topics = [] if topics is FRESH else topics
        self.timeout = timeout
