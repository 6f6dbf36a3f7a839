"""The settings of the share coordinator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raftka.model.dataclass import dataclass

if TYPE_CHECKING:
    from raftka.model.settings import Config

_BATCH_OVERHEAD_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class ShareStateConfig:
    """The coordinator's settings, with Kafka's defaults; times in milliseconds."""

    updates_per_snapshot: int = 500
    """share.coordinator.snapshot.update.records.per.snapshot: the number of updates of a
    share-partition after which a snapshot is written."""
    prune_interval_ms: int = 300_000
    """share.coordinator.state.topic.prune.interval.ms: how long redundant records are kept."""
    write_timeout_ms: int = 5_000
    """share.coordinator.write.timeout.ms: how long an answer waits for the in-sync replicas."""
    max_record_bytes: int = 1_048_588 - _BATCH_OVERHEAD_BYTES
    """The largest record that the log of __share_group_state accepts in a batch of its own."""

    @classmethod
    def from_settings(cls, config: Config) -> ShareStateConfig:
        return cls(
            updates_per_snapshot=config.int(
                "share.coordinator.snapshot.update.records.per.snapshot"
            ),
            prune_interval_ms=config.int("share.coordinator.state.topic.prune.interval.ms"),
            write_timeout_ms=config.int("share.coordinator.write.timeout.ms"),
            max_record_bytes=config.int("message.max.bytes") - _BATCH_OVERHEAD_BYTES,
        )
