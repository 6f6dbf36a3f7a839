"""The settings of one consumer group: its own (KIP-848), or the broker's defaults."""

from __future__ import annotations

from typing import Final

from raftka.broker.coordinators.group.any_group import GroupType
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.timers import Moment
from raftka.kraft.image import (
    BROKER_RESOURCE,
    CLUSTER_DEFAULT,
    GROUP_RESOURCE,
    ConfigResource,
)

_HEARTBEATS_PER_S: Final = 200
"""The heartbeats per second that a coordinator's partition aims at, if no interval is set."""
_QUICK_INTERVAL_MS: Final = 500


class ConsumerSettings:
    """The settings in effect for one group."""

    def __init__(self, core: Core, group_id: str) -> None:
        self._core = core
        self._own = core.image.configs.get(ConfigResource(GROUP_RESOURCE, group_id), {})

    @property
    def session_timeout_ms(self) -> int:
        settings = self._core.config.consumer
        return self._number("consumer.session.timeout.ms", settings.session_timeout_ms)

    @property
    def assignment_interval_ms(self) -> int:
        everywhere = self._core.image.configs.get(
            ConfigResource(BROKER_RESOURCE, CLUSTER_DEFAULT), {}
        )
        broker = everywhere.get("group.consumer.assignment.interval.ms")
        default = self._core.config.consumer.assignment_interval_ms
        return self._number(
            "consumer.assignment.interval.ms", default if broker is None else int(broker)
        )

    def heartbeat_interval_ms(self, now: Moment) -> int:
        """How long a member waits before its next heartbeat, in ms.

        A member learns its new assignment by its next heartbeat: the longer the interval, the
        longer a rebalance. If no interval is set, it is as short as the number of members allows,
        and at most Kafka's default.
        """
        settings = self._core.config.consumer
        own = self._own.get("consumer.heartbeat.interval.ms")
        if own is not None:
            return int(own)
        if settings.heartbeat_interval_is_set:
            return settings.heartbeat_interval_ms
        paced_ms = _members(self._core, now) * 1000 // _HEARTBEATS_PER_S
        return min(settings.heartbeat_interval_ms, max(_QUICK_INTERVAL_MS, paced_ms))

    def _number(self, name: str, default: int) -> int:
        own = self._own.get(name)
        return default if own is None else int(own)


def _members(core: Core, now: Moment) -> int:
    """The number of consumer group members in this partition, counted once a second."""
    if now.monotonic_s - core.members_at_s >= 1.0:
        groups = core.by_type.get(GroupType.CONSUMER, {}).values()
        core.members = sum(group.member_count for group in groups)
        core.members_at_s = now.monotonic_s
    return core.members
