"""Key of a member's target assignment in a share group in __consumer_offsets, preceded by the int16
13.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import NEVER, Message


class ShareGroupTargetAssignmentMemberKey(Message):
    VALID_VERSIONS = (13, 13)
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
