"""The settings of the group coordinator."""

from __future__ import annotations

import enum
from dataclasses import field
from typing import TYPE_CHECKING, Final

from raftka.broker.coordinators.group.share.config import ShareGroupConfig
from raftka.broker.coordinators.group.streams.config import StreamsGroupConfig
from raftka.model.dataclass import dataclass

if TYPE_CHECKING:
    from raftka.model.settings import Config

NEW_MEMBER_JOIN_TIMEOUT_MS: Final = 5 * 60 * 1000
"""How long a member that was never answered may wait in a rebalance before it must retry, in ms.

Its session timeout cannot apply: it does not know its member id yet, so it cannot send heartbeats.
"""


class MigrationPolicy(enum.Enum):
    """Which conversions of groups with members are allowed: group.consumer.migration.policy."""

    DISABLED = "disabled"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    BIDIRECTIONAL = "bidirectional"

    @property
    def upgrades(self) -> bool:
        return self in (MigrationPolicy.UPGRADE, MigrationPolicy.BIDIRECTIONAL)

    @property
    def downgrades(self) -> bool:
        return self in (MigrationPolicy.DOWNGRADE, MigrationPolicy.BIDIRECTIONAL)


@dataclass(frozen=True, slots=True)
class ConsumerConfig:
    """The settings of groups of the consumer protocol (KIP-848): group.consumer.*."""

    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 5_000
    heartbeat_interval_is_set: bool = False
    """Whether the operator has set the interval; otherwise it is an upper bound."""
    assignment_interval_ms: int = 1_000
    max_size: int = 2**31 - 1
    assignors: tuple[str, ...] = ("uniform", "range")
    """The first one is the default."""
    migration_policy: MigrationPolicy = MigrationPolicy.BIDIRECTIONAL

    @classmethod
    def from_settings(cls, config: Config) -> ConsumerConfig:
        return cls(
            session_timeout_ms=config.int("group.consumer.session.timeout.ms"),
            heartbeat_interval_ms=config.int("group.consumer.heartbeat.interval.ms"),
            heartbeat_interval_is_set=config.given("group.consumer.heartbeat.interval.ms")
            is not None,
            assignment_interval_ms=config.int("group.consumer.assignment.interval.ms"),
            max_size=config.int("group.consumer.max.size"),
            assignors=tuple(config.names("group.consumer.assignors")),
            migration_policy=MigrationPolicy(
                config.text("group.consumer.migration.policy").lower()
            ),
        )


_BATCH_OVERHEAD_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class GroupConfig:
    """Typed view of the coordinator's settings, with Kafka's defaults; times in milliseconds."""

    min_session_timeout_ms: int = 6_000
    max_session_timeout_ms: int = 1_800_000
    max_size: int = 2**31 - 1
    initial_rebalance_delay_ms: int = 3_000
    offset_metadata_max_bytes: int = 4_096
    offsets_retention_ms: int = 7 * 24 * 60 * 60 * 1000
    offsets_retention_check_interval_ms: int = 600_000
    consumer: ConsumerConfig = field(default_factory=ConsumerConfig)
    protocols: tuple[str, ...] = ("classic", "consumer", "streams")
    """The rebalance protocols that the coordinator supports."""
    commit_timeout_ms: int = 5_000
    """How long an answer waits for the in-sync replicas to replicate its records."""
    max_record_bytes: int = 1_048_588 - _BATCH_OVERHEAD_BYTES
    """The largest record that the log of __consumer_offsets accepts in a batch of its own."""
    share: ShareGroupConfig = field(default_factory=ShareGroupConfig)
    """The settings of share groups."""
    streams: StreamsGroupConfig = field(default_factory=StreamsGroupConfig)
    """The settings of streams groups."""

    @classmethod
    def from_settings(cls, config: Config) -> GroupConfig:
        return cls(
            min_session_timeout_ms=config.int("group.min.session.timeout.ms"),
            max_session_timeout_ms=config.int("group.max.session.timeout.ms"),
            max_size=config.int("group.max.size"),
            initial_rebalance_delay_ms=config.int("group.initial.rebalance.delay.ms"),
            offset_metadata_max_bytes=config.int("offset.metadata.max.bytes"),
            offsets_retention_ms=config.int("offsets.retention.minutes") * 60_000,
            offsets_retention_check_interval_ms=config.int("offsets.retention.check.interval.ms"),
            protocols=tuple(config.names("group.coordinator.rebalance.protocols")),
            consumer=ConsumerConfig.from_settings(config),
            commit_timeout_ms=config.int("offsets.commit.timeout.ms"),
            max_record_bytes=config.int("message.max.bytes") - _BATCH_OVERHEAD_BYTES,
            share=ShareGroupConfig.from_settings(config),
            streams=StreamsGroupConfig.from_settings(config),
        )
