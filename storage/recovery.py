"""Opens a log: makes the files on disk a valid log, and reports problems.

After a clean shutdown the files are trusted. Otherwise:

- Segments entirely before the recovery point were synced with their indexes when they were closed;
  they are trusted if they end with a whole batch. An index is trusted as far as it agrees with its
  log.
- Every batch of the others is read and its CRC checked, and their indexes are rebuilt. The log ends
  at the first batch that is incomplete or damaged, or whose offset or epoch decreases: the rest of
  that file and all later segments are removed. It also ends where a segment ends before the next
  one begins, since files reach the disk independently, unless a cleaning has left that gap: it only
  cleans before a durable recovery point. Records acknowledged with acks=all come back from the
  other replicas.
- An interrupted swap of a cleaned segment is finished or undone (storage/cleaning/swap.py).
- If nothing valid follows, that was a torn tail: a write that the crash interrupted. If valid
  batches follow, the middle is damaged. Then the removed bytes are kept under a name with the
  suffix .corrupt, for an operator without another replica, and the report names the file.

In any case this process verifies the CRC of every batch before serving it: segments that were not
scanned are checked when they are first read (storage/segment.py).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from functools import partial
from typing import Final

from raftka.model.dataclass import dataclass
from raftka.model.ids import NO_EPOCH, TopicPartition, Uuid
from raftka.model.ports import Dice, Disk
from raftka.model.record_batch import HEADER_BYTES, MAGIC, MAGIC_AT, parse_header
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.storage.checkpoints import CheckpointCorrupt
from raftka.storage.cleaning import swap
from raftka.storage.config import LogConfig
from raftka.storage.health import LogOwner
from raftka.storage.index import IndexDisagrees
from raftka.storage.leader_epochs import LeaderEpochCache
from raftka.storage.log import Log
from raftka.storage.log_ends import replay_producers
from raftka.storage.producer_snapshot import SUFFIX as SNAPSHOT_SUFFIX
from raftka.storage.producer_state import ProducerState
from raftka.storage.segment import Segment, file_name
from raftka.storage.segments import open_segment
from raftka.storage.snapshots import ProducerSnapshots
from raftka.storage.transaction_index import SUFFIX

CORRUPT_SUFFIX: Final = ".corrupt"

_NAME: Final = re.compile(r"(\d{20})(\.[a-z]+)")
_LEFTOVERS: Final = (".deleted", ".tmp")
_SEARCH_BYTES: Final = 1 << 20


@dataclass(slots=True)
class RecoveryReport:
    """The findings and actions of opening a log, in words and numbers."""

    topic_partition: TopicPartition
    scanned_bytes: int = 0
    truncated_bytes: int = 0
    corrupt_middle: bool = False
    """Whether valid batches were given up because one before them was damaged."""
    messages: list[str] = dataclasses.field(default_factory=list)
    """Messages for the broker's log, each with the partition, files and positions."""

    def say(self, message: str) -> None:
        self.messages.append(f"{self.topic_partition}: {message}")


