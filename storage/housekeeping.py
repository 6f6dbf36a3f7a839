"""Periodic work on a broker's logs: retention, removal of files, and flushing.

Called with the time and the high watermarks; it waits for the disk only in offloaded work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from raftka.model.ids import TopicPartition
from raftka.model.ports import Clock, Disk
from raftka.storage.failure import LogDirFailure
from raftka.storage.log import Log
from raftka.storage.log_directory import LogDirectory

_LOGS_A_TURN: Final = 10
"""Logs per scheduler turn: a few milliseconds each if the disk is busy."""


async def tidy_logs(
    logs: Iterable[Log],
    now_ms: int,
    high_watermarks: Mapping[TopicPartition, int],
    producer_expiration_ms: int,
    clock: Clock,
) -> list[str]:
    """Apply retention to each log, flush its closed segments, expire old producers.

    A log without a high watermark loses nothing. Returns messages for the broker's log; the failure
    listener handles a log whose disk fails. Each log writes a file or two, so other tasks get a
    turn after every few logs.
    """
    said: list[str] = []
    for number, log in enumerate(logs, 1):
        if number % _LOGS_A_TURN == 0:
            await clock.sleep(0)
        if log.failure is not None:
            continue
        try:
            said += _apply_retention(log, now_ms, high_watermarks.get(log.topic_partition, 0))
            log.remove_doomed(now_ms)
            log.producer_state.expire(now_ms, producer_expiration_ms)
            log.rest()
            if log.flusher.has_closed_segment:
                await log.flush_in_background(closed_only=True)
        except LogDirFailure:
            continue
    return said


def _apply_retention(log: Log, now_ms: int, high_watermark: int) -> list[str]:
    count = log.delete_old_segments(now_ms, high_watermark)
    if not count:
        return []
    return [
        f"retention deleted {count} segments of {log.topic_partition}, which begins at offset "
        f"{log.log_start_offset} now"
    ]


async def flush_due(logs: Iterable[Log], now_ms: int) -> int:
    """Flush the logs whose flush.ms has passed; return the number."""
    flushed = 0
    for log in logs:
        if log.failure is None and log.needs_flush(now_ms):
            try:
                await log.flush_in_background(now_ms)
            except LogDirFailure:
                continue
            flushed += 1
    return flushed


async def remove_doomed(disk: Disk, homes: Iterable[LogDirectory], now_ms: int) -> list[str]:
    """Remove the files of deleted partitions whose delay has passed. Raises OSError."""
    said: list[str] = []
    for home in homes:
        if home.failure is None and any(due_ms <= now_ms for due_ms, _ in home.doomed):
            removed = await disk.offload(partial(home.remove_doomed, now_ms))
            said += [f"removed {path}" for path in removed]
    return said
