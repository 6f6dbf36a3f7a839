"""Tokens of these owners, or of all (KIP-48, KIP-373), that the client may see.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import FRESH, Request, Response, Struct


class DescribeDelegationTokenOwner(Struct):
    LAYOUT = (
        "principal_type string",
        "principal_name string",
    )
    __slots__ = (
        "principal_type",
        "principal_name",
    )

    def __init__(
        self,
        *,
        principal_type: str = "",
        principal_name: str = "",
    ) -> None:
        self.principal_type = principal_type
        self.principal_name = principal_name


class DescribedDelegationTokenRenewer(Struct):
    LAYOUT = (
        "principal_type string",
        "principal_name string",
    )
    __slots__ = (
        "principal_type",
        "principal_name",
    )

    def __init__(
        self,
        *,
        principal_type: str = "",
        principal_name: str = "",
    ) -> None:
        self.principal_type = principal_type
        self.principal_name = principal_name


class DescribedDelegationToken(Struct):
    LAYOUT = (
        "principal_type string",
        "principal_name string",
        "token_requester_principal_type string 3+",
        "token_requester_principal_name string 3+",
        "issue_timestamp int64",
        "expiry_timestamp int64",
        "max_timestamp int64",
        "token_id string",
        "hmac bytes",
        "renewers []DescribedDelegationTokenRenewer",
    )
    __slots__ = (
        "principal_type",
        "principal_name",
        "token_requester_principal_type",
        "token_requester_principal_name",
        "issue_timestamp",
        "expiry_timestamp",
        "max_timestamp",
        "token_id",
        "hmac",
        "renewers",
    )

    def __init__(
        self,
        *,
        principal_type: str = "",
        principal_name: str = "",
        token_requester_principal_type: str = "",
        token_requester_principal_name: str = "",
        issue_timestamp: int = 0,
        expiry_timestamp: int = 0,
        max_timestamp: int = 0,
        token_id: str = "",
        hmac: Buffer = b"",
        renewers: list[DescribedDelegationTokenRenewer] = FRESH,
    ) -> None:
        self.principal_type = principal_type
        self.principal_name = principal_name
        self.token_requester_principal_type = token_requester_principal_type
        self.token_requester_principal_name = token_requester_principal_name
        self.issue_timestamp = issue_timestamp
        self.expiry_timestamp = expiry_timestamp
        self.max_timestamp = max_timestamp
        self.token_id = token_id
        self.hmac = hmac
        self.renewers = [] if renewers is FRESH else renewers


class DescribeDelegationTokenResponse(Response):
    API_KEY = 41
    API_NAME = "DescribeDelegationToken"
    VALID_VERSIONS = (1, 3)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "error_code int16",
        "tokens []DescribedDelegationToken",
        "throttle_time int32",
    )
    __slots__ = (
        "error_code",
        "tokens",
        "throttle_time",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        tokens: list[DescribedDelegationToken] = FRESH,
        throttle_time: int = 0,
    ) -> None:
        self.error_code = error_code
        self.tokens = [] if tokens is FRESH else tokens
        self.throttle_time = throttle_time


class DescribeDelegationTokenRequest(Request[DescribeDelegationTokenResponse]):
    API_KEY = 41
    API_NAME = "DescribeDelegationToken"
    VALID_VERSIONS = (1, 3)
    FLEXIBLE_FROM = 2
    RESPONSE = DescribeDelegationTokenResponse
    LAYOUT = ("owners []DescribeDelegationTokenOwner nullable",)
    __slots__ = ("owners",)

    def __init__(
        self,
        *,
        owners: list[DescribeDelegationTokenOwner] | None = FRESH,
    ) -> None:
        self.owners = [] if owners is FRESH else owners
