"""Create ACLs (KIP-140, KIP-290).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class AclCreation(Struct):
    LAYOUT = (
        "resource_type int8",
        "resource_name string",
        "resource_pattern_type int8 = 3",
        "principal string",
        "host string",
        "operation int8",
        "permission_type int8",
    )
    __slots__ = (
        "resource_type",
        "resource_name",
        "resource_pattern_type",
        "principal",
        "host",
        "operation",
        "permission_type",
    )

    def __init__(
        self,
        *,
        resource_type: int = 0,
        resource_name: str = "",
        resource_pattern_type: int = 3,
        principal: str = "",
        host: str = "",
        operation: int = 0,
        permission_type: int = 0,
    ) -> None:
        self.resource_type = resource_type
        self.resource_name = resource_name
        self.resource_pattern_type = resource_pattern_type
        self.principal = principal
        self.host = host
        self.operation = operation
        self.permission_type = permission_type


class AclCreationResult(Struct):
    LAYOUT = (
        "error_code int16",
        "error_message string nullable",
    )
    __slots__ = (
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        error_message: str | None = "",
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message


class CreateAclsResponse(Response):
    API_KEY = 30
    API_NAME = "CreateAcls"
    VALID_VERSIONS = (1, 3)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "throttle_time int32",
        "results []AclCreationResult",
    )
    __slots__ = (
        "throttle_time",
        "results",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        results: list[AclCreationResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.results = [] if results is FRESH else results


class CreateAclsRequest(Request[CreateAclsResponse]):
    API_KEY = 30
    API_NAME = "CreateAcls"
    VALID_VERSIONS = (1, 3)
    FLEXIBLE_FROM = 2
    RESPONSE = CreateAclsResponse
    LAYOUT = ("creations []AclCreation",)
    __slots__ = ("creations",)

    def __init__(
        self,
        *,
        creations: list[AclCreation] = FRESH,
    ) -> None:
        self.creations = [] if creations is FRESH else creations
