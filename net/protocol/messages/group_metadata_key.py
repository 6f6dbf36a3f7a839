"""Key of a group's state in __consumer_offsets, preceded by the int16 2.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import NEVER, Message


class GroupMetadataKey(Message):
    VALID_VERSIONS = (2, 2)
    FLEXIBLE_FROM = NEVER
    LAYOUT = ("group string",)
    __slots__ = ("group",)

    def __init__(
        self,
        *,
        group: str = "",
    ) -> None:
        self.group = group
