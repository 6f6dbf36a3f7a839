"""A partition's state of one producer, and its encoding in snapshot files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from raftka.model.ids import NO_EPOCH, NO_OFFSET
from raftka.model.named_tuple import NamedTuple
from raftka.model.record_batch import advance_sequence
from raftka.storage.producer_snapshot import SnapshotEntry


class RememberedBatch(NamedTuple):
    """An appended batch: its offset and sequences."""

    last_sequence: int
    """-1 for a coordinator's batch, which has none."""
    last_offset: int
    offset_delta: int
    timestamp: int

    @property
    def base_offset(self) -> int:
        return self.last_offset - self.offset_delta


class ProducerEntry:
    """One producer: its epoch, its last batches, oldest first, and its open transaction."""

    __slots__ = ("batches", "coordinator_epoch", "epoch", "last_timestamp", "txn_first_offset")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.batches: list[RememberedBatch] = []
        self.last_timestamp = -1
        self.coordinator_epoch = NO_EPOCH
        """The coordinator epoch of the newest marker."""
        self.txn_first_offset = NO_OFFSET
        """The first offset of its open transaction; NO_OFFSET without one."""

    def repeated(self, base_sequence: int, offset_delta: int) -> RememberedBatch | None:
        """The batch with these sequences, if it is one of the last ones."""
        last_sequence = advance_sequence(base_sequence, offset_delta)
        for batch in self.batches:
            if batch.last_sequence == last_sequence and batch.offset_delta == offset_delta:
                return batch
        return None


def to_snapshot(producers: Mapping[int, ProducerEntry]) -> Iterator[SnapshotEntry]:
    """The entries of a snapshot file, for producers by their ids."""
    for producer_id, entry in producers.items():
        batches = entry.batches or [RememberedBatch(-1, NO_OFFSET, 0, entry.last_timestamp)]
        for batch in batches:
            is_newest = batch is batches[-1]
            yield SnapshotEntry(
                producer_id,
                entry.epoch,
                batch.last_sequence,
                batch.last_offset,
                batch.offset_delta,
                entry.last_timestamp if is_newest else batch.timestamp,
                entry.coordinator_epoch,
                entry.txn_first_offset,
            )


def from_snapshot(entries: Iterable[SnapshotEntry], remembered: int) -> dict[int, ProducerEntry]:
    """The producers of a snapshot file, each with its last `remembered` batches."""
    producers: dict[int, ProducerEntry] = {}
    for found in entries:
        entry = producers.get(found.producer_id)
        if entry is None or entry.epoch != found.producer_epoch:
            entry = producers[found.producer_id] = ProducerEntry(found.producer_epoch)
        entry.last_timestamp = found.timestamp
        entry.coordinator_epoch = found.coordinator_epoch
        entry.txn_first_offset = found.current_txn_first_offset
        if found.last_offset >= 0:
            entry.batches.append(
                RememberedBatch(
                    found.last_sequence, found.last_offset, found.offset_delta, found.timestamp
                )
            )
            del entry.batches[:-remembered]
    return producers
