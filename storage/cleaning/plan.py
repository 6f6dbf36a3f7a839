"""Which part of a log may be cleaned, how dirty it is, and which segments are merged.

Pure functions of numbers; storage/cleaning/cleaner.py executes the plan. Sources: KIP-58, KIP-354.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from raftka.model.named_tuple import NamedTuple
from raftka.storage.config import LogConfig

MAX_RELATIVE_OFFSET: Final = 2**31 - 1


class SegmentView(NamedTuple):
    """The plan's input about a segment."""

    base_offset: int
    size: int
    max_timestamp: int
    """The largest timestamp of its records, ms since 1970; -1 without any."""
    first_timestamp: int
    """The timestamp of its first batch, ms since 1970; -1 without one."""


class Dirt(NamedTuple):
    """The dirty section of a log."""

    first_dirty_offset: int
    """Every key before this offset was the last one at an earlier cleaning."""
    end_offset: int
    """The first offset that may not be cleaned yet."""
    clean_bytes: int
    dirty_bytes: int
    """The bytes that may be cleaned now."""
    overdue_ms: int
    """How long a cleaning is overdue by max.compaction.lag.ms, whatever the dirty ratio, or 0."""
    blocked_by: str
    """Why the rest cannot be cleaned, in words; empty if it can."""
    blocked_bytes: int = 0
    """The bytes of the rest that are in closed segments."""

    @property
    def ratio(self) -> float:
        """The dirty share of the bytes that a cleaning would read."""
        total = self.clean_bytes + self.dirty_bytes
        return self.dirty_bytes / total if total else 0.0

    def is_due(self, config: LogConfig) -> bool:
        """Whether the topic's settings require a cleaning."""
        if not self.dirty_bytes:
            return False
        return self.overdue_ms > 0 or self.ratio > config.min_cleanable_dirty_ratio


def measure(
    segments: Sequence[SegmentView],
    config: LogConfig,
    *,
    log_start_offset: int,
    stable_offset: int,
    cleaned_to: int | None,
    now_ms: int,
) -> Dirt:
    """Measure the dirtiness of a log whose last segment is active.

    `stable_offset` is the last stable offset, which is at most the high watermark; `cleaned_to` is
    the checkpoint of the last cleaning, or None.
    """
    active = segments[-1]
    first_dirty = log_start_offset if cleaned_to is None else cleaned_to
    if not log_start_offset <= first_dirty <= active.base_offset:
        # Deleted or truncated meanwhile: assume that the whole log is dirty.
        first_dirty = log_start_offset
    ends = [segment.base_offset for segment in segments[1:]]
    closed = list(zip(segments, ends, strict=False))
    end_offset, blocked_by = active.base_offset, ""
    for segment, end in closed:
        if end <= first_dirty:
            continue
        if end > stable_offset:
            blocked_by = (
                f"records from offset {stable_offset} on are not committed, or in an open"
                " transaction"
            )
        elif config.min_compaction_lag_ms > 0 and (
            segment.max_timestamp > now_ms - config.min_compaction_lag_ms
        ):
            blocked_by = f"min.compaction.lag.ms={config.min_compaction_lag_ms}"
        else:
            continue
        end_offset = segment.base_offset
        break
    end_offset = max(first_dirty, end_offset)
    latest_ms = now_ms - config.max_compaction_lag_ms
    return Dirt(
        first_dirty,
        end_offset,
        sum(segment.size for segment, end in closed if end <= first_dirty),
        sum(segment.size for segment, end in closed if first_dirty < end <= end_offset),
        max(
            (
                latest_ms - segment.first_timestamp
                for segment, end in closed
                if end > first_dirty and 0 < segment.first_timestamp < latest_ms
            ),
            default=0,
        ),
        blocked_by,
        sum(segment.size for segment, end in closed if end > max(first_dirty, end_offset)),
    )


class Source(NamedTuple):
    """A segment that a cleaning reads."""

    base_offset: int
    size: int
    index_bytes: int
    """The larger size of its two indexes."""


def group(
    sources: Sequence[Source], end_offset: int, *, segment_bytes: int, index_bytes: int
) -> list[list[Source]]:
    """Group neighbours that fit into one segment, even if no records are removed.

    `end_offset` is the end of the last source.
    """
    groups: list[list[Source]] = []
    ends = [each.base_offset for each in sources[1:]] + [end_offset]
    size = index_size = 0
    for source, end in zip(sources, ends, strict=True):
        fits = (
            groups
            and size + source.size <= segment_bytes
            and index_size + source.index_bytes <= index_bytes
            and end - 1 - groups[-1][0].base_offset <= MAX_RELATIVE_OFFSET
        )
        if fits:
            groups[-1].append(source)
            size += source.size
            index_size += source.index_bytes
        else:
            groups.append([source])
            size, index_size = source.size, source.index_bytes
    return groups
