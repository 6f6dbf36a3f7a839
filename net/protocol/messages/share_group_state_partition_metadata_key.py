"""Key of the partitions for which a share group has state in __consumer_offsets, preceded by the
int16 15.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import NEVER, Message


class ShareGroupStatePartitionMetadataKey(Message):
    VALID_VERSIONS = (15, 15)
    FLEXIBLE_FROM = NEVER
    LAYOUT = ("group_id string",)
    __slots__ = ("group_id",)

    def __init__(
        self,
        *,
        group_id: str = "",
    ) -> None:
        self.group_id = group_id
