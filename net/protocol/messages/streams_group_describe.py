"""State, topology, members and tasks of streams groups (KIP-1071). The tagged field is raftka's
own: why a group is not ready.

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


class Subtopology(Struct):
    LAYOUT = (
        "subtopology_id string",
        "source_topics []string",
        "repartition_sink_topics []string",
        "state_changelog_topics []TopicInfo",
        "repartition_source_topics []TopicInfo",
    )
    __slots__ = (
        "subtopology_id",
        "source_topics",
        "repartition_sink_topics",
        "state_changelog_topics",
        "repartition_source_topics",
    )

    def __init__(
        self,
        *,
        subtopology_id: str = "",
        source_topics: list[str] = FRESH,
        repartition_sink_topics: list[str] = FRESH,
        state_changelog_topics: list[TopicInfo] = FRESH,
        repartition_source_topics: list[TopicInfo] = FRESH,
    ) -> None:
        self.subtopology_id = subtopology_id
        self.source_topics = [] if source_topics is FRESH else source_topics
        self.repartition_sink_topics = (
            [] if repartition_sink_topics is FRESH else repartition_sink_topics
        )
        self.state_changelog_topics = (
            [] if state_changelog_topics is FRESH else state_changelog_topics
        )
        self.repartition_source_topics = (
            [] if repartition_source_topics is FRESH else repartition_source_topics
        )


class Topology(Struct):
    LAYOUT = (
        "epoch int32",
        "subtopologies []Subtopology nullable = null",
    )
    __slots__ = (
        "epoch",
        "subtopologies",
    )

    def __init__(
        self,
        *,
        epoch: int = 0,
        subtopologies: list[Subtopology] | None = None,
    ) -> None:
        self.epoch = epoch
        self.subtopologies = subtopologies


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


class Assignment(Struct):
    LAYOUT = (
        "active_tasks []TaskIds",
        "standby_tasks []TaskIds",
        "warmup_tasks []TaskIds",
    )
    __slots__ = (
        "active_tasks",
        "standby_tasks",
        "warmup_tasks",
    )

    def __init__(
        self,
        *,
        active_tasks: list[TaskIds] = FRESH,
        standby_tasks: list[TaskIds] = FRESH,
        warmup_tasks: list[TaskIds] = FRESH,
    ) -> None:
        self.active_tasks = [] if active_tasks is FRESH else active_tasks
        self.standby_tasks = [] if standby_tasks is FRESH else standby_tasks
        self.warmup_tasks = [] if warmup_tasks is FRESH else warmup_tasks


class Member(Struct):
    LAYOUT = (
        "member_id string",
        "member_epoch int32",
        "instance_id string nullable = null",
        "rack_id string nullable = null",
        "client_id string",
        "client_host string",
        "topology_epoch int32",
        "process_id string",
        "user_endpoint Endpoint nullable = null",
        "client_tags []KeyValue",
        "task_offsets []TaskOffset",
        "task_end_offsets []TaskOffset",
        "assignment Assignment",
        "target_assignment Assignment",
        "is_classic bool",
    )
    __slots__ = (
        "member_id",
        "member_epoch",
        "instance_id",
        "rack_id",
        "client_id",
        "client_host",
        "topology_epoch",
        "process_id",
        "user_endpoint",
        "client_tags",
        "task_offsets",
        "task_end_offsets",
        "assignment",
        "target_assignment",
        "is_classic",
    )

    def __init__(
        self,
        *,
        member_id: str = "",
        member_epoch: int = 0,
        instance_id: str | None = None,
        rack_id: str | None = None,
        client_id: str = "",
        client_host: str = "",
        topology_epoch: int = 0,
        process_id: str = "",
        user_endpoint: Endpoint | None = None,
        client_tags: list[KeyValue] = FRESH,
        task_offsets: list[TaskOffset] = FRESH,
        task_end_offsets: list[TaskOffset] = FRESH,
        assignment: Assignment = FRESH,
        target_assignment: Assignment = FRESH,
        is_classic: bool = False,
    ) -> None:
        self.member_id = member_id
        self.member_epoch = member_epoch
        self.instance_id = instance_id
        self.rack_id = rack_id
        self.client_id = client_id
        self.client_host = client_host
        self.topology_epoch = topology_epoch
        self.process_id = process_id
        self.user_endpoint = user_endpoint
        self.client_tags = [] if client_tags is FRESH else client_tags
        self.task_offsets = [] if task_offsets is FRESH else task_offsets
        self.task_end_offsets = [] if task_end_offsets is FRESH else task_end_offsets
        self.assignment = Assignment() if assignment is FRESH else assignment
        self.target_assignment = Assignment() if target_assignment is FRESH else target_assignment
        self.is_classic = is_classic


class TopologyDescriptionNode(Struct):
    LAYOUT = (
        "name string",
        "node_type int8",
        "source_topics []string",
        "sink_topic string nullable = null",
        "stores []string",
        "successors []string",
    )
    __slots__ = (
        "name",
        "node_type",
        "source_topics",
        "sink_topic",
        "stores",
        "successors",
    )

    def __init__(
        self,
        *,
        name: str = "",
        node_type: int = 0,
        source_topics: list[str] = FRESH,
        sink_topic: str | None = None,
        stores: list[str] = FRESH,
        successors: list[str] = FRESH,
    ) -> None:
        self.name = name
        self.node_type = node_type
        self.source_topics = [] if source_topics is FRESH else source_topics
        self.sink_topic = sink_topic
        self.stores = [] if stores is FRESH else stores
        self.successors = [] if successors is FRESH else successors


class TopologyDescriptionSubtopology(Struct):
    LAYOUT = (
        "subtopology_id string",
        "nodes []TopologyDescriptionNode",
    )
    __slots__ = (
        "subtopology_id",
        "nodes",
    )

    def __init__(
        self,
        *,
        subtopology_id: str = "",
        nodes: list[TopologyDescriptionNode] = FRESH,
    ) -> None:
        self.subtopology_id = subtopology_id
        self.nodes = [] if nodes is FRESH else nodes


class TopologyDescriptionGlobalStore(Struct):
    LAYOUT = (
        "source TopologyDescriptionNode",
        "processor TopologyDescriptionNode",
    )
    __slots__ = (
        "source",
        "processor",
    )

    def __init__(
        self,
        *,
        source: TopologyDescriptionNode = FRESH,
        processor: TopologyDescriptionNode = FRESH,
    ) -> None:
        self.source = TopologyDescriptionNode() if source is FRESH else source
        self.processor = TopologyDescriptionNode() if processor is FRESH else processor


class TopologyDescription(Struct):
    LAYOUT = (
        "subtopologies []TopologyDescriptionSubtopology",
        "global_stores []TopologyDescriptionGlobalStore",
    )
    __slots__ = (
        "subtopologies",
        "global_stores",
    )

    def __init__(
        self,
        *,
        subtopologies: list[TopologyDescriptionSubtopology] = FRESH,
        global_stores: list[TopologyDescriptionGlobalStore] = FRESH,
    ) -> None:
        self.subtopologies = [] if subtopologies is FRESH else subtopologies
        self.global_stores = [] if global_stores is FRESH else global_stores


class DescribedGroup(Struct):
    LAYOUT = (
        "error_code int16",
        "error_message string nullable = null",
        "group_id string",
        "group_state string",
        "group_epoch int32",
        "assignment_epoch int32",
        "topology Topology nullable = null",
        "members []Member",
        "authorized_operations int32 = -2147483648",
        "not_ready string 0+ tag 1000",
        "topology_description TopologyDescription 1+ nullable = null",
        "topology_description_status int8 1+ = 0",
        "assignor_name string 1+ nullable = null",
    )
    __slots__ = (
        "error_code",
        "error_message",
        "group_id",
        "group_state",
        "group_epoch",
        "assignment_epoch",
        "topology",
        "members",
        "authorized_operations",
        "not_ready",
        "topology_description",
        "topology_description_status",
        "assignor_name",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        error_message: str | None = None,
        group_id: str = "",
        group_state: str = "",
        group_epoch: int = 0,
        assignment_epoch: int = 0,
        topology: Topology | None = None,
        members: list[Member] = FRESH,
        authorized_operations: int = -2147483648,
        not_ready: str = "",
        topology_description: TopologyDescription | None = None,
        topology_description_status: int = 0,
        assignor_name: str | None = None,
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message
        self.group_id = group_id
        self.group_state = group_state
        self.group_epoch = group_epoch
        self.assignment_epoch = assignment_epoch
        self.topology = topology
        self.members = [] if members is FRESH else members
        self.authorized_operations = authorized_operations
        self.not_ready = not_ready
        self.topology_description = topology_description
        self.topology_description_status = topology_description_status
        self.assignor_name = assignor_name


class StreamsGroupDescribeResponse(Response):
    API_KEY = 89
    API_NAME = "StreamsGroupDescribe"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "groups []DescribedGroup",
    )
    __slots__ = (
        "throttle_time",
        "groups",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        groups: list[DescribedGroup] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.groups = [] if groups is FRESH else groups


class StreamsGroupDescribeRequest(Request[StreamsGroupDescribeResponse]):
    API_KEY = 89
    API_NAME = "StreamsGroupDescribe"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    RESPONSE = StreamsGroupDescribeResponse
    LAYOUT = (
        "group_ids []string",
        "include_authorized_operations bool",
        "include_topology_description bool 1+ = false",
    )
    __slots__ = (
        "group_ids",
        "include_authorized_operations",
        "include_topology_description",
    )

    def __init__(
        self,
        *,
        group_ids: list[str] = FRESH,
        include_authorized_operations: bool = False,
        include_topology_description: bool = False,
    ) -> None:
        self.group_ids = [] if group_ids is FRESH else group_ids
        self.include_authorized_operations = include_authorized_operations
        self.include_topology_description = include_topology_description
