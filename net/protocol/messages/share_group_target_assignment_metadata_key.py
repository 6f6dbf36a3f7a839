"""Key of the epoch of a share group's target assignment in __consumer_offsets, preceded by the
int16 12.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import NEVER, Message


class ShareGroupTargetAssignmentMetadataKey(Message):
    VALID_VERSIONS = (12, 12)
    FLEXIBLE_FROM = NEVER
    LAYOUT = ("group_id string",)
    __slots__ = ("group_id",)

    def __init__(
        self,
        *,
        group_id: str = "",
    ) -> None:
        self.group_id = group_id
