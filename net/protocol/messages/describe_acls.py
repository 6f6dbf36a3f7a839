"""The ACLs that a filter matches (KIP-140, KIP-290). A null field of the filter matches everything.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class AclDescription(Struct):
    LAYOUT = (
        "principal string",
        "host string",
        "operation int8",
        "permission_type int8",
    )
    __slots__ = (
        "principal",
        "host",
        "operation",
        "permission_type",
    )

    def __init__(
        self,
        *,
        principal: str = "",
        host: str = "",
        operation: int = 0,
        permission_type: int = 0,
    ) -> None:
        self.principal = principal
        self.host = host
        self.operation = operation
        self.permission_type = permission_type


class DescribeAclsResource(Struct):
    LAYOUT = (
        "resource_type int8",
        "resource_name string",
        "pattern_type int8 = 3",
        "acls []AclDescription",
    )
    __slots__ = (
        "resource_type",
        "resource_name",
        "pattern_type",
        "acls",
    )

    def __init__(
        self,
        *,
        resource_type: int = 0,
        resource_name: str = "",
        pattern_type: int = 3,
        acls: list[AclDescription] = FRESH,
    ) -> None:
        self.resource_type = resource_type
        self.resource_name = resource_name
        self.pattern_type = pattern_type
        self.acls = [] if acls is FRESH else acls


class DescribeAclsResponse(Response):
    API_KEY = 29
    API_NAME = "DescribeAcls"
    VALID_VERSIONS = (1, 3)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable",
        "resources []DescribeAclsResource",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
        "resources",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = "",
        resources: list[DescribeAclsResource] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message
        self.resources = [] if resources is FRESH else resources


class DescribeAclsRequest(Request[DescribeAclsResponse]):
    API_KEY = 29
    API_NAME = "DescribeAcls"
    VALID_VERSIONS = (1, 3)
    FLEXIBLE_FROM = 2
    RESPONSE = DescribeAclsResponse
    LAYOUT = (
        "resource_type_filter int8",
        "resource_name_filter string nullable",
        "pattern_type_filter int8 = 3",
        "principal_filter string nullable",
        "host_filter string nullable",
        "operation int8",
        "permission_type int8",
    )
    __slots__ = (
        "resource_type_filter",
        "resource_name_filter",
        "pattern_type_filter",
        "principal_filter",
        "host_filter",
        "operation",
        "permission_type",
    )

    def __init__(
        self,
        *,
        resource_type_filter: int = 0,
        resource_name_filter: str | None = "",
        pattern_type_filter: int = 3,
        principal_filter: str | None = "",
        host_filter: str | None = "",
        operation: int = 0,
        permission_type: int = 0,
    ) -> None:
        self.resource_type_filter = resource_type_filter
        self.resource_name_filter = resource_name_filter
        self.pattern_type_filter = pattern_type_filter
        self.principal_filter = principal_filter
        self.host_filter = host_filter
        self.operation = operation
        self.permission_type = permission_type
