"""A compacted log equals the last value of every key, on each replica and as a consumer reads it.

The appends give a log's full history (observers/origins.py); the cleaned file gives what is left of
it. A missing record needs a reason: a later, committed record with the same key; or, for a
tombstone, a stored delete horizon that has passed on the broker's clock (KIP-534). Each record that
is left is as it was written, at its offset. The last batch of every producer is kept, even if
empty: its sequence is still needed.

Sources: Kafka's documentation, "Log Compaction"; KIP-58, KIP-534, KIP-98.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from raftka.model.errors import KafkaError
from raftka.simulations.checkers.answers import AnswerChecker
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.machines.machine import DATA
from raftka.simulations.machines.medium import Inode
from raftka.simulations.observers.batch_contents import Entry, entries
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.origins import Origin
from raftka.simulations.observers.partition_log import (
    Batch,
    Key,
    PartitionLogs,
    ReplicaMirror,
    SegmentMirror,
)
from raftka.simulations.violation import About, Report

_CHECKPOINT: Final = f"{DATA}/cleaner-offset-checkpoint"
_PRODUCER_EXPIRATION_MS: Final = 86_400_000


class CompactionChecker:
    """Checks each cleaned segment, and compacted logs as a whole."""

    def __init__(
        self,
        metadata: ObservedMetadata,
        logs: PartitionLogs,
        answers: AnswerChecker,
        report: Report,
        *,
        note: Callable[[str], None],
        highest_wall_ms: Callable[[str], int],
        may_begin_at: Callable[[Key], int],
        is_excused: Callable[[Key, str], bool],
    ) -> None:
        """`note` takes rare situations, `highest_wall_ms` is the latest time that a host's clock
        ever showed, `may_begin_at` the offset up to which records were deleted on purpose.
        `is_excused`: whether a host's replica may lack records after what its disks lost.
        """
        self.looks = Looks()
        self._metadata = metadata
        self._logs = logs
        self._answers = answers
        self._report = report
        self._note = note
        self._highest_wall_ms = highest_wall_ms
        self._may_begin_at = may_begin_at
        self._is_excused = is_excused
        logs.compacts = self.compacts
        logs.on_cleaned = self._cleaned
        logs.on_append.append(self._appended)

    def compacts(self, topic: str) -> bool:
        """Whether a topic is compacted."""
        return "compact" in self._metadata.image.topic_config(topic).get("cleanup.policy", "")

    # A leader's appends.

    def _appended(self, replica: ReplicaMirror, batches: list[Batch]) -> None:
        """No record without a key is appended to a compacted log."""
        origins = self._logs.origins.get(replica.key)
        for batch in batches if origins is not None else ():
            self.looks("key-missing")
            origin = origins.of(batch) if origins is not None else None
            if origin is None or batch.is_control:
                continue
            for entry in origin.entries:
                if entry.key is None:
                    self._report(
                        "key-missing",
                        f"{replica.host} stores a record without a key at offset {entry.offset} of"
                        f" {replica.name}, which is compacted: no cleaning could keep it",
                        about=About(replica.key, entry.offset, node=replica.host),
                    )
                    return

    # A cleaning.

    def _cleaned(
        self, replica: ReplicaMirror, segment: SegmentMirror, replaced: Sequence[SegmentMirror]
    ) -> None:
        """A cleaned segment has replaced others."""
        self._note("segment cleaned")
        if self._is_excused(replica.key, replica.host):
            return
        self.looks(
            "cleaned-too-early",
            "last-value-removed",
            "producer-forgotten",
            "record-changed-by-cleaning",
            "record-moved-by-cleaning",
            "tombstone-gone-early",
        )
        whole = replica.stands_for()
        later = _Later(whole)
        kept = {batch.base_offset: batch for batch in segment.batches}
        left = {
            entry.offset: entry
            for batch in segment.batches
            for entry in _entries(segment.content(batch))
        }
        superseded_by = -1
        for old in replaced:
            for batch in old.batches:
                self._check_place(replica, batch, kept.pop(batch.base_offset, None))
                for entry in _entries(old.content(batch)):
                    found = left.pop(entry.offset, None)
                    if found is not None:
                        self._check_same(replica, entry, found)
                    elif not batch.is_control:
                        successor = self._check_removed(replica, batch, entry, later)
                        superseded_by = max(superseded_by, successor)
        for offset in (*kept, *left):
            self._report(
                "record-moved-by-cleaning",
                f"{replica.host} puts a cleaned segment into {replica.name} that has something at"
                f" offset {offset}, where its log had nothing of the kind",
                about=About(replica.key, offset, node=replica.host),
            )
        self._check_producers(replica, whole, replaced, segment)
        self._check_committed(replica, superseded_by)

    def _check_place(self, replica: ReplicaMirror, batch: Batch, found: Batch | None) -> None:
        """A batch keeps its offsets and epoch, however few of its records are left."""
        if found is not None and found[1:4] != batch[1:4]:
            self._report(
                "record-moved-by-cleaning",
                f"{replica.host} puts a cleaned segment into {replica.name} with the batch of"
                f" {found.base_offset} to {found.last_offset}, epoch {found.epoch}, which was one"
                f" of {batch.base_offset} to {batch.last_offset}, epoch {batch.epoch}",
                about=About(replica.key, batch.base_offset, node=replica.host),
            )

    def _check_same(self, replica: ReplicaMirror, entry: Entry, found: Entry) -> None:
        if found != entry:
            self._report(
                "record-changed-by-cleaning",
                f"{replica.host} has cleaned {replica.name}, and the record at offset"
                f" {entry.offset} is {found} now; it was {entry}",
                about=About(replica.key, entry.offset, node=replica.host),
            )

    def _check_removed(
        self, replica: ReplicaMirror, batch: Batch, entry: Entry, later: _Later
    ) -> int:
        """Why a record may be gone, and the offset of the record that replaced it, or -1."""
        if entry.offset < self._may_begin_at(replica.key) or entry.key is None:
            return -1
        if entry.offset in later.void:
            return -1
        horizon, now_ms = batch.delete_horizon_ms, self._highest_wall_ms(replica.host)
        if entry.value is None and horizon is not None and horizon <= now_ms:
            self._note("tombstone removed")
            return -1
        self._check_age(replica, batch, entry)
        successor = later.of(entry)
        if successor >= 0:
            return successor
        about = About(replica.key, entry.offset, node=replica.host)
        if entry.value is not None:
            self._report(
                "last-value-removed",
                f"{replica.host} has cleaned {replica.name} and removed the record at offset"
                f" {entry.offset}, the last one of key {entry.key!r}",
                about=about,
            )
            return -1
        when = "was never cleaned before" if horizon is None else f"had to stay until {horizon}"
        self._report(
            "tombstone-gone-early",
            f"{replica.host} has cleaned {replica.name} and removed the tombstone of key"
            f" {entry.key!r} at offset {entry.offset}, which {when} (its clock has shown {now_ms}"
            " ms at most): a slow reader never learns of the deletion",
            about=about,
        )
        return -1

    def _check_age(self, replica: ReplicaMirror, batch: Batch, entry: Entry) -> None:
        config = self._metadata.image.topic_config(replica.key[0])
        lag_ms = int(config.get("min.compaction.lag.ms", "0"))
        now_ms = self._highest_wall_ms(replica.host)
        if lag_ms and batch.max_timestamp > now_ms - lag_ms:
            self._report(
                "cleaned-too-early",
                f"{replica.host} has cleaned {replica.name} and removed the record at offset"
                f" {entry.offset}, {now_ms - batch.max_timestamp} ms old by its clock at most;"
                f" min.compaction.lag.ms is {lag_ms}",
                about=About(replica.key, entry.offset, node=replica.host),
            )

    def _check_committed(self, replica: ReplicaMirror, superseded_by: int) -> None:
        """A record that replaced another is committed: a truncation must not remove it."""
        partition = self._metadata.image.partition(*replica.key)
        if partition is not None and superseded_by >= 0:
            what = f"has removed records of {replica.name} because of one at {superseded_by}"
            self._answers.check_committed(
                replica.key, partition, replica.host, superseded_by + 1, what
            )

    def _check_producers(
        self,
        replica: ReplicaMirror,
        whole: Iterable[Origin],
        replaced: Iterable[SegmentMirror],
        segment: SegmentMirror,
    ) -> None:
        """Each producer's last batch keeps its header, unless the producer was silent for a day."""
        gone = {batch.base_offset for old in replaced for batch in old.batches}
        gone -= {batch.base_offset for batch in segment.batches}
        seen: set[int] = set()
        epochs: dict[int, int] = {}
        for origin in whole:
            batch = origin.batch
            if batch.is_control:
                epochs.setdefault(batch.producer_id, batch.producer_epoch)
            if batch.producer_id < 0 or batch.is_control or batch.producer_id in seen:
                continue
            seen.add(batch.producer_id)
            if batch.producer_epoch < epochs.get(batch.producer_id, -1):
                continue  # A marker has begun another epoch: its sequences begin again.
            silent_ms = self._highest_wall_ms(replica.host) - batch.max_timestamp
            if batch.base_offset not in gone:
                continue
            if silent_ms >= _PRODUCER_EXPIRATION_MS:
                continue
            if batch.base_offset >= self._may_begin_at(replica.key):
                self._report(
                    "producer-forgotten",
                    f"{replica.host} has cleaned {replica.name} and removed the batch at offset"
                    f" {batch.base_offset}, the last one of producer {batch.producer_id}: after a"
                    " crash no broker would know its sequence",
                    about=About(replica.key, batch.base_offset, node=replica.host),
                )

    # Whole logs.

    def check_replica(self, replica: ReplicaMirror, files: Mapping[str, Inode]) -> None:
        """A replica whose broker has recovered holds the last value of every key."""
        key, start = replica.key, self._may_begin_at(replica.key)
        if key not in self._logs.origins or self._is_excused(key, replica.host):
            return
        self.looks("cleaned-section-has-a-key-twice", "compacted-log-differs")
        held: dict[bytes, list[Entry]] = {}
        later = _Later(replica.stands_for())
        for batch, data in replica.contents():
            for entry in () if batch.is_control else _entries(data):
                if entry.key is not None and entry.offset not in later.void:
                    held.setdefault(entry.key, []).append(entry)
        for last in later.last.values():
            found = held.get(last.key or b"", [])
            if last.offset < start or (found and found[-1].offset == last.offset):
                continue
            # A follower that was away for longer than delete.retention.ms copies a log without the
            # tombstone, as in Apache Kafka.
            is_right = last.value is None and (not found or last.offset in replica.never_had)
            if not is_right and (last.value is not None or found[-1].offset >= start):
                self._report(
                    "compacted-log-differs",
                    f"{replica.host}'s log of {replica.name} has {_words(found)} for key"
                    f" {last.key!r}, whose last record is the one at offset {last.offset},"
                    f" {_value(last)}",
                    about=About(key, last.offset, node=replica.host),
                )
        self._check_clean_section(replica, held, _cleaned_to(files).get(key, 0))

    def _check_clean_section(
        self, replica: ReplicaMirror, held: Mapping[bytes, list[Entry]], cleaned_to: int
    ) -> None:
        """Below the cleaner's checkpoint, each key occurs once."""
        start = self._may_begin_at(replica.key)
        for key, all_found in held.items():
            found = [entry for entry in all_found if entry.offset >= start]
            if len(found) > 1 and found[1].offset < cleaned_to:
                self._report(
                    "cleaned-section-has-a-key-twice",
                    f"{replica.host} says that {replica.name} is clean up to {cleaned_to}, and key"
                    f" {key!r} is at {found[0].offset} and at {found[1].offset}",
                    about=About(replica.key, found[0].offset, node=replica.host),
                )
                return

    # Readers.

    def may_be_gone(self, key: Key, offset: int) -> bool:
        """Whether a cleaning may have removed the record at an offset."""
        origins = self._logs.origins.get(key)
        return origins is not None and origins.may_be_gone(offset)

    def read(self, key: Key, host: str, offsets: set[int], end: int) -> None:
        """A reader has found these offsets of a whole compacted partition, up to its `end`."""
        replica = self._logs.replica(host, key)
        if replica is None or key not in self._logs.origins or self._is_excused(key, host):
            return
        self.looks("compacted-topic-differs")
        start = self._may_begin_at(key)
        whole = [each for each in replica.stands_for() if each.batch.last_offset < end]
        for last in _Later(whole).last.values():
            if last.value is not None and last.offset >= start and last.offset not in offsets:
                self._report(
                    "compacted-topic-differs",
                    f"a reader of all of {replica.name} does not find the record at offset"
                    f" {last.offset}, the last one of key {last.key!r}",
                    about=About(key, last.offset, node=host),
                )
                return


