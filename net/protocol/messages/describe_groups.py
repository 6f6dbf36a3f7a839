"""State and members of groups (classic protocol). From 6 on a group that does not exist is an error
with a message (KIP-1043). The tagged field is raftka's own: whether a rebalance waits for the
member.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import FRESH, Request, Response, Struct


class DescribedGroupMember(Struct):
    LAYOUT = (
        "member_id string",
        "group_instance_id string 4+ nullable = null",
        "client_id string",
        "client_host string",
        "member_metadata bytes",
        "member_assignment bytes",
        "awaited bool 5+ tag 1000 = false",
    )
    __slots__ = (
        "member_id",
        "group_instance_id",
        "client_id",
        "client_host",
        "member_metadata",
        "member_assignment",
        "awaited",
    )

    def __init__(
        self,
        *,
        member_id: str = "",
        group_instance_id: str | None = None,
        client_id: str = "",
        client_host: str = "",
        member_metadata: Buffer = b"",
        member_assignment: Buffer = b"",
        awaited: bool = False,
    ) -> None:
        self.member_id = member_id
        self.group_instance_id = group_instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.member_metadata = member_metadata
        self.member_assignment = member_assignment
        self.awaited = awaited


class DescribedGroup(Struct):
    LAYOUT = (
        "error_code int16",
        "error_message string 6+ nullable = null",
        "group_id string",
        "group_state string",
        "protocol_type string",
        "protocol_data string",
        "members []DescribedGroupMember",
        "authorized_operations int32 3+ = -2147483648",
    )
    __slots__ = (
        "error_code",
        "error_message",
        "group_id",
        "group_state",
        "protocol_type",
        "protocol_data",
        "members",
        "authorized_operations",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        error_message: str | None = None,
        group_id: str = "",
        group_state: str = "",
        protocol_type: str = "",
        protocol_data: str = "",
        members: list[DescribedGroupMember] = FRESH,
        authorized_operations: int = -2147483648,
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message
        self.group_id = group_id
        self.group_state = group_state
        self.protocol_type = protocol_type
        self.protocol_data = protocol_data
        self.members = [] if members is FRESH else members
        self.authorized_operations = authorized_operations


class DescribeGroupsResponse(Response):
    API_KEY = 15
    API_NAME = "DescribeGroups"
    VALID_VERSIONS = (0, 6)
    FLEXIBLE_FROM = 5
    LAYOUT = (
        "throttle_time int32 1+",
        "groups []DescribedGroup",
    )
    __slots__ = (
        "throttle_time",
        "groups",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        groups: list[DescribedGroup] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.groups = [] if groups is FRESH else groups


class DescribeGroupsRequest(Request[DescribeGroupsResponse]):
    API_KEY = 15
    API_NAME = "DescribeGroups"
    VALID_VERSIONS = (0, 6)
    FLEXIBLE_FROM = 5
    RESPONSE = DescribeGroupsResponse
    LAYOUT = (
        "groups []string",
        "include_authorized_operations bool 3+",
    )
    __slots__ = (
        "groups",
        "include_authorized_operations",
    )

    def __init__(
        self,
        *,
        groups: list[str] = FRESH,
        include_authorized_operations: bool = False,
    ) -> None:
        self.groups = [] if groups is FRESH else groups
        self.include_authorized_operations = include_authorized_operations
