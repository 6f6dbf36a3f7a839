"""The SCRAM mechanisms for which users have passwords (KIP-554). Null requests all users.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class UserName(Struct):
    LAYOUT = ("name string",)
    __slots__ = ("name",)

    def __init__(
        self,
        *,
        name: str = "",
    ) -> None:
        self.name = name


class CredentialInfo(Struct):
    LAYOUT = (
        "mechanism int8",
        "iterations int32",
    )
    __slots__ = (
        "mechanism",
        "iterations",
    )

    def __init__(
        self,
        *,
        mechanism: int = 0,
        iterations: int = 0,
    ) -> None:
        self.mechanism = mechanism
        self.iterations = iterations


class DescribeUserScramCredentialsResult(Struct):
    LAYOUT = (
        "user string",
        "error_code int16",
        "error_message string nullable",
        "credential_infos []CredentialInfo",
    )
    __slots__ = (
        "user",
        "error_code",
        "error_message",
        "credential_infos",
    )

    def __init__(
        self,
        *,
        user: str = "",
        error_code: int = 0,
        error_message: str | None = "",
        credential_infos: list[CredentialInfo] = FRESH,
    ) -> None:
        self.user = user
        self.error_code = error_code
        self.error_message = error_message
        self.credential_infos = [] if credential_infos is FRESH else credential_infos


class DescribeUserScramCredentialsResponse(Response):
    API_KEY = 50
    API_NAME = "DescribeUserScramCredentials"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable",
        "results []DescribeUserScramCredentialsResult",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
        "results",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = "",
        results: list[DescribeUserScramCredentialsResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message
        self.results = [] if results is FRESH else results


class DescribeUserScramCredentialsRequest(Request[DescribeUserScramCredentialsResponse]):
    API_KEY = 50
    API_NAME = "DescribeUserScramCredentials"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = DescribeUserScramCredentialsResponse
    LAYOUT = ("users []UserName nullable",)
    __slots__ = ("users",)

    def __init__(
        self,
        *,
        users: list[UserName] | None = FRESH,
    ) -> None:
        self.users = [] if users is FRESH else users
