"""A group member is alive (classic protocol). From 3 on static members (KIP-345).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import Request, Response


class HeartbeatResponse(Response):
    API_KEY = 12
    API_NAME = "Heartbeat"
    VALID_VERSIONS = (0, 4)
    FLEXIBLE_FROM = 4
    LAYOUT = (
        "throttle_time int32 1+",
        "error_code int16",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code


class HeartbeatRequest(Request[HeartbeatResponse]):
    API_KEY = 12
    API_NAME = "Heartbeat"
    VALID_VERSIONS = (0, 4)
    FLEXIBLE_FROM = 4
    RESPONSE = HeartbeatResponse
    LAYOUT = (
        "group_id string",
        "generation_id int32",
        "member_id string",
        "group_instance_id string 3+ nullable = null",
    )
    __slots__ = (
        "group_id",
        "generation_id",
        "member_id",
        "group_instance_id",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        generation_id: int = 0,
        member_id: str = "",
        group_instance_id: str | None = None,
    ) -> None:
        self.group_id = group_id
        self.generation_id = generation_id
        self.member_id = member_id
        self.group_instance_id = group_instance_id
