"""The topology of a streams group (KIP-1071), preceded by an int16 with the version.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Message, Struct


class TopicConfig(Struct):
    LAYOUT = (
        "key string",
        "value string",
    )
    __slots__ = (
        "key",
        "value",
    )

    def __init__(
        self,
        *,
        key: str = "",
        value: str = "",
    ) -> None:
        self.key = key
        self.value = value


class TopicInfo(Struct):
    LAYOUT = (
        "name string",
        "partitions int32",
        "replication_factor int16",
        "topic_configs []TopicConfig",
    )
    __slots__ = (
        "name",
        "partitions",
        "replication_factor",
        "topic_configs",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: int = 0,
        replication_factor: int = 0,
        topic_configs: list[TopicConfig] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = partitions
        self.replication_factor = replication_factor
        self.topic_configs = [] if topic_configs is FRESH else topic_configs


class CopartitionGroup(Struct):
    LAYOUT = (
        "source_topics []int16",
        "source_topic_regex []int16",
        "repartition_source_topics []int16",
    )
    __slots__ = (
        "source_topics",
        "source_topic_regex",
        "repartition_source_topics",
    )

    def __init__(
        self,
        *,
        source_topics: list[int] = FRESH,
        source_topic_regex: list[int] = FRESH,
        repartition_source_topics: list[int] = FRESH,
    ) -> None:
        self.source_topics = [] if source_topics is FRESH else source_topics
        self.source_topic_regex = [] if source_topic_regex is FRESH else source_topic_regex
        self.repartition_source_topics = (
            [] if repartition_source_topics is FRESH else repartition_source_topics
        )


class Subtopology(Struct):
    LAYOUT = (
        "subtopology_id string",
        "source_topics []string",
        "source_topic_regex []string",
        "state_changelog_topics []TopicInfo",
        "repartition_sink_topics []string",
        "repartition_source_topics []TopicInfo",
        "copartition_groups []CopartitionGroup",
    )
    __slots__ = (
        "subtopology_id",
        "source_topics",
        "source_topic_regex",
        "state_changelog_topics",
        "repartition_sink_topics",
        "repartition_source_topics",
        "copartition_groups",
    )

    def __init__(
        self,
        *,
        subtopology_id: str = "",
        source_topics: list[str] = FRESH,
        source_topic_regex: list[str] = FRESH,
        state_changelog_topics: list[TopicInfo] = FRESH,
        repartition_sink_topics: list[str] = FRESH,
        repartition_source_topics: list[TopicInfo] = FRESH,
        copartition_groups: list[CopartitionGroup] = FRESH,
    ) -> None:
        self.subtopology_id = subtopology_id
        self.source_topics = [] if source_topics is FRESH else source_topics
        self.source_topic_regex = [] if source_topic_regex is FRESH else source_topic_regex
        self.state_changelog_topics = (
            [] if state_changelog_topics is FRESH else state_changelog_topics
        )
        self.repartition_sink_topics = (
            [] if repartition_sink_topics is FRESH else repartition_sink_topics
        )
        self.repartition_source_topics = (
            [] if repartition_source_topics is FRESH else repartition_source_topics
        )
        self.copartition_groups = [] if copartition_groups is FRESH else copartition_groups


class StreamsGroupTopologyValue(Message):
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "epoch int32",
        "subtopologies []Subtopology",
    )
    __slots__ = (
        "epoch",
        "subtopologies",
    )

    def __init__(
        self,
        *,
        epoch: int = 0,
        subtopologies: list[Subtopology] = FRESH,
    ) -> None:
        self.epoch = epoch
        self.subtopologies = [] if subtopologies is FRESH else subtopologies
