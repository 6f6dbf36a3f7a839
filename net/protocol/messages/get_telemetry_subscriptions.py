"""A client fetches its telemetry subscription (KIP-714).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response


class GetTelemetrySubscriptionsResponse(Response):
    API_KEY = 71
    API_NAME = "GetTelemetrySubscriptions"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "client_instance_id uuid",
        "subscription_id int32",
        "accepted_compression_types []int8",
        "push_interval int32",
        "telemetry_max_bytes int32",
        "delta_temporality bool",
        "requested_metrics []string",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "client_instance_id",
        "subscription_id",
        "accepted_compression_types",
        "push_interval",
        "telemetry_max_bytes",
        "delta_temporality",
        "requested_metrics",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        client_instance_id: bytes = bytes(16),
        subscription_id: int = 0,
        accepted_compression_types: list[int] = FRESH,
        push_interval: int = 0,
        telemetry_max_bytes: int = 0,
        delta_temporality: bool = False,
        requested_metrics: list[str] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.client_instance_id = client_instance_id
        self.subscription_id = subscription_id
        self.accepted_compression_types = (
            [] if accepted_compression_types is FRESH else accepted_compression_types
        )
        self.push_interval = push_interval
        self.telemetry_max_bytes = telemetry_max_bytes
        self.delta_temporality = delta_temporality
        self.requested_metrics = [] if requested_metrics is FRESH else requested_metrics


class GetTelemetrySubscriptionsRequest(Request[GetTelemetrySubscriptionsResponse]):
    API_KEY = 71
    API_NAME = "GetTelemetrySubscriptions"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = GetTelemetrySubscriptionsResponse
    LAYOUT = ("client_instance_id uuid",)
    __slots__ = ("client_instance_id",)

    def __init__(
        self,
        *,
        client_instance_id: bytes = bytes(16),
    ) -> None:
        self.client_instance_id = client_instance_id
