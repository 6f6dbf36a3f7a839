"""Which records a power loss cannot take: flushing, in the foreground and beside the broker.

The recovery point is the offset before which everything is durable: segments and, of those that
are closed, their indexes; leader epochs; the names of the files. Recovery believes it, so it moves
only when all of that is on the disk. Usually replication protects what lies behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from raftka.storage.log_files import LogFiles
from raftka.storage.partition_metadata import sync_topic_id
from raftka.storage.segment import Segment


class _FlushPlan(NamedTuple):
    """What to do on the disk, and before which offset all is durable then."""

    work: Callable[[], None]
    end: int
    active: Segment
    truncations: int


class DurableLog(LogFiles):
    """Flushes as flush.messages and flush.ms ask for it."""

    def needs_flush(self, now_ms: int) -> bool:
        """Whether flush.messages or flush.ms ask for a flush now."""
        waiting = self.log_end_offset - self.recovery_point
        return waiting > 0 and (
            waiting >= self.config.flush_messages
            or now_ms - self._last_flush_ms >= self.config.flush_ms
        )

    @property
    def is_durable(self) -> bool:
        """Whether a power loss now would take nothing, and bring back nothing that was cut."""
        settled = self._truncations == self._durable_truncations and not self._active.was_cut
        return settled and self.recovery_point >= self.log_end_offset

    def has_unflushed_segment(self) -> bool:
        """Whether a segment was closed since the last flush: it will not change any more."""
        return self.recovery_point < self._active.base_offset

    def flush(self, now_ms: int | None = None) -> None:
        """Make everything appended so far durable, waiting for the disk."""
        try:
            plan = self._plan(self.log_end_offset)
            plan.work()
        except OSError as error:
            raise self._fail(error, "flushing") from error
        self._flushed(plan, now_ms)

    async def flush_in_background(
        self, now_ms: int | None = None, *, closed_only: bool = False
    ) -> None:
        """Make what was appended so far durable, while the broker goes on.

        With `closed_only`, leave the active segment to the system.
        """
        try:
            plan = self._plan(self._active.base_offset if closed_only else self.log_end_offset)
            await self.disk.offload(plan.work)
        except OSError as error:
            raise self._fail(error, "flushing") from error
        self._flushed(plan, now_ms)

    def _plan(self, end: int) -> _FlushPlan:
        if self.failure is not None:
            raise self._refuse()
        first = self._segment_at(self.recovery_point)
        segments = [s for s in self.segments[first:] if s.base_offset < end or s.was_cut]
        active = self._active
        epochs, disk, directory = self.epochs, self.disk, self.directory
        directory_dirty, self._directory_dirty = self._directory_dirty, False
        is_new, self._is_new = self._is_new, False
        epochs.save()

        def work() -> None:
            for segment in segments:
                segment.sync(with_indexes=segment is not active)
            epochs.sync()
            if directory_dirty:
                sync_topic_id(disk, directory)
                disk.sync_dir(directory)
                if is_new:
                    disk.sync_dir(directory.rpartition("/")[0])

        return _FlushPlan(work, end, active, self._truncations)

    def _flushed(self, plan: _FlushPlan, now_ms: int | None) -> None:
        # After a truncation in the meantime, other records may stand at these offsets. After a
        # roll, the segment that was active then has indexes that are not durable yet.
        self._durable_truncations = plan.truncations
        if plan.truncations == self._truncations:
            end = plan.end if plan.active is self._active else plan.active.base_offset
            self.recovery_point = max(self.recovery_point, end)
        if now_ms is not None:
            self._last_flush_ms = now_ms
