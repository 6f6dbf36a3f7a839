"""Extend the lifetime of a token (KIP-48). Times in ms; -1 stands for the cluster's default.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import Request, Response


class RenewDelegationTokenResponse(Response):
    API_KEY = 39
    API_NAME = "RenewDelegationToken"
    VALID_VERSIONS = (1, 2)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "error_code int16",
        "expiry_timestamp int64",
        "throttle_time int32",
    )
    __slots__ = (
        "error_code",
        "expiry_timestamp",
        "throttle_time",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        expiry_timestamp: int = 0,
        throttle_time: int = 0,
    ) -> None:
        self.error_code = error_code
        self.expiry_timestamp = expiry_timestamp
        self.throttle_time = throttle_time


class RenewDelegationTokenRequest(Request[RenewDelegationTokenResponse]):
    API_KEY = 39
    API_NAME = "RenewDelegationToken"
    VALID_VERSIONS = (1, 2)
    FLEXIBLE_FROM = 2
    RESPONSE = RenewDelegationTokenResponse
    LAYOUT = (
        "hmac bytes",
        "renew_period int64",
    )
    __slots__ = (
        "hmac",
        "renew_period",
    )

    def __init__(
        self,
        *,
        hmac: Buffer = b"",
        renew_period: int = 0,
    ) -> None:
        self.hmac = hmac
        self.renew_period = renew_period
