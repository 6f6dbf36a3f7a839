"""Create a token whose bearer can authenticate as its owner (KIP-48, KIP-373). Times in ms; a
max_lifetime of -1 stands for the cluster's maximum. An empty owner is the requester.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import FRESH, Request, Response, Struct


class CreatableRenewers(Struct):
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


class CreateDelegationTokenResponse(Response):
    API_KEY = 38
    API_NAME = "CreateDelegationToken"
    VALID_VERSIONS = (1, 3)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "error_code int16",
        "principal_type string",
        "principal_name string",
        "token_requester_principal_type string 3+",
        "token_requester_principal_name string 3+",
        "issue_timestamp int64",
        "expiry_timestamp int64",
        "max_timestamp int64",
        "token_id string",
        "hmac bytes",
        "throttle_time int32",
    )
    __slots__ = (
        "error_code",
        "principal_type",
        "principal_name",
        "token_requester_principal_type",
        "token_requester_principal_name",
        "issue_timestamp",
        "expiry_timestamp",
        "max_timestamp",
        "token_id",
        "hmac",
        "throttle_time",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        principal_type: str = "",
        principal_name: str = "",
        token_requester_principal_type: str = "",
        token_requester_principal_name: str = "",
        issue_timestamp: int = 0,
        expiry_timestamp: int = 0,
        max_timestamp: int = 0,
        token_id: str = "",
        hmac: Buffer = b"",
        throttle_time: int = 0,
    ) -> None:
        self.error_code = error_code
        self.principal_type = principal_type
        self.principal_name = principal_name
        self.token_requester_principal_type = token_requester_principal_type
        self.token_requester_principal_name = token_requester_principal_name
        self.issue_timestamp = issue_timestamp
        self.expiry_timestamp = expiry_timestamp
        self.max_timestamp = max_timestamp
        self.token_id = token_id
        self.hmac = hmac
        self.throttle_time = throttle_time


class CreateDelegationTokenRequest(Request[CreateDelegationTokenResponse]):
    API_KEY = 38
    API_NAME = "CreateDelegationToken"
    VALID_VERSIONS = (1, 3)
    FLEXIBLE_FROM = 2
    RESPONSE = CreateDelegationTokenResponse
    LAYOUT = (
        "owner_principal_type string 3+ nullable",
        "owner_principal_name string 3+ nullable",
        "renewers []CreatableRenewers",
        "max_lifetime int64",
    )
    __slots__ = (
        "owner_principal_type",
        "owner_principal_name",
        "renewers",
        "max_lifetime",
    )

    def __init__(
        self,
        *,
        owner_principal_type: str | None = "",
        owner_principal_name: str | None = "",
        renewers: list[CreatableRenewers] = FRESH,
        max_lifetime: int = 0,
    ) -> None:
        self.owner_principal_type = owner_principal_type
        self.owner_principal_name = owner_principal_name
        self.renewers = [] if renewers is FRESH else renewers
        self.max_lifetime = max_lifetime
