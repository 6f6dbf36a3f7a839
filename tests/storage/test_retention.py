"""Retention: whole segments, oldest first, never past the high watermark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from raftka.storage.log import Log
from raftka.storage.log_manager import LogDirFailure
from tests.support.logs import DIRECTORY, NOW_MS, all_records, append, batch, new_disk, new_log

SIZE = len(batch("x"))


def four_segments(**settings: Any) -> Log:
    """Offsets 0 to 7, two to a segment, one second apart."""
    log = new_log(segment_bytes=2 * SIZE, **settings)
    for second in range(8):
        log.append_as_leader(batch("x", timestamp=NOW_MS + second * 1000), 0, NOW_MS)
    assert [segment.base_offset for segment in log.segments] == [0, 2, 4, 6]
    return log


def test_old_segments_go_by_their_latest_record() -> None:
    log = four_segments(retention_ms=5000)
    assert log.delete_old_segments(NOW_MS + 6000, 8) == 0
    assert log.delete_old_segments(NOW_MS + 6001, 8) == 1
    assert log.log_start_offset == 2
    assert log.delete_old_segments(NOW_MS + 10_001, 8) == 2
    assert [offset for offset, _ in all_records(log)] == [6, 7]


def test_when_all_is_old_an_empty_segment_stays() -> None:
    log = four_segments(retention_ms=5000)
    assert log.delete_old_segments(NOW_MS + 100_000, 8) == 4
    assert (log.log_start_offset, log.log_end_offset, log.size) == (8, 8, 0)
    assert log.delete_old_segments(NOW_MS + 200_000, 8) == 0
    assert append(log, "y") == 8


def test_the_oldest_go_while_more_than_the_size_would_stay() -> None:
    log = four_segments(retention_bytes=5 * SIZE, retention_ms=-1)
    assert log.delete_old_segments(NOW_MS + 10**9, 8) == 1
    assert log.size == 6 * SIZE
    log.config = log.config.__class__(retention_bytes=0, retention_ms=-1, segment_bytes=2 * SIZE)
    assert log.delete_old_segments(NOW_MS, 8) == 3
    assert log.size == 0


@pytest.mark.parametrize(("high_watermark", "count"), [(0, 0), (1, 0), (2, 1), (7, 3), (8, 4)])
def test_nothing_past_the_high_watermark_goes(high_watermark: int, count: int) -> None:
    log = four_segments(retention_ms=0)
    assert log.delete_old_segments(NOW_MS + 10**9, high_watermark) == count


def test_delete_records_takes_whole_segments_before_the_start() -> None:
    log = four_segments(retention_ms=-1)
    assert log.advance_log_start(5)
    assert not log.advance_log_start(4)
    assert log.delete_old_segments(NOW_MS, 8) == 2
    assert log.log_start_offset == 5
    assert log.advance_log_start(8)
    assert log.delete_old_segments(NOW_MS, 8) == 1
    assert len(log.segments) == 1


def test_compacted_topics_lose_nothing_by_age_or_size() -> None:
    log = four_segments(retention_ms=0, retention_bytes=0, cleanup_policy=("compact",))
    assert log.delete_old_segments(NOW_MS + 10**9, 8) == 0
    log.advance_log_start(4)
    assert log.delete_old_segments(NOW_MS + 10**9, 8) == 2


def test_files_go_after_the_delay() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=2 * SIZE, retention_ms=0, file_delete_delay_ms=1000)
    for _ in range(4):
        append(log, "x")
    log.delete_old_segments(NOW_MS + 1, 2)
    deleted = [name for name in disk.list_dir(DIRECTORY) if name.endswith(".deleted")]
    assert deleted == [f"{0:020d}{kind}.deleted" for kind in (".index", ".log", ".timeindex")]
    assert log.remove_doomed(NOW_MS + 1000) == 0
    assert log.remove_doomed(NOW_MS + 1001) == 3
    assert not any(name.endswith(".deleted") for name in disk.list_dir(DIRECTORY))


def test_flush_settings_say_when() -> None:
    log = new_log(flush_messages=3, flush_ms=500)
    assert not log.needs_flush(NOW_MS + 10**6)
    append(log, "a")
    log.flush(NOW_MS)
    append(log, "b")
    assert not log.needs_flush(NOW_MS + 499)
    assert log.needs_flush(NOW_MS + 500)
    append(log, "c", "d")
    assert log.needs_flush(NOW_MS)
    log.flush(NOW_MS)
    assert log.recovery_point == 4
    assert not log.needs_flush(NOW_MS)


async def test_a_flush_behind_a_truncation_promises_nothing() -> None:
    """Other records stand at those offsets by the time that the disk is done."""
    disk = new_disk()
    log = new_log(disk)
    append(log, "a")
    append(log, "b")

    async def truncating(work: Callable[[], None]) -> None:
        log.truncate_to(1)
        append(log, "c", epoch=1)
        work()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "offload", truncating)
        await log.flush_in_background()
    assert log.recovery_point == 0


async def test_a_flush_behind_a_roll_stops_where_indexes_are_not_durable() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=2 * SIZE)
    append(log, "a")
    append(log, "b")

    async def rolling(work: Callable[[], None]) -> None:
        append(log, "c")
        work()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "offload", rolling)
        await log.flush_in_background()
    assert log.recovery_point == 0
    await log.flush_in_background()
    assert log.recovery_point == 3


async def test_an_error_from_fsync_ends_the_log() -> None:
    disk = new_disk()
    log = new_log(disk)
    append(log, "a")
    disk.medium.faults.sync_error_rate = 1.0
    with pytest.raises(LogDirFailure):
        await log.flush_in_background()
    disk.medium.faults.sync_error_rate = 0.0
    with pytest.raises(LogDirFailure):
        append(log, "b")