class _Later:
    """For each record of a log's history, the next one with the same key."""

    def __init__(self, origins: Iterable[Origin]) -> None:
        """The last batch first."""
        self.last: dict[bytes, Entry] = {}
        """The last record of each key; records of open or aborted transactions do not count."""
        self.void: set[int] = set()
        """The offsets of records of open or aborted transactions."""
        self._next: dict[int, int] = {}
        newer: dict[bytes, int] = {}
        commits: dict[int, bool] = {}
        for origin in origins:
            batch = origin.batch
            if batch.marker is not None:
                commits[batch.producer_id] = batch.marker.commits
            if batch.is_control:
                continue
            if batch.is_transactional and not commits.get(batch.producer_id, False):
                self.void.update(entry.offset for entry in origin.entries)
                continue
            for entry in reversed(origin.entries):
                if entry.key is None:
                    continue
                self.last.setdefault(entry.key, entry)
                self._next[entry.offset] = newer.get(entry.key, -1)
                newer[entry.key] = entry.offset

    def of(self, entry: Entry) -> int:
        """The offset of the next record with the same key, or -1."""
        return self._next.get(entry.offset, -1)


def _entries(data: bytes) -> list[Entry]:
    """The records of a batch; none of a batch that the disk damaged, which other checkers
    report.
    """
    try:
        return list(entries(data))
    except (IndexError, KafkaError):
        return []


def _cleaned_to(files: Mapping[str, Inode]) -> dict[Key, int]:
    """The offset up to which each log is clean, by the cleaner's checkpoint."""
    inode = files.get(_CHECKPOINT)
    lines = bytes(inode.data).decode("ascii").split("\n")[2:-1] if inode is not None else []
    fields = [line.split() for line in lines if line]
    return {(topic, int(index)): int(offset) for topic, index, offset in fields}


def _words(found: list[Entry]) -> str:
    return f"a record at offset {found[-1].offset}" if found else "no record"


def _value(entry: Entry) -> str:
    return "a tombstone" if entry.value is None else "which has a value"