def open_log(
    disk: Disk,
    directory: str,
    topic_partition: TopicPartition,
    topic_id: Uuid,
    config: LogConfig,
    *,
    now_ms: int,
    clean: bool = False,
    recovery_point: int = 0,
    log_start_offset: int = 0,
    cleaned_to: int = 0,
    rules_off: RulesOff = ALL_HOLD,
    verifies: Callable[[], bool] = lambda: True,
    dice: Dice | None = None,
    owner: LogOwner | None = None,
) -> tuple[Log, RecoveryReport]:
    """The log in `directory` (created if it does not exist), and the report.

    `clean`: the previous process closed it; `recovery_point`, `log_start_offset` and `cleaned_to`
    (the cleaner's) are the checkpoints' offsets. Raises OSError if the disk fails.
    """
    report = RecoveryReport(topic_partition)
    opening = _Opening(disk, directory, config, now_ms, report)
    bases, snapshot_offsets, indexed = opening.tidy(
        finishes_swaps=Rule.INTERRUPTED_SWAPS_ARE_FINISHED not in rules_off
    )
    segments = [opening.segment(base, create=False) for base in bases]
    if not segments:
        segments = [opening.segment(log_start_offset, create=True)]
        clean = True
    clean, recovery_point = opening.judge(segments, indexed, clean, recovery_point)
    epochs = opening.load_epochs(segments)
    snapshots = ProducerSnapshots(disk, directory, snapshot_offsets)
    if not clean:
        # A later snapshot may cover truncated records: the crash has undone its removal.
        snapshots.drop_after(recovery_point)
    producers = ProducerState(rules_off, verifies)
    opening.load_producers(producers, snapshots, segments)
    if not clean:
        opening.recover(segments, epochs, producers, recovery_point, cleaned_to)
    log_end_offset = segments[-1].next_offset() or segments[-1].base_offset
    snapshots.drop_after(log_end_offset)
    if producers.end_offset > log_end_offset:
        # Snapshots of records that were removed now, although they had been durable.
        opening.load_producers(producers, snapshots, segments)
    replay_producers(segments, producers)
    log_start_offset = min(max(log_start_offset, segments[0].base_offset), log_end_offset)
    _cut(epochs, log_start_offset, log_end_offset, is_empty=not any(s.size for s in segments))
    segments[-1].know_timestamps()
    log = Log(
        disk,
        directory,
        topic_partition,
        topic_id,
        config,
        segments=segments,
        epochs=epochs,
        producers=producers,
        snapshots=snapshots,
        log_start_offset=log_start_offset,
        log_end_offset=log_end_offset,
        recovery_point=log_end_offset if clean else min(recovery_point, log_end_offset),
        is_durable=clean and bool(bases),
        now_ms=now_ms,
        dice=dice,
        owner=owner,
        rules_off=rules_off,
    )
    return log, report


def _cut(epochs: LeaderEpochCache, start: int, end: int, *, is_empty: bool) -> None:
    """Keep only the epochs of the log's offsets, in the file too unless the log `is_empty`."""
    epochs.truncate_from_start(start)
    epochs.truncate_from_end(end)
    # The next records may be of an earlier epoch: the file must not keep later ones. An empty log's
    # first batch writes the file anyway, and writing it here takes ext4 some 8 ms for each log.
    if not is_empty:
        epochs.save()


