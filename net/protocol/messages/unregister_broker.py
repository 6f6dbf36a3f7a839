"""Remove a broker that will not return (KIP-631).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import Request, Response


class UnregisterBrokerResponse(Response):
    API_KEY = 64
    API_NAME = "UnregisterBroker"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable = null",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message


class UnregisterBrokerRequest(Request[UnregisterBrokerResponse]):
    API_KEY = 64
    API_NAME = "UnregisterBroker"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = UnregisterBrokerResponse
    LAYOUT = ("broker_id int32",)
    __slots__ = ("broker_id",)

    def __init__(
        self,
        *,
        broker_id: int = 0,
    ) -> None:
        self.broker_id = broker_id
