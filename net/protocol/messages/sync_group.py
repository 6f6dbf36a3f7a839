"""The leader sends the assignments, every member gets its own (classic protocol). From 5 on the
protocol's type and name are checked (KIP-559).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import FRESH, Request, Response, Struct


class SyncGroupRequestAssignment(Struct):
    LAYOUT = (
        "member_id string",
        "assignment bytes",
    )
    __slots__ = (
        "member_id",
        "assignment",
    )

    def __init__(
        self,
        *,
        member_id: str = "",
        assignment: Buffer = b"",
    ) -> None:
        self.member_id = member_id
        self.assignment = assignment


class SyncGroupResponse(Response):
    API_KEY = 14
    API_NAME = "SyncGroup"
    VALID_VERSIONS = (0, 5)
    FLEXIBLE_FROM = 4
    LAYOUT = (
        "throttle_time int32 1+",
        "error_code int16",
        "protocol_type string 5+ nullable = null",
        "protocol_name string 5+ nullable = null",
        "assignment bytes",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "protocol_type",
        "protocol_name",
        "assignment",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        protocol_type: str | None = None,
        protocol_name: str | None = None,
        assignment: Buffer = b"",
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.protocol_type = protocol_type
        self.protocol_name = protocol_name
        self.assignment = assignment


class SyncGroupRequest(Request[SyncGroupResponse]):
    API_KEY = 14
    API_NAME = "SyncGroup"
    VALID_VERSIONS = (0, 5)
    FLEXIBLE_FROM = 4
    RESPONSE = SyncGroupResponse
    LAYOUT = (
        "group_id string",
        "generation_id int32",
        "member_id string",
        "group_instance_id string 3+ nullable = null",
        "protocol_type string 5+ nullable = null",
        "protocol_name string 5+ nullable = null",
        "assignments []SyncGroupRequestAssignment",
    )
    __slots__ = (
        "group_id",
        "generation_id",
        "member_id",
        "group_instance_id",
        "protocol_type",
        "protocol_name",
        "assignments",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        generation_id: int = 0,
        member_id: str = "",
        group_instance_id: str | None = None,
        protocol_type: str | None = None,
        protocol_name: str | None = None,
        assignments: list[SyncGroupRequestAssignment] = FRESH,
    ) -> None:
        self.group_id = group_id
        self.generation_id = generation_id
        self.member_id = member_id
        self.group_instance_id = group_instance_id
        self.protocol_type = protocol_type
        self.protocol_name = protocol_name
        self.assignments = [] if assignments is FRESH else assignments
