"""A classic group's state in __consumer_offsets, preceded by an int16 with the version. Apache
Kafka 4.3 writes 3. Timeouts and timestamps in ms.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import FRESH, Message, Struct


class MemberMetadata(Struct):
    LAYOUT = (
        "member_id string",
        "group_instance_id string 3+ nullable = null",
        "client_id string",
        "client_host string",
        "rebalance_timeout int32 1+",
        "session_timeout int32",
        "subscription bytes",
        "assignment bytes",
    )
    __slots__ = (
        "member_id",
        "group_instance_id",
        "client_id",
        "client_host",
        "rebalance_timeout",
        "session_timeout",
        "subscription",
        "assignment",
    )

    def __init__(
        self,
        *,
        member_id: str = "",
        group_instance_id: str | None = None,
        client_id: str = "",
        client_host: str = "",
        rebalance_timeout: int = 0,
        session_timeout: int = 0,
        subscription: Buffer = b"",
        assignment: Buffer = b"",
    ) -> None:
        self.member_id = member_id
        self.group_instance_id = group_instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.rebalance_timeout = rebalance_timeout
        self.session_timeout = session_timeout
        self.subscription = subscription
        self.assignment = assignment


class GroupMetadataValue(Message):
    VALID_VERSIONS = (0, 4)
    FLEXIBLE_FROM = 4
    LAYOUT = (
        "protocol_type string",
        "generation int32",
        "protocol string nullable = null",
        "leader string nullable = null",
        "current_state_timestamp int64 2+ = -1",
        "members []MemberMetadata",
    )
    __slots__ = (
        "protocol_type",
        "generation",
        "protocol",
        "leader",
        "current_state_timestamp",
        "members",
    )

    def __init__(
        self,
        *,
        protocol_type: str = "",
        generation: int = 0,
        protocol: str | None = None,
        leader: str | None = None,
        current_state_timestamp: int = -1,
        members: list[MemberMetadata] = FRESH,
    ) -> None:
        self.protocol_type = protocol_type
        self.generation = generation
        self.protocol = protocol
        self.leader = leader
        self.current_state_timestamp = current_state_timestamp
        self.members = [] if members is FRESH else members
