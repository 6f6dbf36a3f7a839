"""Where a log ends and where it begins: truncation, the log start offset, retention.

A follower that diverged from its leader cuts its end (KIP-101); retention and DeleteRecords
(KIP-107) move the start. Whole segments go, by renaming first and removing later.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import partial

from raftka.storage import retention
from raftka.storage.log_durability import DurableLog
from raftka.storage.producer_state import ProducerState
from raftka.storage.segment import Segment


class LogEnds(DurableLog):
    """Moves the log's end back and its start forward."""

    # ---- truncation: the end and the start move

    def truncate_to(self, offset: int) -> bool:
        """Drop all batches that reach `offset` or beyond; whether there were any.

        A batch that spans `offset` goes as a whole, so the log may end before it.
        """
        if self.failure is not None:
            raise self._refuse()
        if offset >= self.log_end_offset:
            # Of an epoch in which this replica led and wrote nothing, the new leader may know
            # nothing: to be forgotten, or it would be taken for the epoch of our last record.
            try:
                self.epochs.truncate_from_end(self.log_end_offset)
                self.epochs.save()
            except OSError as error:
                raise self._fail(error, "truncating") from error
            return False
        if offset < self._bases[0]:
            self.truncate_fully_and_start_at(offset)
            return True
        try:
            self._truncate(offset)
        except OSError as error:
            raise self._fail(error, "truncating") from error
        return True

    def _truncate(self, offset: int) -> None:
        last = self._segment_at(offset)
        self._drop_segments(last + 1)
        segment = self.segments[-1]
        position = segment.position_of(offset)
        first_dropped = segment.header_at(position)
        end = offset if first_dropped is None else min(offset, first_dropped.base_offset)
        before = segment.size
        segment.truncate(position, end)
        self.size -= before - position
        self._end_at(end)
        self._activate()
        self._rebuild_producers()

    def _end_at(self, end: int) -> None:
        self.log_end_offset = end
        self.log_start_offset = min(self.log_start_offset, end)
        self._lower_recovery_point(end)
        self.epochs.truncate_from_end(end)
        self.epochs.save()
        self.snapshots.drop_after(end)

    def _lower_recovery_point(self, offset: int) -> None:
        """What will be appended from `offset` on is other data, and not durable yet.

        The checkpoint must not say otherwise: recovery would skip segments that need a scan, and
        believe snapshots of records that are gone.
        """
        self._truncations += 1
        self._directory_dirty = True
        if offset < self.recovery_point:
            self.recovery_point = offset
            if self._owner is not None:
                self._owner.recovery_point_lowered(self)

    def _rebuild_producers(self) -> None:
        """Producers as of the end of the log: the last snapshot, and the batches after it."""
        if not self.producer_state.producers:
            self.producer_state.end_offset = self.log_end_offset
            return
        self.snapshots.load_latest(self.producer_state, self._bases[0])
        replay_producers(self.segments, self.producer_state)

    def truncate_fully_and_start_at(self, offset: int, now_ms: int | None = None) -> None:
        """Drop everything; the log is empty and both begins and ends at `offset`."""
        if self.failure is not None:
            raise self._refuse()
        created_ms = self._last_flush_ms if now_ms is None else now_ms
        try:
            self._lower_recovery_point(offset)
            self._drop_segments(0)
            self.epochs.clear()
            self.epochs.save()
            self.snapshots.drop_after(-1)
            self.producer_state.clear(offset)
            self._add_segment(offset, created_ms)
        except OSError as error:
            raise self._fail(error, "truncating") from error
        self.log_start_offset = self.log_end_offset = self.recovery_point = offset

    def advance_log_start(self, offset: int) -> bool:
        """Let the log begin at `offset`; whether it began before. Segments go at the next clean-up.

        The caller keeps it at or below the high watermark.
        """
        if self.failure is not None:
            raise self._refuse()
        if offset <= self.log_start_offset:
            return False
        self.log_start_offset = min(offset, self.log_end_offset)
        try:
            self.epochs.truncate_from_start(self.log_start_offset)
            self.epochs.save()
        except OSError as error:
            raise self._fail(error, "moving the start of") from error
        return True

    # ---- retention

    def delete_old_segments(self, now_ms: int, high_watermark: int) -> int:
        """Delete the segments that retention lets go, all below `high_watermark`; how many."""
        if self.failure is not None:
            raise self._refuse()
        try:
            count = retention.count_deletable(
                self.segments, self.config, self.log_start_offset, self.log_end_offset,
                high_watermark, now_ms,
            )  # fmt: skip
        except OSError as error:
            raise self._fail(error, "cleaning up") from error
        if count == len(self.segments):
            self.roll(now_ms)
        if count:
            self.delete_oldest(count, now_ms)
        return count

    def delete_oldest(self, count: int, now_ms: int) -> None:
        """Delete the first `count` segments; the log begins after them. One must stay."""
        due_ms = now_ms + self.config.file_delete_delay_ms
        try:
            for segment in self.segments[:count]:
                self.size -= segment.size
                self._doomed += [(due_ms, path) for path in segment.mark_deleted()]
            del self.segments[:count]
            del self._bases[:count]
            self.snapshots.drop_before(self._bases[0])
        except OSError as error:
            raise self._fail(error, "deleting segments of") from error
        self.advance_log_start(self._bases[0])

    def remove_doomed(self, now_ms: int) -> int:
        """Remove the files of deleted segments whose delay has passed; how many."""
        due = [path for due_ms, path in self._doomed if due_ms <= now_ms]
        self._doomed = [entry for entry in self._doomed if entry[0] > now_ms]
        try:
            for path in due:
                if self.disk.exists(path):
                    self.disk.remove(path)
        except OSError as error:
            raise self._fail(error, "removing files of") from error
        return len(due)


def replay_producers(segments: list[Segment], producers: ProducerState) -> None:
    """Bring `producers` from its end offset to the end of the log, by the batches' headers."""
    first = max(0, bisect_right([s.base_offset for s in segments], producers.end_offset) - 1)
    for segment in segments[first:]:
        start = segment.position_of(producers.end_offset)
        for position, header in segment.headers(start):
            if header.last_offset >= producers.end_offset:
                producers.replay(header, partial(segment.batch_at, position, header))
