"""Delete the ACLs that filters match (KIP-140, KIP-290). A null field of a filter matches
everything.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class DeleteAclsFilter(Struct):
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


class DeleteAclsMatchingAcl(Struct):
    LAYOUT = (
        "error_code int16",
        "error_message string nullable",
        "resource_type int8",
        "resource_name string",
        "pattern_type int8 = 3",
        "principal string",
        "host string",
        "operation int8",
        "permission_type int8",
    )
    __slots__ = (
        "error_code",
        "error_message",
        "resource_type",
        "resource_name",
        "pattern_type",
        "principal",
        "host",
        "operation",
        "permission_type",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        error_message: str | None = "",
        resource_type: int = 0,
        resource_name: str = "",
        pattern_type: int = 3,
        principal: str = "",
        host: str = "",
        operation: int = 0,
        permission_type: int = 0,
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message
        self.resource_type = resource_type
        self.resource_name = resource_name
        self.pattern_type = pattern_type
        self.principal = principal
        self.host = host
        self.operation = operation
        self.permission_type = permission_type


class DeleteAclsFilterResult(Struct):
    LAYOUT = (
        "error_code int16",
        "error_message string nullable",
        "matching_acls []DeleteAclsMatchingAcl",
    )
    __slots__ = (
        "error_code",
        "error_message",
        "matching_acls",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        error_message: str | None = "",
        matching_acls: list[DeleteAclsMatchingAcl] = FRESH,
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message
        self.matching_acls = [] if matching_acls is FRESH else matching_acls


class DeleteAclsResponse(Response):
    API_KEY = 31
    API_NAME = "DeleteAcls"
    VALID_VERSIONS = (1, 3)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "throttle_time int32",
        "filter_results []DeleteAclsFilterResult",
    )
    __slots__ = (
        "throttle_time",
        "filter_results",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        filter_results: list[DeleteAclsFilterResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.filter_results = [] if filter_results is FRESH else filter_results


class DeleteAclsRequest(Request[DeleteAclsResponse]):
    API_KEY = 31
    API_NAME = "DeleteAcls"
    VALID_VERSIONS = (1, 3)
    FLEXIBLE_FROM = 2
    RESPONSE = DeleteAclsResponse
    LAYOUT = ("filters []DeleteAclsFilter",)
    __slots__ = ("filters",)

    def __init__(
        self,
        *,
        filters: list[DeleteAclsFilter] = FRESH,
    ) -> None:
        self.filters = [] if filters is FRESH else filters
