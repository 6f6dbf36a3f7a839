"""Which segments may be deleted: a pure plan, executed by the log.

Whole segments are deleted, oldest first, for one of three reasons: every record is older than
retention.ms, the log would still have retention.bytes without it, or it is before the log's start.
Never one that reaches past the high watermark, and never an empty last one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from raftka.storage.config import LogConfig
from raftka.storage.segment import Segment


def count_deletable(
    segments: Sequence[Segment],
    config: LogConfig,
    log_start_offset: int,
    log_end_offset: int,
    high_watermark: int,
    now_ms: int,
) -> int:
    """How many of the first segments retention deletes, by whichever reason deletes most.

    Equal to `len(segments)` if all may be deleted: the log then needs a new one first.
    """
    ends = [segment.base_offset for segment in segments[1:]] + [log_end_offset]
    deletable = 0
    for segment, end in zip(segments, ends, strict=True):
        if end > high_watermark or segment.size == 0:
            break
        deletable += 1
    # The last segment is never deleted just because it is before the start: it would be empty.
    counts = [_prefix(min(deletable, len(ends) - 1), lambda i: ends[i] <= log_start_offset)]
    if config.deletes and config.retention_ms >= 0:
        counts.append(
            _prefix(deletable, lambda i: is_expired(segments[i], config.retention_ms, now_ms))
        )
    if config.deletes and config.retention_bytes >= 0:
        surplus = sum(segment.size for segment in segments) - config.retention_bytes
        counts.append(min(deletable, _count_by_size(segments, surplus)))
    return max(counts)


def _prefix(limit: int, holds: Callable[[int], bool]) -> int:
    """The number of consecutive indexes from 0, below `limit`, for which `holds` returns True."""
    for index in range(limit):
        if not holds(index):
            return index
    return limit


def _count_by_size(segments: Sequence[Segment], surplus: int) -> int:
    """How many of the first segments fit into `surplus` bytes."""
    for index, segment in enumerate(segments):
        if segment.size > surplus:
            return index
        surplus -= segment.size
    return len(segments)


def is_expired(segment: Segment, retention_ms: int, now_ms: int) -> bool:
    """Whether the latest record of a segment is older than `retention_ms`.

    Records without a timestamp are as old as this broker's first sight of their segment.
    """
    segment.know_timestamps()
    latest = segment.max_timestamp if segment.max_timestamp >= 0 else segment.created_ms
    return now_ms - latest > retention_ms
