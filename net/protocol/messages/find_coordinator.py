"""The broker that coordinates a group (key_type 0), a transactional id (1) or a share group (2).
From 4 on many keys at once (KIP-699). From 5 on the answer may be TRANSACTION_ABORTABLE
(KIP-890). From 6 on share groups (KIP-932).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class Coordinator(Struct):
    LAYOUT = (
        "key string",
        "node_id int32",
        "host string",
        "port int32",
        "error_code int16",
        "error_message string nullable = null",
    )
    __slots__ = (
        "key",
        "node_id",
        "host",
        "port",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        key: str = "",
        node_id: int = 0,
        host: str = "",
        port: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.key = key
        self.node_id = node_id
        self.host = host
        self.port = port
        self.error_code = error_code
        self.error_message = error_message


class FindCoordinatorResponse(Response):
    API_KEY = 10
    API_NAME = "FindCoordinator"
    VALID_VERSIONS = (0, 6)
    FLEXIBLE_FROM = 3
    LAYOUT = (
        "throttle_time int32 1+",
        "error_code int16 0-3",
        "error_message string 1-3 nullable = null",
        "node_id int32 0-3",
        "host string 0-3",
        "port int32 0-3",
        "coordinators []Coordinator 4+",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
        "node_id",
        "host",
        "port",
        "coordinators",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        node_id: int = 0,
        host: str = "",
        port: int = 0,
        coordinators: list[Coordinator] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message
        self.node_id = node_id
        self.host = host
        self.port = port
        self.coordinators = [] if coordinators is FRESH else coordinators


class FindCoordinatorRequest(Request[FindCoordinatorResponse]):
    API_KEY = 10
    API_NAME = "FindCoordinator"
    VALID_VERSIONS = (0, 6)
    FLEXIBLE_FROM = 3
    RESPONSE = FindCoordinatorResponse
    LAYOUT = (
        "key string 0-3",
        "key_type int8 1+",
        "coordinator_keys []string 4+",
    )
    __slots__ = (
        "key",
        "key_type",
        "coordinator_keys",
    )

    def __init__(
        self,
        *,
        key: str = "",
        key_type: int = 0,
        coordinator_keys: list[str] = FRESH,
    ) -> None:
        self.key = key
        self.key_type = key_type
        self.coordinator_keys = [] if coordinator_keys is FRESH else coordinator_keys
