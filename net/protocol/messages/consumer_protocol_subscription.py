"""A consumer's subscription in JoinGroup (KIP-54, KIP-429, KIP-792, KIP-881). Preceded by an int16
with the version; a reader decodes a newer version as its own newest.

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


class ConsumerProtocolSubscription(Message):
    VALID_VERSIONS = (0, 3)
    FLEXIBLE_FROM = NEVER
    LAYOUT = (
        "topics []string",
        "user_data bytes nullable = null",
        "owned_partitions []TopicPartition 1+",
        "generation_id int32 2+ = -1",
        "rack_id string 3+ nullable = null",
    )
    __slots__ = (
        "topics",
        "user_data",
        "owned_partitions",
        "generation_id",
        "rack_id",
    )

    def __init__(
        self,
        *,
        topics: list[str] = FRESH,
        user_data: Buffer | None = None,
        owned_partitions: list[TopicPartition] = FRESH,
        generation_id: int = -1,
        rack_id: str | None = None,
    ) -> None:
        self.topics = [] if topics is FRESH else topics
        self.user_data = user_data
        self.owned_partitions = [] if owned_partitions is FRESH else owned_partitions
        self.generation_id = generation_id
        self.rack_id = rack_id
