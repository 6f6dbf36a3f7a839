"""The end and the start of a log: rolling, truncation, the log start offset, retention.

A follower that diverged from its leader truncates its log (KIP-101); retention and DeleteRecords
(KIP-107) advance the start. Whole segments are deleted: renamed first and removed later.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import partial

from raftka.storage import retention
from raftka.storage.bounds import Bounds
from raftka.storage.config import LogConfig
from raftka.storage.flusher import Flusher
from raftka.storage.health import Health
from raftka.storage.leader_epochs import LeaderEpochCache
from raftka.storage.producer_state import ProducerState
from raftka.storage.segment import Segment
from raftka.storage.segments import Segments
from raftka.storage.snapshots import ProducerSnapshots
from raftka.storage.tail import Tail
from raftka.storage.transaction_index import AbortedTransaction


class LogEnds:
    """Truncates one log, advances its start, and begins its segments."""

    __slots__ = (
        "_bounds",
        "_epochs",
        "_flusher",
        "_health",
        "_producers",
        "_segments",
        "_snapshots",
        "_tail",
        "config",
    )

    def __init__(
        self,
        bounds: Bounds,
        segments: Segments,
        tail: Tail,
        flusher: Flusher,
        epochs: LeaderEpochCache,
        producers: ProducerState,
        snapshots: ProducerSnapshots,
        health: Health,
        config: LogConfig,
    ) -> None:
        self._bounds = bounds
        self._segments = segments
        self._tail = tail
        self._flusher = flusher
        self._epochs = epochs
        self._producers = producers
        self._snapshots = snapshots
        self._health = health
        self.config = config

    # ---- the next segment

    def roll(self, base_offset: int, now_ms: int) -> Segment:
        """Close the active segment and begin the next one at `base_offset`."""
        with self._health.doing("rolling"):
            active = self._tail.segment
            active.finish()
            if active.was_cut or self._flusher.recovery_point >= self._bounds.end:
                # If it was truncated: a crash could undo the truncation but keep the next segment.
                # If it was flushed to its end: no flush will visit it again, and its indexes are
                # not synced yet.
                active.sync(with_indexes=True)
            if active.size == 0:
                self._segments.drop_from(len(self._segments) - 1)
            self._snapshots.take(self._producers, base_offset)
            return self._begin_segment(base_offset, now_ms)

    def roll_unless_empty(self, now_ms: int) -> None:
        """Begin a new segment unless the active one is empty."""
        if self._tail.segment.size:
            self.roll(self._bounds.end, now_ms)

    def _begin_segment(self, base_offset: int, now_ms: int) -> Segment:
        segment = self._segments.add(base_offset, self.config, now_ms)
        self._tail.begin(segment)
        return segment

    def note_aborted(self, transaction: AbortedTransaction) -> None:
        """Add an aborted transaction to the index of the active segment, which has its marker."""
        with self._health.doing("indexing"):
            if self._tail.segment.transaction_index.append(transaction):
                self._segments.names_changed = True

    # ---- cleaned segments

    def prepare_replacement(self, bases: Sequence[int]) -> bool:
        """A cleaned segment is ready; False if its source segments have changed."""
        with self._health.doing("replacing segments of"):
            if not self._segments.holds(bases):
                return False
            self._segments.prepare(bases[0])
            return True

    def replace(self, bases: Sequence[int], now_ms: int) -> bool:
        """Replace segments with the cleaned one, unless they have changed since `prepare`."""
        with self._health.doing("replacing segments of"):
            if self._segments.prepared != bases[0]:
                return False
            due_ms = now_ms + self.config.file_delete_delay_ms
            self._segments.replace(bases, self.config, due_ms)
            self._snapshots.drop_at(bases[1:])
            return True

    # ---- the end

    def truncate_to(self, offset: int) -> bool:
        """Remove all batches that reach `offset` or beyond; return whether there were any.

        A batch that spans `offset` is removed completely, so the log may end before it.
        """
        with self._health.doing("truncating"):
            if offset >= self._bounds.end:
                # The new leader may not know an epoch in which this replica led and wrote nothing:
                # if it were kept, it would look like the epoch of our last record.
                self._epochs.truncate_from_end(self._bounds.end)
                self._epochs.save()
                return False
            if offset < self._segments[0].base_offset:
                self.start_again_at(offset)
            else:
                self._cut(offset)
            return True

    def _cut(self, offset: int) -> None:
        self._segments.drop_from(self._segments.place_of(offset) + 1)
        segment = self._segments[-1]
        position = segment.position_of(offset)
        first_dropped = segment.header_at(position)
        end = offset if first_dropped is None else min(offset, first_dropped.base_offset)
        segment.truncate(position, end)
        self._bounds.end = end
        self._bounds.start = min(self._bounds.start, end)
        self._flusher.truncated(end)
        self._epochs.truncate_from_end(end)
        self._epochs.save()
        self._snapshots.drop_after(end)
        self._tail.begin(segment)
        self._rebuild_producers()
        if segment.next_offset() != end:
            self._begin_behind_a_gap(segment, end)

    def _begin_behind_a_gap(self, cleaned: Segment, end: int) -> None:
        """Begin a segment at `end`, which is after the last batch of the preceding `cleaned` one.

        On a restart the log's end is that of its last batch, or else the base offset of its last
        segment. Without such a segment the end would decrease, and the next leader would reuse
        offsets.
        """
        cleaned.finish()
        # A crash must not undo the truncation but keep the next segment.
        cleaned.sync(with_indexes=True)
        # Recovery takes a gap after the recovery point for records that were lost.
        self._flusher.flush()
        owner = self._health.owner
        if owner is not None:
            owner.recovery_point_moved(self._health.topic_partition)
        self._snapshots.take(self._producers, end)
        self._begin_segment(end, self._flusher.last_flush_ms)

    def _rebuild_producers(self) -> None:
        """Rebuild the producers at the log's end, from the last snapshot and later batches."""
        if not self._producers.producers:
            self._producers.end_offset = self._bounds.end
            return
        self._snapshots.load_latest(self._producers, self._segments[0].base_offset)
        replay_producers(self._segments, self._producers)

    def start_again_at(self, offset: int, now_ms: int | None = None) -> None:
        """Remove everything: the log is empty, and starts and ends at `offset`."""
        created_ms = self._flusher.last_flush_ms if now_ms is None else now_ms
        with self._health.doing("truncating"):
            self._flusher.truncated(offset)
            self._segments.drop_from(0)
            self._epochs.clear()
            self._epochs.save()
            self._snapshots.drop_after(-1)
            self._producers.clear(offset)
            self._begin_segment(offset, created_ms)
        self._bounds.start = self._bounds.end = self._flusher.recovery_point = offset

    # ---- the start

    def advance_start(self, offset: int) -> bool:
        """Advance the log's start to `offset`; return whether it was lower. The next retention
        check deletes segments.

        The caller keeps it at or below the high watermark.
        """
        if self._health.failure is None and offset <= self._bounds.start:
            return False
        with self._health.doing("moving the start of"):
            self._bounds.start = min(offset, self._bounds.end)
            self._epochs.truncate_from_start(self._bounds.start)
            self._epochs.save()
            return True

    def delete_old_segments(self, now_ms: int, high_watermark: int) -> int:
        """Delete segments by retention, all below `high_watermark`; return their number."""
        with self._health.doing("cleaning up"):
            count = retention.count_deletable(
                self._segments, self.config, self._bounds.start, self._bounds.end,
                high_watermark, now_ms,
            )  # fmt: skip
        if count == len(self._segments):
            self.roll_unless_empty(now_ms)
        if count:
            self.delete_oldest(count, now_ms)
        return count

    def delete_oldest(self, count: int, now_ms: int) -> None:
        """Delete the first `count` segments; the log starts after them. One must remain."""
        with self._health.doing("deleting segments of"):
            self._segments.retire(count, now_ms + self.config.file_delete_delay_ms)
            self._snapshots.drop_before(self._segments[0].base_offset)
        self.advance_start(self._segments[0].base_offset)

    def remove_doomed(self, now_ms: int) -> int:
        """Remove the files of deleted segments whose delay has passed; return the number."""
        with self._health.doing("removing files of"):
            return self._segments.remove_doomed(now_ms)


def replay_producers(segments: Sequence[Segment], producers: ProducerState) -> None:
    """Replay the log's batches into `producers`, from its end offset on, by their headers."""
    first = max(0, bisect_right([s.base_offset for s in segments], producers.end_offset) - 1)
    for segment in segments[first:]:
        start = segment.position_of(producers.end_offset)
        for position, header in segment.headers(start):
            if header.last_offset >= producers.end_offset:
                producers.replay(header, partial(segment.batch_at, position, header))
