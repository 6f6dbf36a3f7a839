"""A client chooses a SASL mechanism. From 1 on tokens are sent in SaslAuthenticate (KIP-152).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, NEVER, Request, Response


class SaslHandshakeResponse(Response):
    API_KEY = 17
    API_NAME = "SaslHandshake"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = NEVER
    LAYOUT = (
        "error_code int16",
        "mechanisms []string",
    )
    __slots__ = (
        "error_code",
        "mechanisms",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        mechanisms: list[str] = FRESH,
    ) -> None:
        self.error_code = error_code
        self.mechanisms = [] if mechanisms is FRESH else mechanisms


class SaslHandshakeRequest(Request[SaslHandshakeResponse]):
    API_KEY = 17
    API_NAME = "SaslHandshake"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = NEVER
    RESPONSE = SaslHandshakeResponse
    LAYOUT = ("mechanism string",)
    __slots__ = ("mechanism",)

    def __init__(
        self,
        *,
        mechanism: str = "",
    ) -> None:
        self.mechanism = mechanism
