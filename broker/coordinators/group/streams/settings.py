"""The settings of one streams group: its own, within the broker's bounds, or the broker's."""

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

STANDBY_REPLICAS: Final = "num.standby.replicas"
RACK_AWARE_TAGS: Final = "rack.aware.assignment.tags"
ASSIGNOR: Final = "sticky"
_TASK_OFFSET_INTERVAL_MS: Final = 60_000
_ACCEPTABLE_RECOVERY_LAG: Final = 10_000
"""Kafka's defaults; only a group can override them."""
_HEARTBEATS_PER_S: Final = 200
"""The heartbeats per second that a coordinator's partition aims at, if no interval is set."""
_QUICK_INTERVAL_MS: Final = 500


class StreamsSettings:
    """The settings in effect for one group."""

    def __init__(self, core: Core, group_id: str) -> None:
        self._core = core
        self._broker = core.config.streams
        self._own = core.image.configs.get(ConfigResource(GROUP_RESOURCE, group_id), {})

    @property
    def session_timeout_ms(self) -> int:
        broker = self._broker
        return self._number(
            "session.timeout.ms", broker.session_timeout_ms, broker.session_timeout_bounds_ms
        )

    @property
    def assignment_interval_ms(self) -> int:
        everywhere = self._core.image.configs.get(
            ConfigResource(BROKER_RESOURCE, CLUSTER_DEFAULT), {}
        )
        altered = everywhere.get("group.streams.assignment.interval.ms")
        broker = self._broker
        default = broker.assignment_interval_ms if altered is None else int(altered)
        return self._number("assignment.interval.ms", default, broker.assignment_interval_bounds_ms)

    @property
    def initial_rebalance_delay_ms(self) -> int:
        return self._number("initial.rebalance.delay.ms", self._broker.initial_rebalance_delay_ms)

    @property
    def standby_replicas(self) -> int:
        broker = self._broker
        return self._number(
            STANDBY_REPLICAS, broker.standby_replicas, (0, broker.standby_replicas_max)
        )

    @property
    def task_offset_interval_ms(self) -> int:
        return self._number("task.offset.interval.ms", _TASK_OFFSET_INTERVAL_MS)

    @property
    def acceptable_recovery_lag(self) -> int:
        return self._number("acceptable.recovery.lag", _ACCEPTABLE_RECOVERY_LAG)

    @property
    def rack_aware_tags(self) -> tuple[str, ...]:
        own = self._own.get(f"streams.{RACK_AWARE_TAGS}")
        if own is None:
            return self._broker.rack_aware_tags
        return tuple(filter(None, (each.strip() for each in own.split(","))))

    def assignment_configs(self) -> dict[str, str]:
        """The settings that the target depends on, as the group's record holds them."""
        configs = {STANDBY_REPLICAS: str(self.standby_replicas)}
        if self.rack_aware_tags:
            configs[RACK_AWARE_TAGS] = ",".join(self.rack_aware_tags)
        return configs

    def heartbeat_interval_ms(self, now: Moment) -> int:
        """How long a member waits before its next heartbeat, in ms.

        A member learns its new tasks by its next heartbeat: the longer the interval, the longer a
        rebalance. If no interval is set, it is as short as the number of members allows, and at
        most Kafka's default.
        """
        broker = self._broker
        if "streams.heartbeat.interval.ms" in self._own or broker.heartbeat_interval_is_set:
            return self._number(
                "heartbeat.interval.ms",
                broker.heartbeat_interval_ms,
                broker.heartbeat_interval_bounds_ms,
            )
        paced_ms = _members(self._core, now) * 1000 // _HEARTBEATS_PER_S
        return min(broker.heartbeat_interval_ms, max(_QUICK_INTERVAL_MS, paced_ms))

    def _number(self, name: str, default: int, bounds: tuple[int, int] | None = None) -> int:
        own = self._own.get(f"streams.{name}")
        if own is None:
            return default
        return int(own) if bounds is None else min(max(int(own), bounds[0]), bounds[1])


def _members(core: Core, now: Moment) -> int:
    """The number of streams group members in this partition, counted once a second."""
    if now.monotonic_s - core.streams_members_at_s >= 1.0:
        groups = core.by_type.get(GroupType.STREAMS, {}).values()
        core.streams_members = sum(group.member_count for group in groups)
        core.streams_members_at_s = now.monotonic_s
    return core.streams_members
