"""The two protocols by which groups divide partitions: group.protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from raftka.client.cluster import Cluster
from raftka.client.consumer.coordinated import CoordinatedMember
from raftka.client.consumer.group_client import GroupClient
from raftka.client.consumer.heartbeats import keep_alive
from raftka.client.consumer.member import GroupMember, SubscriptionPattern
from raftka.client.consumer.membership import Membership
from raftka.client.consumer.state import Assignment
from raftka.client.settings import ClientConfig
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Alarm


def begin_membership(
    cluster: Cluster,
    group: GroupClient,
    assignment: Assignment,
    config: ClientConfig,
    before_revoke: Callable[[], Awaitable[None]],
    news: Alarm,
    tasks: trio.Nursery,
) -> GroupMember:
    """A member of the group, in its protocol, with its heartbeat task."""
    if config.text("group.protocol") == "consumer":
        member = CoordinatedMember(cluster, group, assignment, config, before_revoke, news)
        tasks.start_soon(member.run)
        return member
    classic = Membership(cluster, group, assignment, config, before_revoke, news)
    tasks.start_soon(keep_alive, cluster, group, classic, config)
    return classic


def subscribe_by(member: GroupMember, pattern: SubscriptionPattern) -> None:
    """Subscribe by an expression that the coordinator resolves. Raises KafkaError."""
    if not isinstance(member, CoordinatedMember):
        raise KafkaError(
            ErrorCode.INVALID_REQUEST,
            "a SubscriptionPattern needs group.protocol=consumer; a compiled pattern of re works"
            " with both protocols",
        )
    member.subscribe_by(pattern.pattern)
