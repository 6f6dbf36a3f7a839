"""One partition's log, composed of components that can be read, tested and replaced individually.

    bounds.py its first and last offset
    segments.py     its files; tail.py: the end of the active one
    log_writer.py   appending records
    log_reader.py   finding records
    log_ends.py     rolling, truncation, the start, retention
    flusher.py      durability
    health.py       failures

The partition manages the high watermark, and passes it where it is needed.
"""

from __future__ import annotations

from raftka.model.ids import TopicPartition, Uuid
from raftka.model.ports import Dice, Disk
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.storage.appending import AppendInfo
from raftka.storage.bounds import Bounds
from raftka.storage.config import MAX_LONG, LogConfig
from raftka.storage.flusher import Flusher
from raftka.storage.health import Health, LogOwner
from raftka.storage.leader_epochs import LeaderEpochCache
from raftka.storage.log_ends import LogEnds
from raftka.storage.log_reader import LogReader, Slice
from raftka.storage.log_writer import LogWriter
from raftka.storage.producer_state import ProducerState
from raftka.storage.segment import Segment
from raftka.storage.segments import Segments
from raftka.storage.snapshots import ProducerSnapshots
from raftka.storage.tail import Tail

__all__ = ["AppendInfo", "Log", "Slice"]


class Log:
    """Opened by storage/recovery.py. Not thread-safe."""

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
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        self.directory = directory
        self.topic_partition = topic_partition
        self.topic_id = topic_id
        self.epochs = epochs
        self.producer_state = producers
        self.transactions = producers.transactions
        self.snapshots = snapshots
        self.health = health = Health(directory, topic_partition, owner)
        self.bounds = bounds = Bounds(log_start_offset, log_end_offset)
        self.segments = Segments(disk, directory, segments, is_durable=is_durable)
        self.flusher = Flusher(
            disk, health, bounds, self.segments, epochs,
            recovery_point=recovery_point, now_ms=now_ms,
        )  # fmt: skip
        self._config = config
        self.counts_for_flush = config.flush_messages != MAX_LONG
        """Whether flush.messages is set, so that an append may have to flush."""
        self._tail = Tail(segments[-1], config, dice)
        self._reader = LogReader(bounds, self.segments, self._tail, health)
        self._ends = LogEnds(
            bounds, self.segments, self._tail, self.flusher, epochs, producers, snapshots, health,
            config,
        )  # fmt: skip
        self._writer = LogWriter(
            bounds, self._tail, self._ends, epochs, producers, health, config,
            rules_off=rules_off,
        )  # fmt: skip
        # The components' methods under the log's names, without an extra call.
        self.append_as_leader = self._writer.append_as_leader
        self.append_as_follower = self._writer.append_as_follower
        self.read = self._reader.read
        self.aborted_transactions = self._reader.aborted_transactions
        self.offset_for_timestamp = self._reader.offset_for_timestamp
        self.max_timestamp_offset = self._reader.max_timestamp_offset
        self.roll = self._ends.roll_unless_empty
        self.truncate_to = self._ends.truncate_to
        self.truncate_fully_and_start_at = self._ends.start_again_at
        self.advance_log_start = self._ends.advance_start
        self.delete_old_segments = self._ends.delete_old_segments
        self.delete_oldest = self._ends.delete_oldest
        self.prepare_replacement = self._ends.prepare_replacement
        self.replace_segments = self._ends.replace
        self.remove_doomed = self._ends.remove_doomed
        self.flush = self.flusher.flush
        self.flush_in_background = self.flusher.flush_in_background

    @property
    def config(self) -> LogConfig:
        """The topic's settings; assigned ones take effect at once."""
        return self._config

    @config.setter
    def config(self, config: LogConfig) -> None:
        self._config = self._ends.config = config
        self.counts_for_flush = config.flush_messages != MAX_LONG
        self._tail.configure(config)
        self._writer.configure(config)

    @property
    def log_start_offset(self) -> int:
        """The offset of the first record that may be read."""
        return self.bounds.start

    @property
    def log_end_offset(self) -> int:
        """The offset of the next record."""
        return self.bounds.end

    @property
    def recovery_point(self) -> int:
        """Everything before this offset is durable."""
        return self.flusher.recovery_point

    @property
    def failure(self) -> str | None:
        """Why the log cannot be used any longer; None if it can."""
        return self.health.failure

    @property
    def size(self) -> int:
        """The size of all batches in bytes."""
        return self.segments.size

    @property
    def latest_epoch(self) -> int:
        """The largest leader epoch of any record or leadership here, -1 for none."""
        return self.epochs.latest

    def stable_offset(self, high_watermark: int) -> int:
        """The last stable offset: everything before it is committed, and in no open transaction. At
        least the log start offset."""
        transactions = self.transactions
        transactions.committed(high_watermark)
        return min(high_watermark, max(transactions.first_unstable, self.bounds.start))

    def needs_flush(self, now_ms: int) -> bool:
        """Whether flush.messages or flush.ms require a flush now."""
        return self.flusher.is_due(self._config, now_ms)

    def assign_epoch(self, epoch: int, start_offset: int) -> None:
        """Record that a leader epoch begins at `start_offset`, for a new leader the log's end."""
        if self.health.failure is not None:
            raise self.health.refusal()
        self.epochs.assign(epoch, start_offset)

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        """(the largest known epoch <= `epoch`, its end offset); (-1, -1) if unknown."""
        return self.epochs.end_offset_for(epoch, self.bounds.end)

    def rest(self) -> None:
        """Write pending index entries, and drop the indexes of closed segments from memory."""
        with self.health.doing("writing indexes of"):
            self.segments.rest()
            self.epochs.save_written(self.bounds.end)

    def close(self, *, snapshot: bool = True) -> None:
        """Write buffered data, and close the files. Idempotent.

        Appended records may only be in the page cache: call `flush` first to make them durable.
        """
        if self.health.failure is None:
            with self.health.doing("closing"):
                if snapshot:
                    self.snapshots.take(self.producer_state, self.bounds.end)
                self.segments[-1].finish()
                self.epochs.save()
            self.health.failure = f"{self.topic_partition} is closed"
        for segment in self.segments:
            segment.file.close()

    def let_go(self) -> None:
        """Stop using the files without closing them: for deletions while regions are being sent."""
        self.health.failure = f"{self.topic_partition} is deleted"
