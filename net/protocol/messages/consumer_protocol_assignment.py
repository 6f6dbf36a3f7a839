"""A consumer's assignment in SyncGroup, from the group's leader. Preceded by an int16 with the
version.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import FRESH, NEVER, Message, Struct


class TopicPartition(Struct):
    LAYOUT = (
        "topic string",
        "partitions []int32",
    )
    __slots__ = (
        "topic",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic: str = "",
        partitions: list[int] = FRESH,
    ) -> None:
        self.topic = topic
        self.partitions = [] if partitions is FRESH else partitions


class ConsumerProtocolAssignment(Message):
    VALID_VERSIONS = (0, 3)
    FLEXIBLE_FROM = NEVER
    LAYOUT = (
        "assigned_partitions []TopicPartition",
        "user_data bytes nullable = null",
    )
    __slots__ = (
        "assigned_partitions",
        "user_data",
    )

    def __init__(
        self,
        *,
        assigned_partitions: list[TopicPartition] = FRESH,
        user_data: Buffer | None = None,
    ) -> None:
        self.assigned_partitions = [] if assigned_partitions is FRESH else assigned_partitions
        self.user_data = user_data
