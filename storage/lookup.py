"""Finds records by time. Source: KIP-32, KIP-33, KIP-79; KIP-734 for the largest timestamp.

Timestamps may increase and decrease within a log. The result is always the first record, by offset,
that is late enough; the time index only excludes a part of the log.
"""

from __future__ import annotations

from collections.abc import Sequence

from raftka.model.records import iter_records
from raftka.storage.index import IndexDisagrees
from raftka.storage.segment import Segment

Found = tuple[int, int, int]
"""(timestamp, offset, leader epoch)"""


def offset_for_timestamp(
    segments: Sequence[Segment], timestamp: int, log_start_offset: int
) -> Found | None:
    """The first record at or after the log's start with a timestamp >= `timestamp`."""
    for segment in segments:
        segment.know_timestamps()
        if segment.max_timestamp < timestamp:
            continue
        found = _first_in_segment(segment, timestamp, log_start_offset)
        if found is not None:
            return found
    return None


def _first_in_segment(segment: Segment, timestamp: int, log_start_offset: int) -> Found | None:
    try:
        not_before = segment.time_index.lookup(timestamp)
    except IndexDisagrees:
        segment.rebuild_indexes()
        not_before = segment.time_index.lookup(timestamp)
    start = segment.position_of(max(not_before, log_start_offset))
    for position, header in segment.headers(start):
        if header.max_timestamp < timestamp:
            continue
        for record in iter_records(segment.batch_at(position, header)):
            if record.timestamp >= timestamp and record.offset >= log_start_offset:
                return record.timestamp, record.offset, header.leader_epoch
    return None


def max_timestamp_offset(segments: Sequence[Segment], log_start_offset: int) -> Found | None:
    """The first record with the largest timestamp of the log; None if no record has one."""
    best: Segment | None = None
    for segment in segments:
        segment.know_timestamps()
        if segment.max_timestamp >= 0 and (
            best is None or segment.max_timestamp > best.max_timestamp
        ):
            best = segment
    if best is None:
        return None
    return _first_in_segment(best, best.max_timestamp, log_start_offset)
