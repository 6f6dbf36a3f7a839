"""Join a consumer group of the classic protocol and wait for its next generation. From 4 on a
member without an id gets one in the answer and joins again with it (KIP-394). From 5 on static
members (KIP-345). From 8 on the request gives a reason (KIP-800). From 9 on the answer may tell
the leader to skip the assignment (KIP-814). Timeouts in ms; version 0 has no rebalance timeout:
the session timeout applies.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import FRESH, Request, Response, Struct


class JoinGroupRequestProtocol(Struct):
    LAYOUT = (
        "name string",
        "metadata bytes",
    )
    __slots__ = (
        "name",
        "metadata",
    )

    def __init__(
        self,
        *,
        name: str = "",
        metadata: Buffer = b"",
    ) -> None:
        self.name = name
        self.metadata = metadata


class JoinGroupResponseMember(Struct):
    LAYOUT = (
        "member_id string",
        "group_instance_id string 5+ nullable = null",
        "metadata bytes",
    )
    __slots__ = (
        "member_id",
        "group_instance_id",
        "metadata",
    )

    def __init__(
        self,
        *,
        member_id: str = "",
        group_instance_id: str | None = None,
        metadata: Buffer = b"",
    ) -> None:
        self.member_id = member_id
        self.group_instance_id = group_instance_id
        self.metadata = metadata


class JoinGroupResponse(Response):
    API_KEY = 11
    API_NAME = "JoinGroup"
    VALID_VERSIONS = (0, 9)
    FLEXIBLE_FROM = 6
    LAYOUT = (
        "throttle_time int32 2+",
        "error_code int16",
        "generation_id int32 = -1",
        "protocol_type string 7+ nullable = null",
        "protocol_name string nullable 7+ = null",
        "leader string",
        "skip_assignment bool 9+",
        "member_id string",
        "members []JoinGroupResponseMember",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "generation_id",
        "protocol_type",
        "protocol_name",
        "leader",
        "skip_assignment",
        "member_id",
        "members",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        generation_id: int = -1,
        protocol_type: str | None = None,
        protocol_name: str | None = None,
        leader: str = "",
        skip_assignment: bool = False,
        member_id: str = "",
        members: list[JoinGroupResponseMember] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.generation_id = generation_id
        self.protocol_type = protocol_type
        self.protocol_name = protocol_name
        self.leader = leader
        self.skip_assignment = skip_assignment
        self.member_id = member_id
        self.members = [] if members is FRESH else members


class JoinGroupRequest(Request[JoinGroupResponse]):
    API_KEY = 11
    API_NAME = "JoinGroup"
    VALID_VERSIONS = (0, 9)
    FLEXIBLE_FROM = 6
    RESPONSE = JoinGroupResponse
    LAYOUT = (
        "group_id string",
        "session_timeout int32",
        "rebalance_timeout int32 1+ = -1",
        "member_id string",
        "group_instance_id string 5+ nullable = null",
        "protocol_type string",
        "protocols []JoinGroupRequestProtocol",
        "reason string 8+ nullable = null",
    )
    __slots__ = (
        "group_id",
        "session_timeout",
        "rebalance_timeout",
        "member_id",
        "group_instance_id",
        "protocol_type",
        "protocols",
        "reason",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        session_timeout: int = 0,
        rebalance_timeout: int = -1,
        member_id: str = "",
        group_instance_id: str | None = None,
        protocol_type: str = "",
        protocols: list[JoinGroupRequestProtocol] = FRESH,
        reason: str | None = None,
    ) -> None:
        self.group_id = group_id
        self.session_timeout = session_timeout
        self.rebalance_timeout = rebalance_timeout
        self.member_id = member_id
        self.group_instance_id = group_instance_id
        self.protocol_type = protocol_type
        self.protocols = [] if protocols is FRESH else protocols
        self.reason = reason
