"""Key of the epoch of a streams group's target (KIP-1071), preceded by the int16 20.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import NEVER, Message


class StreamsGroupTargetAssignmentMetadataKey(Message):
    VALID_VERSIONS = (20, 20)
    FLEXIBLE_FROM = NEVER
    LAYOUT = ("group_id string",)
    __slots__ = ("group_id",)

    def __init__(
        self,
        *,
        group_id: str = "",
    ) -> None:
        self.group_id = group_id
