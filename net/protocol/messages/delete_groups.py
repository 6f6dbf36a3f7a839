"""Delete groups that have no members (KIP-229).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class DeletableGroupResult(Struct):
    LAYOUT = (
        "group_id string",
        "error_code int16",
    )
    __slots__ = (
        "group_id",
        "error_code",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        error_code: int = 0,
    ) -> None:
        self.group_id = group_id
        self.error_code = error_code


class DeleteGroupsResponse(Response):
    API_KEY = 42
    API_NAME = "DeleteGroups"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "throttle_time int32",
        "results []DeletableGroupResult",
    )
    __slots__ = (
        "throttle_time",
        "results",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        results: list[DeletableGroupResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.results = [] if results is FRESH else results


class DeleteGroupsRequest(Request[DeleteGroupsResponse]):
    API_KEY = 42
    API_NAME = "DeleteGroups"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 2
    RESPONSE = DeleteGroupsResponse
    LAYOUT = ("groups_names []string",)
    __slots__ = ("groups_names",)

    def __init__(
        self,
        *,
        groups_names: list[str] = FRESH,
    ) -> None:
        self.groups_names = [] if groups_names is FRESH else groups_names