class _Opening:
    """The state of opening one log."""

    def __init__(
        self, disk: Disk, directory: str, config: LogConfig, now_ms: int, report: RecoveryReport
    ) -> None:
        self.disk = disk
        self.directory = directory
        self.config = config
        self.now_ms = now_ms
        self.report = report

    def segment(self, base_offset: int, *, create: bool) -> Segment:
        return open_segment(
            self.disk,
            self.directory,
            base_offset,
            self.config,
            created_ms=self.now_ms,
            create=create,
        )

    def tidy(self, *, finishes_swaps: bool) -> tuple[list[int], list[int], set[int]]:
        """(base offsets of the segments, offsets of the snapshots, base offsets of the segments
        with a transaction index); removes leftovers."""
        if not self.disk.exists(self.directory):
            self.disk.make_dirs(self.directory)
            return [], [], set()
        names = self.disk.list_dir(self.directory)
        if any(name.endswith((swap.CLEANED, swap.SWAP)) for name in names):
            for words in swap.recover(self.disk, self.directory, finishes=finishes_swaps):
                self.report.say(words)
            names = self.disk.list_dir(self.directory)
        bases: list[int] = []
        snapshots: list[int] = []
        indexes: list[tuple[int, str]] = []
        for name in names:
            if name.endswith(_LEFTOVERS):
                self.disk.remove(f"{self.directory}/{name}")
                continue
            matched = _NAME.fullmatch(name)
            if matched is None:
                continue
            offset, suffix = int(matched[1]), matched[2]
            if suffix == ".log":
                bases.append(offset)
            elif suffix == SNAPSHOT_SUFFIX:
                snapshots.append(offset)
            elif suffix in (".index", ".timeindex", ".txnindex"):
                indexes.append((offset, name))
        for offset, name in indexes:
            if offset not in bases:
                self.report.say(f"removed {name}, which has no log file")
                self.disk.remove(f"{self.directory}/{name}")
        return bases, snapshots, {offset for offset, name in indexes if name.endswith(SUFFIX)}

    def judge(
        self, segments: list[Segment], indexed: set[int], clean: bool, recovery_point: int
    ) -> tuple[bool, int]:
        """(whether the files can be trusted, the offset before which they can otherwise)."""
        if clean and segments[-1].next_offset() is None:
            self.report.say("was closed cleanly but does not end with a whole batch: it is scanned")
            clean, recovery_point = False, 0
        for segment in segments:
            if segment.base_offset in indexed:
                try:
                    segment.transaction_index.check()
                except IndexDisagrees as error:
                    self.report.say(f"a transaction index is rebuilt from the log: {error}")
                    segment.transaction_index.reset()
                    clean, recovery_point = False, min(recovery_point, segment.base_offset)
        return clean, recovery_point

    def load_epochs(self, segments: list[Segment]) -> LeaderEpochCache:
        """The leader epochs from their file, or from all batches if it is unreadable."""
        epochs = LeaderEpochCache(self.disk, self.directory)
        try:
            epochs.load()
        except CheckpointCorrupt as error:
            self.report.say(f"leader epochs are rebuilt from the log: {error}")
            for segment in segments:
                for _, header in segment.headers():
                    if header.leader_epoch > epochs.latest:
                        epochs.assign(header.leader_epoch, header.base_offset)
            epochs.save()
        return epochs

    def load_producers(
        self, producers: ProducerState, snapshots: ProducerSnapshots, segments: list[Segment]
    ) -> None:
        """The producers of the newest readable snapshot."""
        for words in snapshots.load_latest(producers, segments[0].base_offset):
            self.report.say(words)

    def recover(
        self,
        segments: list[Segment],
        epochs: LeaderEpochCache,
        producers: ProducerState,
        recovery_point: int,
        cleaned_to: int,
    ) -> None:
        """Scan the segments that may be damaged, and end the log at the first damaged batch.

        The scan also adds the batches to epochs and producers.
        """
        ends = [segment.base_offset for segment in segments[1:]] + [None]
        for slot, (segment, end) in enumerate(zip(segments, ends, strict=True)):
            if end is not None and end <= recovery_point and segment.next_offset() is not None:
                continue
            # The epoch file and the log reach the disk independently; only the batches are
            # reliable.
            epochs.truncate_from_end(segment.base_offset)
            replay_producers(segments[:slot], producers)
            valid, next_offset = self._scan(segment, epochs, producers)
            was_cleaned = end is not None and end <= cleaned_to and valid == segment.size
            if end is not None and (next_offset == end or was_cleaned):
                # A cleaned segment may end before the next one begins.
                self._trim(segment, valid)
            elif valid < segment.size or end is not None:
                self._cut(segments, slot, valid)
                segment.transaction_index.truncate_to(next_offset)
                break

    def _scan(
        self, segment: Segment, epochs: LeaderEpochCache, producers: ProducerState
    ) -> tuple[int, int]:
        """Check every batch and rebuild the indexes; return the end of the valid batches."""
        segment.offset_index.reset()
        segment.time_index.reset()
        # Before that, the entries of the transaction index are durable, like the producers'
        # snapshot.
        segment.transaction_index.truncate_to(producers.end_offset)
        segment.timestamps_known = True
        segment.was_cut = True  # It is unknown whether a cut by others is durable.
        valid, expected, epoch = 0, segment.base_offset, NO_EPOCH
        for position, header, is_intact in segment.checked(0, segment.size):
            if (
                not is_intact
                or header.base_offset < expected
                or header.last_offset_delta < 0
                or header.leader_epoch < epoch
            ):
                break
            epoch = header.leader_epoch
            segment.note_batch(position, header.size, header.last_offset, header.max_timestamp)
            if header.leader_epoch > epochs.latest:
                epochs.assign(header.leader_epoch, header.base_offset)
            if header.base_offset >= producers.end_offset:
                aborted = producers.replay(header, partial(segment.batch_at, position, header))
                if aborted is not None:
                    segment.transaction_index.append(aborted)
            expected = header.next_offset
            valid = position + header.size
        self.report.scanned_bytes += valid
        segment.trust()
        return valid, expected

    def _cut(self, segments: list[Segment], slot: int, valid: int) -> None:
        """End the log at position `valid` of a segment."""
        segment, later = segments[slot], segments[slot + 1 :]
        lost = segment.size - valid
        survivor = self._find_valid_batch(segment, valid)
        is_middle = survivor is not None or any(other.size for other in later)
        total = lost + sum(other.size for other in later)
        self.report.truncated_bytes += total
        where = f"{file_name(segment.base_offset, '.log')} at position {valid}"
        if is_middle:
            self.report.corrupt_middle = True
            kept = self._keep_aside(segment, valid, later)
            self.report.say(
                f"CORRUPT MIDDLE: the batch in {where} is corrupt or missing, and valid batches "
                f"follow. The log ends before it; {total} bytes are given up and must come from "
                f"another replica. They are kept in {', '.join(kept)}"
            )
        else:
            self.report.say(f"cut a torn tail of {lost} bytes from {where}")
        for other in reversed(later):
            other.file.close()
            for path in other.mark_deleted():
                self.disk.remove(path)
        del segments[slot + 1 :]
        self._trim(segment, valid)
        self.disk.sync_dir(self.directory)

    def _trim(self, segment: Segment, valid: int) -> None:
        """Remove the bytes after the last batch, durably: batches in new files will follow it."""
        if valid < segment.size:
            segment.file.truncate(valid)
            segment.file.sync()
            segment.size = valid

    def _find_valid_batch(self, segment: Segment, position: int) -> int | None:
        """The position of an intact batch after the damaged one at `position`, or None.

        Tries every byte that could be the magic of a batch, so a wrong length hides nothing.
        """
        at = position + 1
        while at + HEADER_BYTES <= segment.size:
            data = segment.file.read(_SEARCH_BYTES, at)
            magic = data.find(bytes([MAGIC]), MAGIC_AT)
            while magic >= 0 and magic - MAGIC_AT + HEADER_BYTES <= len(data):
                header = parse_header(data, magic - MAGIC_AT)
                start = at + magic - MAGIC_AT
                if (
                    header.base_offset >= segment.base_offset
                    and header.record_count > 0
                    and header.length >= HEADER_BYTES
                    and start + header.size <= segment.size
                    and any(intact for _, _, intact in segment.checked(start, start + header.size))
                ):
                    return start
                magic = data.find(bytes([MAGIC]), magic + 1)
            at += max(1, len(data) - HEADER_BYTES + 1)
        return None

    def _keep_aside(self, segment: Segment, valid: int, later: list[Segment]) -> list[str]:
        """Copy the bytes to be removed to files that nothing else uses; return their names."""
        names = []
        for source, start in [(segment, valid), *((other, 0) for other in later)]:
            if source.size == start:
                continue
            name = f"{file_name(source.base_offset, '.log')}.{start}{CORRUPT_SUFFIX}"
            target = self.disk.open(f"{self.directory}/{name}", create=True)
            try:
                target.truncate(0)
                for at in range(start, source.size, _SEARCH_BYTES):
                    size = min(_SEARCH_BYTES, source.size - at)
                    target.write([source.file.read(size, at)], at - start)
            finally:
                target.close()
            names.append(name)
        return names
