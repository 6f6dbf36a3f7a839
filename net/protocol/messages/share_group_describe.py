"""State, members and assignments of share groups (KIP-932).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class TopicPartitions(Struct):
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


class Assignment(Struct):
    LAYOUT = ("topic_partitions []TopicPartitions",)
    __slots__ = ("topic_partitions",)

    def __init__(
        self,
        *,
        topic_partitions: list[TopicPartitions] = FRESH,
    ) -> None:
        self.topic_partitions = [] if topic_partitions is FRESH else topic_partitions


class Member(Struct):
    LAYOUT = (
        "member_id string",
        "rack_id string nullable = null",
        "member_epoch int32",
        "client_id string",
        "client_host string",
        "subscribed_topic_names []string",
        "assignment Assignment",
    )
    __slots__ = (
        "member_id",
        "rack_id",
        "member_epoch",
        "client_id",
        "client_host",
        "subscribed_topic_names",
        "assignment",
    )

    def __init__(
        self,
        *,
        member_id: str = "",
        rack_id: str | None = None,
        member_epoch: int = 0,
        client_id: str = "",
        client_host: str = "",
        subscribed_topic_names: list[str] = FRESH,
        assignment: Assignment = FRESH,
    ) -> None:
        self.member_id = member_id
        self.rack_id = rack_id
        self.member_epoch = member_epoch
        self.client_id = client_id
        self.client_host = client_host
        self.subscribed_topic_names = (
            [] if subscribed_topic_names is FRESH else subscribed_topic_names
        )
        self.assignment = Assignment() if assignment is FRESH else assignment


class DescribedGroup(Struct):
    LAYOUT = (
        "error_code int16",
        "error_message string nullable = null",
        "group_id string",
        "group_state string",
        "group_epoch int32",
        "assignment_epoch int32",
        "assignor_name string",
        "members []Member",
        "authorized_operations int32 = -2147483648",
    )
    __slots__ = (
        "error_code",
        "error_message",
        "group_id",
        "group_state",
        "group_epoch",
        "assignment_epoch",
        "assignor_name",
        "members",
        "authorized_operations",
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
        assignor_name: str = "",
        members: list[Member] = FRESH,
        authorized_operations: int = -2147483648,
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message
        self.group_id = group_id
        self.group_state = group_state
        self.group_epoch = group_epoch
        self.assignment_epoch = assignment_epoch
        self.assignor_name = assignor_name
        self.members = [] if members is FRESH else members
        self.authorized_operations = authorized_operations


class ShareGroupDescribeResponse(Response):
    API_KEY = 77
    API_NAME = "ShareGroupDescribe"
    VALID_VERSIONS = (1, 1)
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


class ShareGroupDescribeRequest(Request[ShareGroupDescribeResponse]):
    API_KEY = 77
    API_NAME = "ShareGroupDescribe"
    VALID_VERSIONS = (1, 1)
    FLEXIBLE_FROM = 0
    RESPONSE = ShareGroupDescribeResponse
    LAYOUT = (
        "group_ids []string",
        "include_authorized_operations bool",
    )
    __slots__ = (
        "group_ids",
        "include_authorized_operations",
    )

    def __init__(
        self,
        *,
        group_ids: list[str] = FRESH,
        include_authorized_operations: bool = False,
    ) -> None:
        self.group_ids = [] if group_ids is FRESH else group_ids
        self.include_authorized_operations = include_authorized_operations
