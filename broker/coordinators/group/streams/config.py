"""The settings of the coordinator of streams groups; a group may override them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.model.dataclass import dataclass

if TYPE_CHECKING:
    from raftka.model.settings import Config


@dataclass(frozen=True, slots=True)
class StreamsGroupConfig:
    """The broker's settings (group.streams.*), with Kafka's defaults; times in milliseconds."""

    session_timeout_ms: int = 45_000
    session_timeout_bounds_ms: tuple[int, int] = (45_000, 60_000)
    heartbeat_interval_ms: int = 5_000
    heartbeat_interval_bounds_ms: tuple[int, int] = (5_000, 15_000)
    heartbeat_interval_is_set: bool = False
    """Whether the operator has set the interval; otherwise it is an upper bound."""
    assignment_interval_ms: int = 1_000
    assignment_interval_bounds_ms: tuple[int, int] = (0, 15_000)
    initial_rebalance_delay_ms: int = 3_000
    max_size: int = 2**31 - 1
    standby_replicas: int = 0
    standby_replicas_max: int = 2
    rack_aware_tags: tuple[str, ...] = ()

    @classmethod
    def from_settings(cls, config: Config) -> StreamsGroupConfig:
        def bounds(name: str) -> tuple[int, int]:
            return config.int(f"group.streams.min.{name}"), config.int(f"group.streams.max.{name}")

        return cls(
            session_timeout_ms=config.int("group.streams.session.timeout.ms"),
            session_timeout_bounds_ms=bounds("session.timeout.ms"),
            heartbeat_interval_ms=config.int("group.streams.heartbeat.interval.ms"),
            heartbeat_interval_bounds_ms=bounds("heartbeat.interval.ms"),
            heartbeat_interval_is_set=config.given("group.streams.heartbeat.interval.ms")
            is not None,
            assignment_interval_ms=config.int("group.streams.assignment.interval.ms"),
            assignment_interval_bounds_ms=bounds("assignment.interval.ms"),
            initial_rebalance_delay_ms=config.int("group.streams.initial.rebalance.delay.ms"),
            max_size=config.int("group.streams.max.size"),
            standby_replicas=config.int("group.streams.num.standby.replicas"),
            standby_replicas_max=config.int("group.streams.max.standby.replicas"),
            rack_aware_tags=tuple(config.names("group.streams.rack.aware.assignment.tags")),
        )
