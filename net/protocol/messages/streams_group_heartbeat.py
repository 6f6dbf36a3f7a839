"""Join, stay in or leave a streams group (KIP-1071).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class KeyValue(Struct):
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
        "topic_configs []KeyValue",
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
        topic_configs: list[KeyValue] = FRESH,
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


class Topology(Struct):
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


class TaskIds(Struct):
    LAYOUT = (
        "subtopology_id string",
        "partitions []int32",
    )
    __slots__ = (
        "subtopology_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        subtopology_id: str = "",
        partitions: list[int] = FRESH,
    ) -> None:
        self.subtopology_id = subtopology_id
        self.partitions = [] if partitions is FRESH else partitions


class Endpoint(Struct):
    LAYOUT = (
        "host string",
        "port uint16",
    )
    __slots__ = (
        "host",
        "port",
    )

    def __init__(
        self,
        *,
        host: str = "",
        port: int = 0,
    ) -> None:
        self.host = host
        self.port = port


class TaskOffset(Struct):
    LAYOUT = (
        "subtopology_id string",
        "partition int32",
        "offset int64",
    )
    __slots__ = (
        "subtopology_id",
        "partition",
        "offset",
    )

    def __init__(
        self,
        *,
        subtopology_id: str = "",
        partition: int = 0,
        offset: int = 0,
    ) -> None:
        self.subtopology_id = subtopology_id
        self.partition = partition
        self.offset = offset


class Status(Struct):
    LAYOUT = (
        "status_code int8",
        "status_detail string",
    )
    __slots__ = (
        "status_code",
        "status_detail",
    )

    def __init__(
        self,
        *,
        status_code: int = 0,
        status_detail: str = "",
    ) -> None:
        self.status_code = status_code
        self.status_detail = status_detail


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


class EndpointToPartitions(Struct):
    LAYOUT = (
        "user_endpoint Endpoint",
        "active_partitions []TopicPartition",
        "standby_partitions []TopicPartition",
    )
    __slots__ = (
        "user_endpoint",
        "active_partitions",
        "standby_partitions",
    )

    def __init__(
        self,
        *,
        user_endpoint: Endpoint = FRESH,
        active_partitions: list[TopicPartition] = FRESH,
        standby_partitions: list[TopicPartition] = FRESH,
    ) -> None:
        self.user_endpoint = Endpoint() if user_endpoint is FRESH else user_endpoint
        self.active_partitions = [] if active_partitions is FRESH else active_partitions
        self.standby_partitions = [] if standby_partitions is FRESH else standby_partitions


class StreamsGroupHeartbeatResponse(Response):
    API_KEY = 88
    API_NAME = "StreamsGroupHeartbeat"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable = null",
        "member_id string",
        "member_epoch int32",
        "heartbeat_interval int32",
        "acceptable_recovery_lag_legacy int32 0",
        "task_offset_interval int32",
        "acceptable_recovery_lag int64 1+ = -1",
        "status []Status nullable",
        "active_tasks []TaskIds nullable = null",
        "standby_tasks []TaskIds nullable = null",
        "warmup_tasks []TaskIds nullable = null",
        "topology_description_required bool 1+ = false",
        "endpoint_information_epoch int32",
        "partitions_by_user_endpoint []EndpointToPartitions nullable = null",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
        "member_id",
        "member_epoch",
        "heartbeat_interval",
        "acceptable_recovery_lag_legacy",
        "task_offset_interval",
        "acceptable_recovery_lag",
        "status",
        "active_tasks",
        "standby_tasks",
        "warmup_tasks",
        "topology_description_required",
        "endpoint_information_epoch",
        "partitions_by_user_endpoint",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        member_id: str = "",
        member_epoch: int = 0,
        heartbeat_interval: int = 0,
        acceptable_recovery_lag_legacy: int = 0,
        task_offset_interval: int = 0,
        acceptable_recovery_lag: int = -1,
        status: list[Status] | None = FRESH,
        active_tasks: list[TaskIds] | None = None,
        standby_tasks: list[TaskIds] | None = None,
        warmup_tasks: list[TaskIds] | None = None,
        topology_description_required: bool = False,
        endpoint_information_epoch: int = 0,
        partitions_by_user_endpoint: list[EndpointToPartitions] | None = None,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message
        self.member_id = member_id
        self.member_epoch = member_epoch
        self.heartbeat_interval = heartbeat_interval
        self.acceptable_recovery_lag_legacy = acceptable_recovery_lag_legacy
        self.task_offset_interval = task_offset_interval
        self.acceptable_recovery_lag = acceptable_recovery_lag
        self.status = [] if status is FRESH else status
        self.active_tasks = active_tasks
        self.standby_tasks = standby_tasks
        self.warmup_tasks = warmup_tasks
        self.topology_description_required = topology_description_required
        self.endpoint_information_epoch = endpoint_information_epoch
        self.partitions_by_user_endpoint = partitions_by_user_endpoint


class StreamsGroupHeartbeatRequest(Request[StreamsGroupHeartbeatResponse]):
    API_KEY = 88
    API_NAME = "StreamsGroupHeartbeat"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    RESPONSE = StreamsGroupHeartbeatResponse
    LAYOUT = (
        "group_id string",
        "member_id string",
        "member_epoch int32",
        "endpoint_information_epoch int32",
        "instance_id string nullable = null",
        "rack_id string nullable = null",
        "rebalance_timeout int32 = -1",
        "topology Topology nullable = null",
        "active_tasks []TaskIds nullable = null",
        "standby_tasks []TaskIds nullable = null",
        "warmup_tasks []TaskIds nullable = null",
        "process_id string nullable = null",
        "user_endpoint Endpoint nullable = null",
        "client_tags []KeyValue nullable = null",
        "task_offsets []TaskOffset nullable = null",
        "task_end_offsets []TaskOffset nullable = null",
        "shutdown_application bool = false",
    )
    __slots__ = (
        "group_id",
        "member_id",
        "member_epoch",
        "endpoint_information_epoch",
        "instance_id",
        "rack_id",
        "rebalance_timeout",
        "topology",
        "active_tasks",
        "standby_tasks",
        "warmup_tasks",
        "process_id",
        "user_endpoint",
        "client_tags",
        "task_offsets",
        "task_end_offsets",
        "shutdown_application",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        member_id: str = "",
        member_epoch: int = 0,
        endpoint_information_epoch: int = 0,
        instance_id: str | None = None,
        rack_id: str | None = None,
        rebalance_timeout: int = -1,
        topology: Topology | None = None,
        active_tasks: list[TaskIds] | None = None,
        standby_tasks: list[TaskIds] | None = None,
        warmup_tasks: list[TaskIds] | None = None,
        process_id: str | None = None,
        user_endpoint: Endpoint | None = None,
        client_tags: list[KeyValue] | None = None,
        task_offsets: list[TaskOffset] | None = None,
        task_end_offsets: list[TaskOffset] | None = None,
        shutdown_application: bool = False,
    ) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.member_epoch = member_epoch
        self.endpoint_information_epoch = endpoint_information_epoch
        self.instance_id = instance_id
        self.rack_id = rack_id
        self.rebalance_timeout = rebalance_timeout
        self.topology = topology
        self.active_tasks = active_tasks
        self.standby_tasks = standby_tasks
        self.warmup_tasks = warmup_tasks
        self.process_id = process_id
        self.user_endpoint = user_endpoint
        self.client_tags = client_tags
        self.task_offsets = task_offsets
        self.task_end_offsets = task_end_offsets
        self.shutdown_application = shutdown_application
