"""Key of a streams group member's current assignment (KIP-1071), preceded by the int16 22.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import NEVER, Message


class StreamsGroupCurrentMemberAssignmentKey(Message):
    VALID_VERSIONS = (22, 22)
    FLEXIBLE_FROM = NEVER
    LAYOUT = (
        "group_id string",
        "member_id string",
    )
    __slots__ = (
        "group_id",
        "member_id",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        member_id: str = "",
    ) -> None:
        self.group_id = group_id
        self.member_id = member_id
