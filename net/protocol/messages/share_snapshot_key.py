"""Key of a share-partition's whole state in __share_group_state, preceded by the int16 0.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import NEVER, Message


class ShareSnapshotKey(Message):
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = NEVER
    LAYOUT = (
        "group_id string",
        "topic_id uuid",
        "partition int32",
    )
    __slots__ = (
        "group_id",
        "topic_id",
        "partition",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        topic_id: bytes = bytes(16),
        partition: int = 0,
    ) -> None:
        self.group_id = group_id
        self.topic_id = topic_id
        self.partition = partition
