"""Leave a group; from 3 on several members at once, static ones by instance id (KIP-345, KIP-800).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class MemberIdentity(Struct):
    LAYOUT = (
        "member_id string",
        "group_instance_id string nullable = null",
        "reason string 5+ nullable = null",
    )
    __slots__ = (
        "member_id",
        "group_instance_id",
        "reason",
    )

    def __init__(
        self,
        *,
        member_id: str = "",
        group_instance_id: str | None = None,
        reason: str | None = None,
    ) -> None:
        self.member_id = member_id
        self.group_instance_id = group_instance_id
        self.reason = reason


class MemberResponse(Struct):
    LAYOUT = (
        "member_id string",
        "group_instance_id string nullable = null",
        "error_code int16",
    )
    __slots__ = (
        "member_id",
        "group_instance_id",
        "error_code",
    )

    def __init__(
        self,
        *,
        member_id: str = "",
        group_instance_id: str | None = None,
        error_code: int = 0,
    ) -> None:
        self.member_id = member_id
        self.group_instance_id = group_instance_id
        self.error_code = error_code


class LeaveGroupResponse(Response):
    API_KEY = 13
    API_NAME = "LeaveGroup"
    VALID_VERSIONS = (0, 5)
    FLEXIBLE_FROM = 4
    LAYOUT = (
        "throttle_time int32 1+",
        "error_code int16",
        "members []MemberResponse 3+",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "members",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        members: list[MemberResponse] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.members = [] if members is FRESH else members


class LeaveGroupRequest(Request[LeaveGroupResponse]):
    API_KEY = 13
    API_NAME = "LeaveGroup"
    VALID_VERSIONS = (0, 5)
    FLEXIBLE_FROM = 4
    RESPONSE = LeaveGroupResponse
    LAYOUT = (
        "group_id string",
        "member_id string 0-2",
        "members []MemberIdentity 3+",
    )
    __slots__ = (
        "group_id",
        "member_id",
        "members",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        member_id: str = "",
        members: list[MemberIdentity] = FRESH,
    ) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.members = [] if members is FRESH else members
