"""Create topics (KIP-4, KIP-464, KIP-525, KIP-516). -1 partitions or replicas stand for the
broker's defaults (from 4 on), or for assignments. From 5 on the answer has the topic's
configuration. timeout in ms.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class CreatableReplicaAssignment(Struct):
    LAYOUT = (
        "partition_index int32",
        "broker_ids []int32",
    )
    __slots__ = (
        "partition_index",
        "broker_ids",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        broker_ids: list[int] = FRESH,
    ) -> None:
        self.partition_index = partition_index
        self.broker_ids = [] if broker_ids is FRESH else broker_ids


class CreatableTopicConfig(Struct):
    LAYOUT = (
        "name string",
        "value string nullable = null",
    )
    __slots__ = (
        "name",
        "value",
    )

    def __init__(
        self,
        *,
        name: str = "",
        value: str | None = None,
    ) -> None:
        self.name = name
        self.value = value


class CreatableTopic(Struct):
    LAYOUT = (
        "name string",
        "num_partitions int32",
        "replication_factor int16",
        "assignments []CreatableReplicaAssignment",
        "configs []CreatableTopicConfig",
    )
    __slots__ = (
        "name",
        "num_partitions",
        "replication_factor",
        "assignments",
        "configs",
    )

    def __init__(
        self,
        *,
        name: str = "",
        num_partitions: int = 0,
        replication_factor: int = 0,
        assignments: list[CreatableReplicaAssignment] = FRESH,
        configs: list[CreatableTopicConfig] = FRESH,
    ) -> None:
        self.name = name
        self.num_partitions = num_partitions
        self.replication_factor = replication_factor
        self.assignments = [] if assignments is FRESH else assignments
        self.configs = [] if configs is FRESH else configs


class CreatableTopicConfigs(Struct):
    LAYOUT = (
        "name string",
        "value string nullable = null",
        "read_only bool",
        "config_source int8 = -1",
        "is_sensitive bool",
    )
    __slots__ = (
        "name",
        "value",
        "read_only",
        "config_source",
        "is_sensitive",
    )

    def __init__(
        self,
        *,
        name: str = "",
        value: str | None = None,
        read_only: bool = False,
        config_source: int = -1,
        is_sensitive: bool = False,
    ) -> None:
        self.name = name
        self.value = value
        self.read_only = read_only
        self.config_source = config_source
        self.is_sensitive = is_sensitive


class CreatableTopicResult(Struct):
    LAYOUT = (
        "name string",
        "topic_id uuid 7+",
        "error_code int16",
        "error_message string nullable = null",
        "topic_config_error_code int16 5+ tag 0",
        "num_partitions int32 5+ = -1",
        "replication_factor int16 5+ = -1",
        "configs []CreatableTopicConfigs 5+ nullable",
    )
    __slots__ = (
        "name",
        "topic_id",
        "error_code",
        "error_message",
        "topic_config_error_code",
        "num_partitions",
        "replication_factor",
        "configs",
    )

    def __init__(
        self,
        *,
        name: str = "",
        topic_id: bytes = bytes(16),
        error_code: int = 0,
        error_message: str | None = None,
        topic_config_error_code: int = 0,
        num_partitions: int = -1,
        replication_factor: int = -1,
        configs: list[CreatableTopicConfigs] | None = FRESH,
    ) -> None:
        self.name = name
        self.topic_id = topic_id
        self.error_code = error_code
        self.error_message = error_message
        self.topic_config_error_code = topic_config_error_code
        self.num_partitions = num_partitions
        self.replication_factor = replication_factor
        self.configs = [] if configs is FRESH else configs


class CreateTopicsResponse(Response):
    API_KEY = 19
    API_NAME = "CreateTopics"
    VALID_VERSIONS = (2, 7)
    FLEXIBLE_FROM = 5
    LAYOUT = (
        "throttle_time int32",
        "topics []CreatableTopicResult",
    )
    __slots__ = (
        "throttle_time",
        "topics",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        topics: list[CreatableTopicResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.topics = [] if topics is FRESH else topics


class CreateTopicsRequest(Request[CreateTopicsResponse]):
    API_KEY = 19
    API_NAME = "CreateTopics"
    VALID_VERSIONS = (2, 7)
    FLEXIBLE_FROM = 5
    RESPONSE = CreateTopicsResponse
    LAYOUT = (
        "topics []CreatableTopic",
        "timeout int32 = 60000",
        "validate_only bool",
    )
    __slots__ = (
        "topics",
        "timeout",
        "validate_only",
    )

    def __init__(
        self,
        *,
        topics: list[CreatableTopic] = FRESH,
        timeout: int = 60000,
        validate_only: bool = False,
    ) -> None:
        self.topics = [] if topics is FRESH else topics
        self.timeout = timeout
        self.validate_only = validate_only
