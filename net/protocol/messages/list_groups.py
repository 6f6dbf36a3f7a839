"""The groups that a broker coordinates. From 4 on filtered by state (KIP-518), from 5 on by type
(KIP-848).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class ListedGroup(Struct):
    LAYOUT = (
        "group_id string",
        "protocol_type string",
        "group_state string 4+",
        "group_type string 5+",
    )
    __slots__ = (
        "group_id",
        "protocol_type",
        "group_state",
        "group_type",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        protocol_type: str = "",
        group_state: str = "",
        group_type: str = "",
    ) -> None:
        self.group_id = group_id
        self.protocol_type = protocol_type
        self.group_state = group_state
        self.group_type = group_type


class ListGroupsResponse(Response):
    API_KEY = 16
    API_NAME = "ListGroups"
    VALID_VERSIONS = (0, 5)
    FLEXIBLE_FROM = 3
    LAYOUT = (
        "throttle_time int32 1+",
        "error_code int16",
        "groups []ListedGroup",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "groups",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        groups: list[ListedGroup] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.groups = [] if groups is FRESH else groups


class ListGroupsRequest(Request[ListGroupsResponse]):
    API_KEY = 16
    API_NAME = "ListGroups"
    VALID_VERSIONS = (0, 5)
    FLEXIBLE_FROM = 3
    RESPONSE = ListGroupsResponse
    LAYOUT = (
        "states_filter []string 4+",
        "types_filter []string 5+",
    )
    __slots__ = (
        "states_filter",
        "types_filter",
    )

    def __init__(
        self,
        *,
        states_filter: list[str] = FRESH,
        types_filter: list[str] = FRESH,
    ) -> None:
        self.states_filter = [] if states_filter is FRESH else states_filter
        self.types_filter = [] if types_filter is FRESH else types_filter
