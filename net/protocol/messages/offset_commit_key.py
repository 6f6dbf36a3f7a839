"""Key of a committed offset in __consumer_offsets, preceded by the int16 1 (once: 0).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import NEVER, Message


class OffsetCommitKey(Message):
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = NEVER
    LAYOUT = (
        "group string",
        "topic string",
        "partition int32",
    )
    __slots__ = (
        "group",
        "topic",
        "partition",
    )

    def __init__(
        self,
        *,
        group: str = "",
        topic: str = "",
        partition: int = 0,
    ) -> None:
        self.group = group
        self.topic = topic
        self.partition = partition
