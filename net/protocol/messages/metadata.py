"""Brokers, topics, partitions and their leaders (KIP-4, KIP-430, KIP-516). A null list of topics
requests all; in version 0 an empty one does. From 10 on topics have ids, from 12 on they can be
requested by id only.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class MetadataRequestTopic(Struct):
    LAYOUT = (
        "topic_id uuid 10+",
        "name string nullable 10+ = null",
    )
    __slots__ = (
        "topic_id",
        "name",
    )

    def __init__(
        self,
        *,
        topic_id: bytes = bytes(16),
        name: str | None = None,
    ) -> None:
        self.topic_id = topic_id
        self.name = name


class MetadataResponseBroker(Struct):
    LAYOUT = (
        "node_id int32",
        "host string",
        "port int32",
        "rack string 1+ nullable = null",
    )
    __slots__ = (
        "node_id",
        "host",
        "port",
        "rack",
    )

    def __init__(
        self,
        *,
        node_id: int = 0,
        host: str = "",
        port: int = 0,
        rack: str | None = None,
    ) -> None:
        self.node_id = node_id
        self.host = host
        self.port = port
        self.rack = rack


class MetadataResponsePartition(Struct):
    LAYOUT = (
        "error_code int16",
        "partition_index int32",
        "leader_id int32",
        "leader_epoch int32 7+ = -1",
        "replica_nodes []int32",
        "isr_nodes []int32",
        "offline_replicas []int32 5+",
    )
    __slots__ = (
        "error_code",
        "partition_index",
        "leader_id",
        "leader_epoch",
        "replica_nodes",
        "isr_nodes",
        "offline_replicas",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        partition_index: int = 0,
        leader_id: int = 0,
        leader_epoch: int = -1,
        replica_nodes: list[int] = FRESH,
        isr_nodes: list[int] = FRESH,
        offline_replicas: list[int] = FRESH,
    ) -> None:
        self.error_code = error_code
        self.partition_index = partition_index
        self.leader_id = leader_id
        self.leader_epoch = leader_epoch
        self.replica_nodes = [] if replica_nodes is FRESH else replica_nodes
        self.isr_nodes = [] if isr_nodes is FRESH else isr_nodes
        self.offline_replicas = [] if offline_replicas is FRESH else offline_replicas


class MetadataResponseTopic(Struct):
    LAYOUT = (
        "error_code int16",
        "name string nullable 12+ = null",
        "topic_id uuid 10+",
        "is_internal bool 1+",
        "partitions []MetadataResponsePartition",
        "topic_authorized_operations int32 8+ = -2147483648",
    )
    __slots__ = (
        "error_code",
        "name",
        "topic_id",
        "is_internal",
        "partitions",
        "topic_authorized_operations",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        name: str | None = None,
        topic_id: bytes = bytes(16),
        is_internal: bool = False,
        partitions: list[MetadataResponsePartition] = FRESH,
        topic_authorized_operations: int = -2147483648,
    ) -> None:
        self.error_code = error_code
        self.name = name
        self.topic_id = topic_id
        self.is_internal = is_internal
        self.partitions = [] if partitions is FRESH else partitions
        self.topic_authorized_operations = topic_authorized_operations


class MetadataResponse(Response):
    API_KEY = 3
    API_NAME = "Metadata"
    VALID_VERSIONS = (0, 13)
    FLEXIBLE_FROM = 9
    LAYOUT = (
        "throttle_time int32 3+",
        "brokers []MetadataResponseBroker",
        "cluster_id string 2+ nullable = null",
        "controller_id int32 1+ = -1",
        "topics []MetadataResponseTopic",
        "cluster_authorized_operations int32 8-10 = -2147483648",
        "error_code int16 13+",
    )
    __slots__ = (
        "throttle_time",
        "brokers",
        "cluster_id",
        "controller_id",
        "topics",
        "cluster_authorized_operations",
        "error_code",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        brokers: list[MetadataResponseBroker] = FRESH,
        cluster_id: str | None = None,
        controller_id: int = -1,
        topics: list[MetadataResponseTopic] = FRESH,
        cluster_authorized_operations: int = -2147483648,
        error_code: int = 0,
    ) -> None:
        self.throttle_time = throttle_time
        self.brokers = [] if brokers is FRESH else brokers
        self.cluster_id = cluster_id
        self.controller_id = controller_id
        self.topics = [] if topics is FRESH else topics
        self.cluster_authorized_operations = cluster_authorized_operations
        self.error_code = error_code


class MetadataRequest(Request[MetadataResponse]):
    API_KEY = 3
    API_NAME = "Metadata"
    VALID_VERSIONS = (0, 13)
    FLEXIBLE_FROM = 9
    RESPONSE = MetadataResponse
    LAYOUT = (
        "topics []MetadataRequestTopic nullable 1+",
        "allow_auto_topic_creation bool 4+ = true",
        "include_cluster_authorized_operations bool 8-10",
        "include_topic_authorized_operations bool 8+",
    )
    __slots__ = (
        "topics",
        "allow_auto_topic_creation",
        "include_cluster_authorized_operations",
        "include_topic_authorized_operations",
    )

    def __init__(
        self,
        *,
        topics: list[MetadataRequestTopic] | None = FRESH,
        allow_auto_topic_creation: bool = True,
        include_cluster_authorized_operations: bool = False,
        include_topic_authorized_operations: bool = False,
    ) -> None:
        self.topics = [] if topics is FRESH else topics
        self.allow_auto_topic_creation = allow_auto_topic_creation
        self.include_cluster_authorized_operations = include_cluster_authorized_operations
        self.include_topic_authorized_operations = include_topic_authorized_operations
