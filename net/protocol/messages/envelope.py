"""A client's request that a broker forwards to the controller (KIP-590).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import Request, Response


class EnvelopeResponse(Response):
    API_KEY = 58
    API_NAME = "Envelope"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "response_data bytes nullable = null",
        "error_code int16",
    )
    __slots__ = (
        "response_data",
        "error_code",
    )

    def __init__(
        self,
        *,
        response_data: Buffer | None = None,
        error_code: int = 0,
    ) -> None:
        self.response_data = response_data
        self.error_code = error_code


class EnvelopeRequest(Request[EnvelopeResponse]):
    API_KEY = 58
    API_NAME = "Envelope"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = EnvelopeResponse
    LAYOUT = (
        "request_data bytes",
        "request_principal bytes nullable = null",
        "client_host_address bytes",
    )
    __slots__ = (
        "request_data",
        "request_principal",
        "client_host_address",
    )

    def __init__(
        self,
        *,
        request_data: Buffer = b"",
        request_principal: Buffer | None = None,
        client_host_address: Buffer = b"",
    ) -> None:
        self.request_data = request_data
        self.request_principal = request_principal
        self.client_host_address = client_host_address
