"""The partitions whose state the share coordinator has, initializes or deletes (KIP-932), preceded
by an int16 with the version.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Message, Struct


class TopicPartitionsInfo(Struct):
    LAYOUT = (
        "topic_id uuid",
        "topic_name string",
        "partitions []int32",
    )
    __slots__ = (
        "topic_id",
        "topic_name",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_id: bytes = bytes(16),
        topic_name: str = "",
        partitions: list[int] = FRESH,
    ) -> None:
        self.topic_id = topic_id
        self.topic_name = topic_name
        self.partitions = [] if partitions is FRESH else partitions


class TopicInfo(Struct):
    LAYOUT = (
        "topic_id uuid",
        "topic_name string",
    )
    __slots__ = (
        "topic_id",
        "topic_name",
    )

    def __init__(
        self,
        *,
        topic_id: bytes = bytes(16),
        topic_name: str = "",
    ) -> None:
        self.topic_id = topic_id
        self.topic_name = topic_name


class ShareGroupStatePartitionMetadataValue(Message):
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "initializing_topics []TopicPartitionsInfo",
        "initialized_topics []TopicPartitionsInfo",
        "deleting_topics []TopicInfo",
    )
    __slots__ = (
        "initializing_topics",
        "initialized_topics",
        "deleting_topics",
    )

    def __init__(
        self,
        *,
        initializing_topics: list[TopicPartitionsInfo] = FRESH,
        initialized_topics: list[TopicPartitionsInfo] = FRESH,
        deleting_topics: list[TopicInfo] = FRESH,
    ) -> None:
        self.initializing_topics = [] if initializing_topics is FRESH else initializing_topics
        self.initialized_topics = [] if initialized_topics is FRESH else initialized_topics
        self.deleting_topics = [] if deleting_topics is FRESH else deleting_topics
