"""Flushes a log, in the foreground and in the background, and tracks which records are durable.

The recovery point is the offset before which everything is durable: segments, indexes of closed
segments, leader epochs, and file names. Recovery trusts it, so it only advances when all of that is
on disk. Usually replication protects the records after it.
"""

from __future__ import annotations

from collections.abc import Callable

from raftka.model.named_tuple import NamedTuple
from raftka.model.ports import Disk
from raftka.storage.bounds import Bounds
from raftka.storage.config import LogConfig
from raftka.storage.health import Health
from raftka.storage.leader_epochs import LeaderEpochCache
from raftka.storage.partition_metadata import sync_topic_id
from raftka.storage.segment import Segment
from raftka.storage.segments import Segments


class _Plan(NamedTuple):
    """The files to sync, and the offset before which everything is durable then."""

    work: Callable[[], None]
    end: int
    active: Segment
    truncations: int


class Flusher:
    """Flushes one log as flush.messages and flush.ms require, and tracks the recovery point."""

    __slots__ = (
        "_bounds",
        "_disk",
        "_durable_truncations",
        "_epochs",
        "_health",
        "_segments",
        "_truncations",
        "last_flush_ms",
        "recovery_point",
    )

    def __init__(
        self,
        disk: Disk,
        health: Health,
        bounds: Bounds,
        segments: Segments,
        epochs: LeaderEpochCache,
        *,
        recovery_point: int,
        now_ms: int,
    ) -> None:
        self._disk = disk
        self._health = health
        self._bounds = bounds
        self._segments = segments
        self._epochs = epochs
        self._truncations = self._durable_truncations = 0
        self.recovery_point = recovery_point
        """Everything before this offset is durable."""
        self.last_flush_ms = now_ms

    def is_due(self, config: LogConfig, now_ms: int) -> bool:
        """Whether flush.messages or flush.ms require a flush now."""
        waiting = self._bounds.end - self.recovery_point
        return waiting > 0 and (
            waiting >= config.flush_messages or now_ms - self.last_flush_ms >= config.flush_ms
        )

    @property
    def is_durable(self) -> bool:
        """Whether a power loss now would lose nothing, and restore nothing that was truncated."""
        settled = self._truncations == self._durable_truncations and not self._segments[-1].was_cut
        return settled and self.recovery_point >= self._bounds.end

    @property
    def has_closed_segment(self) -> bool:
        """Whether a segment was closed since the last flush: it will not change any more."""
        return self.recovery_point < self._segments[-1].base_offset

    def flush(self, now_ms: int | None = None) -> None:
        """Make everything appended so far durable, waiting for the disk."""
        with self._health.doing("flushing"):
            plan = self._plan(self._bounds.end)
            plan.work()
        self._done(plan, now_ms)

    async def flush_in_background(
        self, now_ms: int | None = None, *, closed_only: bool = False
    ) -> None:
        """Make everything appended so far durable, while the broker continues.

        With `closed_only`, leave the active segment to the operating system.
        """
        with self._health.doing("flushing"):
            end = self._segments[-1].base_offset if closed_only else self._bounds.end
            plan = self._plan(end)
            await self._disk.offload(plan.work)
        self._done(plan, now_ms)

    def _plan(self, end_offset: int) -> _Plan:
        listed, epochs, disk = self._segments, self._epochs, self._disk
        first = listed.place_of(self.recovery_point)
        segments = [s for s in listed[first:] if s.base_offset < end_offset or s.was_cut]
        active, directory = listed[-1], self._health.directory
        names_changed, listed.names_changed = listed.names_changed, False
        is_new, listed.is_new = listed.is_new, False
        epochs.save()

        def work() -> None:
            for segment in segments:
                segment.sync(with_indexes=segment is not active)
            epochs.sync()
            if names_changed:
                sync_topic_id(disk, directory)
                disk.sync_dir(directory)
                if is_new:
                    disk.sync_dir(directory.rpartition("/")[0])

        return _Plan(work, end_offset, active, self._truncations)

    def _done(self, plan: _Plan, now_ms: int | None) -> None:
        # If the log was truncated meanwhile, other records may have these offsets. If it was
        # rolled, the previously active segment has indexes that are not durable yet.
        self._durable_truncations = plan.truncations
        if plan.truncations == self._truncations:
            is_active = plan.active is self._segments[-1]
            end_offset = plan.end if is_active else plan.active.base_offset
            self.recovery_point = max(self.recovery_point, end_offset)
        if now_ms is not None:
            self.last_flush_ms = now_ms

    def truncated(self, end_offset: int) -> None:
        """The log is about to be truncated to `end_offset`: later records there are not durable.

        The checkpoint must be lowered: otherwise recovery would skip segments that need a scan, and
        trust snapshots of removed records.
        """
        self._truncations += 1
        self._segments.names_changed = True
        if end_offset < self.recovery_point:
            self.recovery_point = end_offset
            owner = self._health.owner
            if owner is not None:
                owner.recovery_point_moved(self._health.topic_partition)
