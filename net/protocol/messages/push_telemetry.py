"""A client pushes its metrics, in OpenTelemetry's format (KIP-714).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import Request, Response


class PushTelemetryResponse(Response):
    API_KEY = 72
    API_NAME = "PushTelemetry"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code


class PushTelemetryRequest(Request[PushTelemetryResponse]):
    API_KEY = 72
    API_NAME = "PushTelemetry"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = PushTelemetryResponse
    LAYOUT = (
        "client_instance_id uuid",
        "subscription_id int32",
        "terminating bool",
        "compression_type int8",
        "metrics bytes",
    )
    __slots__ = (
        "client_instance_id",
        "subscription_id",
        "terminating",
        "compression_type",
        "metrics",
    )

    def __init__(
        self,
        *,
        client_instance_id: bytes = bytes(16),
        subscription_id: int = 0,
        terminating: bool = False,
        compression_type: int = 0,
        metrics: Buffer = b"",
    ) -> None:
        self.client_instance_id = client_instance_id
        self.subscription_id = subscription_id
        self.terminating = terminating
        self.compression_type = compression_type
        self.metrics = metrics
