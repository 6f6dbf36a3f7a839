"""Which segments may go: a plan made from numbers, carried out by the log.

Whole segments from the oldest on, for one of three reasons: every record is older than
retention.ms, the log would still hold retention.bytes without it, or it lies before the log's
start. Never one that reaches past the high watermark, and never an empty last one.
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
    """How many of the first segments retention lets go, by whichever reason takes most.

    Equal to `len(segments)` when all may go: the log then needs a new one first.
    """
    ends = [segment.base_offset for segment in segments[1:]] + [log_end_offset]
    deletable = 0
    for segment, end in zip(segments, ends, strict=True):
        if end > high_watermark or segment.size == 0:
            break
        deletable += 1
    # The last segment is never only "before the start": it would be deleted for being empty.
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
    """How many of 0, 1, ... below `limit` in a row `holds` is true for."""
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

    Records without a timestamp count from when this broker first saw their segment.
    """
    segment.know_timestamps()
    latest = segment.max_timestamp if segment.max_timestamp >= 0 else segment.created_ms
    return now_ms - latest > retention_ms
