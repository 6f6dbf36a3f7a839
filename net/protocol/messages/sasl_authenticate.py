"""A token of a SASL exchange (KIP-152). From 1 on sessions expire (KIP-368).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import Request, Response


class SaslAuthenticateResponse(Response):
    API_KEY = 36
    API_NAME = "SaslAuthenticate"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "error_code int16",
        "error_message string nullable",
        "auth_bytes bytes",
        "session_lifetime int64 1+",
    )
    __slots__ = (
        "error_code",
        "error_message",
        "auth_bytes",
        "session_lifetime",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        error_message: str | None = "",
        auth_bytes: Buffer = b"",
        session_lifetime: int = 0,
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message
        self.auth_bytes = auth_bytes
        self.session_lifetime = session_lifetime


class SaslAuthenticateRequest(Request[SaslAuthenticateResponse]):
    API_KEY = 36
    API_NAME = "SaslAuthenticate"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 2
    RESPONSE = SaslAuthenticateResponse
    LAYOUT = ("auth_bytes bytes",)
    __slots__ = ("auth_bytes",)

    def __init__(
        self,
        *,
        auth_bytes: Buffer = b"",
    ) -> None:
        self.auth_bytes = auth_bytes
