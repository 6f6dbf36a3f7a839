"""The files of one partition's log: segments, the active one, rolling, failure.

A log is built in layers, each a file: this, durability (log_durability.py), where it ends and
begins (log_ends.py), reading (log_reads.py), appending (log.py). The rules of this one:

- Offsets only grow within a log, and a segment's name is the first offset it may hold.
- Nothing is known of a file after an OSError from it. The log is then failed for good: every later
  use raises LogDirFailure, and only a restart, which recovers from what is on disk, ends that.
- A deleted segment's files are renamed first and removed later, so that a deletion is one step
  for whoever starts after a crash.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final, Protocol

from raftka.model.ids import TopicPartition, Uuid
from raftka.model.ports import Dice, Disk
from raftka.storage.config import MAX_LONG, LogConfig
from raftka.storage.failure import LogDirFailure
from raftka.storage.leader_epochs import LeaderEpochCache
from raftka.storage.producer_state import ProducerState
from raftka.storage.segment import MAX_RELATIVE_OFFSET, Segment
from raftka.storage.snapshots import ProducerSnapshots


class LogOwner(Protocol):
    """Who keeps the directory that a log is in (storage/log_manager.py)."""

    def log_failed(self, directory: str, error: OSError) -> None:
        """Something in that log directory could not be read or written."""
        ...

    def corruption_found(self, log: LogFiles, words: str) -> None:
        """A batch that was read for the first time since the start is not what was written."""
        ...

    def recovery_point_lowered(self, log: LogFiles) -> None:
        """A truncation reached below what is written down as durable: write it down anew."""
        ...


_RECENT_BATCHES: Final = 1024
"""Batches at the end of the log whose places are remembered: what followers and the high
watermark point at is found without a look at the file."""


class LogFiles:
    """Segments in order, the last one active, and what is derived from their batches."""

    def __init__(
        self,
        disk: Disk,
        directory: str,
        topic_partition: TopicPartition,
        topic_id: Uuid,
        config: LogConfig,
        *,
        segments: list[Segment],
        epochs: LeaderEpochCache,
        producers: ProducerState,
        snapshots: ProducerSnapshots,
        log_start_offset: int,
        log_end_offset: int,
        recovery_point: int,
        is_durable: bool,
        now_ms: int,
        dice: Dice | None = None,
        owner: LogOwner | None = None,
    ) -> None:
        self.disk = disk
        self.directory = directory
        self.topic_partition = topic_partition
        self.topic_id = topic_id
        self.segments = segments
        self.epochs = epochs
        self.producer_state = producers
        self.snapshots = snapshots
        self.log_start_offset = log_start_offset
        self.log_end_offset = log_end_offset
        self.recovery_point = recovery_point
        """Everything before this offset is durable."""
        self.size = sum(segment.size for segment in segments)
        self.failure: str | None = None
        """Why the log cannot be used any more; None while it can."""
        self._bases = [segment.base_offset for segment in segments]
        self._dice = dice
        self._owner = owner
        self._last_flush_ms = now_ms
        self._directory_dirty = self._is_new = not is_durable
        """Names in the log's directory, and the directory's own, that a crash may still undo."""
        self._doomed: list[tuple[int, str]] = []
        self._truncations = self._durable_truncations = 0
        self._config = config
        self._activate()

    # ---- settings and failure

    @property
    def config(self) -> LogConfig:
        """The topic's settings; others take effect when they are assigned."""
        return self._config

    @config.setter
    def config(self, config: LogConfig) -> None:
        self._config = config
        self._active.index_interval_bytes = config.index_interval_bytes
        self._set_limits(self._active.is_index_full)

    def _fail(self, error: OSError, doing: str) -> LogDirFailure:
        """Give up on this log after `error`; the exception to raise."""
        if self.failure is not None:
            # Deleted or closed while work was under way: its files may well be gone.
            return self._refuse()
        self.failure = f"{doing} {self.topic_partition} failed: {error}"
        home = self.directory.rpartition("/")[0]
        if self._owner is not None:
            self._owner.log_failed(home, error)
        return LogDirFailure(home, self.failure)

    def _refuse(self) -> LogDirFailure:
        return LogDirFailure(self.directory.rpartition("/")[0], self.failure or "")

    # ---- the active segment

    def _activate(self) -> None:
        """Begin to append to the last segment."""
        self._active = self.segments[-1]
        self._recent_offsets = array("q")
        self._recent_positions = array("q")
        self._jitter_ms = 0
        limit = min(self.config.segment_jitter_ms, self.config.segment_ms)
        if limit > 0 and self._dice is not None:
            self._jitter_ms = self._dice.randrange(limit)
        self._set_limits(self._active.is_index_full)

    def _set_limits(self, is_index_full: bool) -> None:
        """Work out what makes the active segment full, so that an append compares four numbers."""
        segment = self._active
        config = self.config
        self._size_limit = -1 if is_index_full else config.segment_bytes
        self._offset_limit = segment.base_offset + MAX_RELATIVE_OFFSET
        self._roll_timestamp = self._roll_ms = MAX_LONG
        if segment.size:
            age_ms = config.segment_ms - self._jitter_ms
            first = segment.first_timestamp
            if first is not None and first >= 0:
                self._roll_timestamp = first + age_ms
            else:
                self._roll_ms = segment.created_ms + age_ms

    def _note(
        self, segment: Segment, position: int, size: int, base: int, last_offset: int, time_ms: int
    ) -> None:
        """Account for a batch that was just written at the end of the active segment."""
        segment.size = position + size
        self.size += size
        self.log_end_offset = last_offset + 1
        if segment.note_batch(position, size, last_offset, time_ms):
            self._set_limits(True)
        elif position == 0:
            self._set_limits(False)
            segment.make_indexes()
            self.epochs.save()
        recent = self._recent_offsets
        recent.append(base)
        self._recent_positions.append(position)
        if len(recent) >= 2 * _RECENT_BATCHES:
            del recent[:_RECENT_BATCHES]
            del self._recent_positions[:_RECENT_BATCHES]

    def _forget_recent(self) -> None:
        """Begin anew where offsets leave a gap: between neighbours here there is none."""
        del self._recent_offsets[:]
        del self._recent_positions[:]

    def _has_room(
        self, size: int, last_offset: int, max_timestamp: int, now_ms: int, *, pending: int = 0
    ) -> bool:
        """Whether the active segment may take a batch, after `pending` bytes that go there too.

        An empty segment takes whatever its offsets can name.
        """
        if last_offset > self._offset_limit:
            return False
        taken = self._active.size + pending
        return taken == 0 or (
            taken + size <= self._size_limit
            and max_timestamp <= self._roll_timestamp
            and now_ms <= self._roll_ms
        )

    def _roll(self, base_offset: int, now_ms: int) -> Segment:
        """Close the active segment and begin the next one at `base_offset`."""
        try:
            self._active.finish()
            if self._active.was_cut or self.recovery_point >= self.log_end_offset:
                # Once cut: a crash could undo that and keep the segment that comes now. Flushed
                # to its end: no flush will look at it again, and its indexes are not synced yet.
                self._active.sync(with_indexes=True)
            if self._active.size == 0:
                self._drop_segments(len(self.segments) - 1)
            self.snapshots.take(self.producer_state, base_offset)
            self._add_segment(base_offset, now_ms)
        except OSError as error:
            raise self._fail(error, "rolling") from error
        return self._active

    def roll(self, now_ms: int) -> None:
        """Begin a new segment unless the active one is empty."""
        if self._active.size:
            self._roll(self.log_end_offset, now_ms)

    def _add_segment(self, base_offset: int, now_ms: int) -> None:
        segment = Segment(
            self.disk,
            self.directory,
            base_offset,
            created_ms=now_ms,
            index_interval_bytes=self.config.index_interval_bytes,
            index_bytes=self.config.segment_index_bytes,
            create=True,
        )
        self.segments.append(segment)
        self._bases.append(base_offset)
        self._directory_dirty = True
        self._activate()

    def _segment_at(self, offset: int) -> int:
        """The index of the segment that holds `offset`, or would."""
        return max(0, bisect_right(self._bases, offset) - 1)

    # ---- deletion

    def _drop_segments(self, first: int) -> None:
        """Delete the segments from index `first` on, durably.

        Others of the same names may follow, and after a crash the old ones must not stand in for
        them.
        """
        dropped = self.segments[first:]
        del self.segments[first:]
        del self._bases[first:]
        for segment in reversed(dropped):
            self.size -= segment.size
            for path in segment.mark_deleted():
                self.disk.remove(path)
        if dropped:
            self.disk.sync_dir(self.directory)

    # ---- rest and the end

    def rest(self) -> None:
        """Write what index entries wait, and forget the indexes of segments that are closed."""
        try:
            for segment in self.segments:
                if segment is not self._active:
                    segment.offset_index.release()
                    segment.time_index.release()
            self._active.make_indexes()
            self.epochs.save()
        except OSError as error:
            raise self._fail(error, "writing indexes of") from error

    def close(self, *, snapshot: bool = True) -> None:
        """Write what is only in memory, and close the files. Idempotent.

        What was appended is left to the system's cache: `flush` first to have it on the disk.
        """
        if self.failure is None:
            try:
                if snapshot:
                    self.snapshots.take(self.producer_state, self.log_end_offset)
                self._active.finish()
                self.epochs.save()
            except OSError as error:
                raise self._fail(error, "closing") from error
            self.failure = f"{self.topic_partition} is closed"
        for segment in self.segments:
            segment.file.close()

    def let_go(self) -> None:
        """Stop using the files without closing them: a deletion, with regions still being sent."""
        self.failure = f"{self.topic_partition} is deleted"
