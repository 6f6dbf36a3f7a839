"""The typed settings of one partition's log: a topic's overrides of the broker's defaults.

Names, defaults and meanings are Kafka's topic configuration; parsing, bounds and documentation are
in model/settings. This module converts them to numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from raftka.model.dataclass import dataclass
from raftka.model.record_batch import CREATE_TIME

MAX_LONG: Final = 2**63 - 1
DAY_MS: Final = 24 * 3600 * 1000
UNLIMITED: Final = -1


@dataclass(frozen=True, slots=True)
class LogConfig:
    """Sizes in bytes, times in ms; -1 is unlimited, as in Kafka.

    `preallocate` has no effect: it helps on Windows.
    """

    cleanup_policy: tuple[str, ...] = ("delete",)
    compression_type: str = "producer"
    compression_gzip_level: int = -1
    compression_lz4_level: int = 9
    compression_zstd_level: int = 3
    delete_retention_ms: int = DAY_MS
    file_delete_delay_ms: int = 60_000
    flush_messages: int = MAX_LONG
    flush_ms: int = MAX_LONG
    index_interval_bytes: int = 4096
    max_compaction_lag_ms: int = MAX_LONG
    max_message_bytes: int = 1_048_588
    max_decompressed_message_bytes: int = 2**31 - 9
    message_timestamp_after_max_ms: int = 3_600_000
    message_timestamp_before_max_ms: int = MAX_LONG
    message_timestamp_type: str = CREATE_TIME
    min_cleanable_dirty_ratio: float = 0.5
    min_compaction_lag_ms: int = 0
    min_insync_replicas: int = 1
    preallocate: bool = False
    retention_bytes: int = UNLIMITED
    retention_ms: int = 7 * DAY_MS
    segment_bytes: int = 1 << 30
    segment_index_bytes: int = 10 << 20
    segment_jitter_ms: int = 0
    segment_ms: int = 7 * DAY_MS
    unclean_leader_election_enable: bool = False

    @property
    def deletes(self) -> bool:
        """Whether retention deletes old segments by time and size."""
        return "delete" in self.cleanup_policy

    @property
    def compacts(self) -> bool:
        """Whether only the last value of each key stays."""
        return "compact" in self.cleanup_policy

    @property
    def max_segment_ms(self) -> int:
        """How long a segment may be active; less for a compacted topic, for its cleaning."""
        return (
            min(self.segment_ms, self.max_compaction_lag_ms) if self.compacts else self.segment_ms
        )

    def compression_level(self, codec: str) -> int | None:
        """The configured level of a codec; None for a codec without levels."""
        return {
            "gzip": self.compression_gzip_level,
            "lz4": self.compression_lz4_level,
            "zstd": self.compression_zstd_level,
        }.get(codec)

    @classmethod
    def from_overrides(
        cls, overrides: Mapping[str, str], defaults: LogConfig | None = None
    ) -> LogConfig:
        """`defaults` with a topic's overrides, by Kafka's names.

        Settings of other components are ignored. Raises ValueError with the name of a setting whose
        value has the wrong type.
        """
        base = cls() if defaults is None else defaults
        changes: dict[str, Any] = {}
        for name, value in overrides.items():
            field = name.replace(".", "_")
            if field in _FIELDS:
                changes[field] = _parse(name, value, getattr(base, field))
        return dataclasses.replace(base, **changes) if changes else base


_FIELDS: Final = frozenset(field.name for field in dataclasses.fields(LogConfig))


def _parse(name: str, value: str, current: object) -> object:
    """Parse `value` as the type of the setting."""
    text = value.strip()
    try:
        if isinstance(current, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(current, int):
            return int(text)
        if isinstance(current, float):
            return float(text)
    except (KeyError, ValueError):
        raise ValueError(f"{name}={value!r} is not a {type(current).__name__}") from None
    if isinstance(current, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
