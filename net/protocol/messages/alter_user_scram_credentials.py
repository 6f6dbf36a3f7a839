"""Set and delete the SCRAM credentials of users (KIP-554).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import FRESH, Request, Response, Struct


class ScramCredentialDeletion(Struct):
    LAYOUT = (
        "name string",
        "mechanism int8",
    )
    __slots__ = (
        "name",
        "mechanism",
    )

    def __init__(
        self,
        *,
        name: str = "",
        mechanism: int = 0,
    ) -> None:
        self.name = name
        self.mechanism = mechanism


class ScramCredentialUpsertion(Struct):
    LAYOUT = (
        "name string",
        "mechanism int8",
        "iterations int32",
        "salt bytes",
        "salted_password bytes",
    )
    __slots__ = (
        "name",
        "mechanism",
        "iterations",
        "salt",
        "salted_password",
    )

    def __init__(
        self,
        *,
        name: str = "",
        mechanism: int = 0,
        iterations: int = 0,
        salt: Buffer = b"",
        salted_password: Buffer = b"",
    ) -> None:
        self.name = name
        self.mechanism = mechanism
        self.iterations = iterations
        self.salt = salt
        self.salted_password = salted_password


class AlterUserScramCredentialsResult(Struct):
    LAYOUT = (
        "user string",
        "error_code int16",
        "error_message string nullable",
    )
    __slots__ = (
        "user",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        user: str = "",
        error_code: int = 0,
        error_message: str | None = "",
    ) -> None:
        self.user = user
        self.error_code = error_code
        self.error_message = error_message


class AlterUserScramCredentialsResponse(Response):
    API_KEY = 51
    API_NAME = "AlterUserScramCredentials"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "results []AlterUserScramCredentialsResult",
    )
    __slots__ = (
        "throttle_time",
        "results",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        results: list[AlterUserScramCredentialsResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.results = [] if results is FRESH else results


class AlterUserScramCredentialsRequest(Request[AlterUserScramCredentialsResponse]):
    API_KEY = 51
    API_NAME = "AlterUserScramCredentials"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = AlterUserScramCredentialsResponse
    LAYOUT = (
        "deletions []ScramCredentialDeletion",
        "upsertions []ScramCredentialUpsertion",
    )
    __slots__ = (
        "deletions",
        "upsertions",
    )

    def __init__(
        self,
        *,
        deletions: list[ScramCredentialDeletion] = FRESH,
        upsertions: list[ScramCredentialUpsertion] = FRESH,
    ) -> None:
        self.deletions = [] if deletions is FRESH else deletions
        self.upsertions = [] if upsertions is FRESH else upsertions
