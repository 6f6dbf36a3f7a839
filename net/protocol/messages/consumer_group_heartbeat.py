"""A member of a consumer group is alive, joins (epoch 0) or leaves (-1; -2: a static member
returns), and learns its assignment (KIP-848). From 1 on the client generates the member id, and
may subscribe by a regular expression. Times in ms.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class TopicPartitions(Struct):
    LAYOUT = (
        "topic_id uuid",
        "partitions []int32",
    )
    __slots__ = (
        "topic_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_id: bytes = bytes(16),
        partitions: list[int] = FRESH,
    ) -> None:
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class Assignment(Struct):
    LAYOUT = ("topic_partitions []TopicPartitions",)
    __slots__ = ("topic_partitions",)

    def __init__(
        self,
        *,
        topic_partitions: list[TopicPartitions] = FRESH,
    ) -> None:
        self.topic_partitions = [] if topic_partitions is FRESH else topic_partitions


class ConsumerGroupHeartbeatResponse(Response):
    API_KEY = 68
    API_NAME = "ConsumerGroupHeartbeat"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable = null",
        "member_id string nullable = null",
        "member_epoch int32",
        "heartbeat_interval int32",
        "assignment Assignment nullable = null",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
        "member_id",
        "member_epoch",
        "heartbeat_interval",
        "assignment",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        member_id: str | None = None,
        member_epoch: int = 0,
        heartbeat_interval: int = 0,
        assignment: Assignment | None = None,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message
        self.member_id = member_id
        self.member_epoch = member_epoch
        self.heartbeat_interval = heartbeat_interval
        self.assignment = assignment


class ConsumerGroupHeartbeatRequest(Request[ConsumerGroupHeartbeatResponse]):
    API_KEY = 68
    API_NAME = "ConsumerGroupHeartbeat"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    RESPONSE = ConsumerGroupHeartbeatResponse
    LAYOUT = (
        "group_id string",
        "member_id string",
        "member_epoch int32",
        "instance_id string nullable = null",
        "rack_id string nullable = null",
        "rebalance_timeout int32 = -1",
        "subscribed_topic_names []string nullable = null",
        "subscribed_topic_regex string 1+ nullable = null",
        "server_assignor string nullable = null",
        "topic_partitions []TopicPartitions nullable = null",
    )
    __slots__ = (
        "group_id",
        "member_id",
        "member_epoch",
        "instance_id",
        "rack_id",
        "rebalance_timeout",
        "subscribed_topic_names",
        "subscribed_topic_regex",
        "server_assignor",
        "topic_partitions",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        member_id: str = "",
        member_epoch: int = 0,
        instance_id: str | None = None,
        rack_id: str | None = None,
        rebalance_timeout: int = -1,
        subscribed_topic_names: list[str] | None = None,
        subscribed_topic_regex: str | None = None,
        server_assignor: str | None = None,
        topic_partitions: list[TopicPartitions] | None = None,
    ) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.member_epoch = member_epoch
        self.instance_id = instance_id
        self.rack_id = rack_id
        self.rebalance_timeout = rebalance_timeout
        self.subscribed_topic_names = subscribed_topic_names
        self.subscribed_topic_regex = subscribed_topic_regex
        self.server_assignor = server_assignor
        self.topic_partitions = topic_partitions
