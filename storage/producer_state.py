"""What a partition remembers of its idempotent producers, so that a retry is stored only once.

A producer numbers its records per partition. The log remembers each producer's last five batches:
that many may be in flight at once, so a repeated batch is one of them. Source: KIP-98, KIP-360.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH, NO_OFFSET
from raftka.model.ports import Buffer
from raftka.model.record_batch import CONTROL_BIT, TRANSACTIONAL_BIT, BatchHeader, advance_sequence
from raftka.model.records import iter_records
from raftka.storage.producer_snapshot import SnapshotEntry

REMEMBERED_BATCHES: Final = 5
"""max.in.flight.requests.per.connection may not be larger with idempotence."""

_END_MARKER: Final = struct.Struct(">hi")
"""An end marker's value: version, coordinator epoch."""

EXPIRATION_MS: Final = 24 * 3600 * 1000
"""Default of producer.id.expiration.ms."""


class RememberedBatch(NamedTuple):
    """A batch that was appended: where, and which sequences it carried."""

    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int

    @property
    def base_offset(self) -> int:
        return self.last_offset - self.offset_delta


class ProducerEntry:
    """One producer: its epoch and its last batches, oldest first."""

    __slots__ = ("batches", "coordinator_epoch", "epoch", "last_timestamp", "txn_first_offset")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.batches: list[RememberedBatch] = []
        self.last_timestamp = -1
        self.coordinator_epoch = NO_EPOCH
        self.txn_first_offset = NO_OFFSET


def _old_epoch(producer_id: int, epoch: int, last: int, where: object) -> KafkaError:
    return KafkaError(
        ErrorCode.INVALID_PRODUCER_EPOCH,
        f"Epoch of producer {producer_id} in {where} is {epoch}, which is smaller than the last "
        f"seen epoch {last}",
    )


class ProducerState:
    """All producers of one partition.

    `remembered` is how many batches are kept of each; only a simulation that wants to see the
    duplicates passes another number.
    """

    __slots__ = ("_remembered", "end_offset", "producers")

    def __init__(self, remembered: int = REMEMBERED_BATCHES) -> None:
        self.producers: dict[int, ProducerEntry] = {}
        self.end_offset = 0
        """The state is that of all batches before this offset."""
        self._remembered = remembered

    def check(
        self, producer_id: int, epoch: int, base_sequence: int, offset_delta: int, where: object
    ) -> RememberedBatch | None:
        """Whether a client's batch may be appended; the earlier one when it is a repetition.

        `where` names the partition for people. Raises KafkaError: INVALID_PRODUCER_EPOCH for a
        producer that was replaced, OUT_OF_ORDER_SEQUENCE_NUMBER for a gap.
        """
        entry = self.producers.get(producer_id)
        if entry is None:
            if epoch < NO_EPOCH:
                raise _old_epoch(producer_id, epoch, NO_EPOCH, where)
            return None
        if epoch != entry.epoch:
            self._check_new_epoch(entry, producer_id, epoch, base_sequence, where)
            return None
        newest = entry.batches[-1].last_sequence if entry.batches else -1
        if base_sequence == advance_sequence(newest, 1):
            return None
        last_sequence = advance_sequence(base_sequence, offset_delta)
        for batch in entry.batches:
            if batch.last_sequence == last_sequence and batch.offset_delta == offset_delta:
                return batch
        raise KafkaError(
            ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
            f"Out of order sequence number for producer {producer_id} in partition {where}: "
            f"{base_sequence} (incoming seq. number), {newest} (current end sequence number)",
        )

    @staticmethod
    def _check_new_epoch(
        entry: ProducerEntry, producer_id: int, epoch: int, base_sequence: int, where: object
    ) -> None:
        if epoch < entry.epoch:
            raise _old_epoch(producer_id, epoch, entry.epoch, where)
        if base_sequence != 0 and entry.epoch != NO_EPOCH:
            raise KafkaError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Invalid sequence number for new epoch of producer {producer_id} in partition "
                f"{where}: {epoch} (request epoch), {base_sequence} (seq. number), "
                f"{entry.epoch} (current producer epoch)",
            )

    def appended(
        self,
        producer_id: int,
        epoch: int,
        base_sequence: int,
        offset_delta: int,
        last_offset: int,
        timestamp: int,
        attributes: int,
    ) -> None:
        """Note a batch that is in the log now, with its place."""
        entry = self.producers.get(producer_id)
        if entry is None:
            entry = self.producers[producer_id] = ProducerEntry(epoch)
        elif entry.epoch != epoch:
            entry.epoch = epoch
            entry.batches.clear()
        entry.last_timestamp = timestamp
        last_sequence = advance_sequence(base_sequence, offset_delta)
        batches = entry.batches
        batches.append(RememberedBatch(last_sequence, last_offset, offset_delta, timestamp))
        if len(batches) > self._remembered:
            del batches[0]
        if attributes & TRANSACTIONAL_BIT and entry.txn_first_offset < 0:
            entry.txn_first_offset = last_offset - offset_delta

    def replay(self, header: BatchHeader, read: Callable[[], Buffer]) -> None:
        """Note a batch that a leader accepted; `read` gives its bytes if they are needed."""
        if header.producer_id < 0:
            pass  # Nobody's sequence; only the end moves.
        elif header.attributes & CONTROL_BIT:
            self._transaction_ended(header, read())
        else:
            self.appended(
                header.producer_id,
                header.producer_epoch,
                header.base_sequence,
                header.last_offset_delta,
                header.last_offset,
                header.max_timestamp,
                header.attributes,
            )
        self.end_offset = header.next_offset

    def _transaction_ended(self, header: BatchHeader, batch: Buffer) -> None:
        """Note an end marker: it has no sequence, and may raise the producer's epoch (KIP-890)."""
        entry = self.producers.get(header.producer_id)
        if entry is None:
            entry = self.producers[header.producer_id] = ProducerEntry(header.producer_epoch)
        elif entry.epoch != header.producer_epoch:
            entry.epoch = header.producer_epoch
            entry.batches.clear()
        entry.last_timestamp = header.max_timestamp
        entry.txn_first_offset = NO_OFFSET
        for record in iter_records(batch):
            if record.value is not None and len(record.value) >= _END_MARKER.size:
                entry.coordinator_epoch = _END_MARKER.unpack_from(record.value)[1]

    def expire(self, now_ms: int, expiration_ms: int = EXPIRATION_MS) -> int:
        """Forget producers that were silent for long and have no transaction open; how many."""
        expired = [
            producer_id
            for producer_id, entry in self.producers.items()
            if entry.txn_first_offset < 0 and now_ms - entry.last_timestamp >= expiration_ms
        ]
        for producer_id in expired:
            del self.producers[producer_id]
        return len(expired)

    def clear(self, end_offset: int) -> None:
        """Know nothing, as of a log that begins at `end_offset`."""
        self.producers.clear()
        self.end_offset = end_offset

    def to_entries(self) -> Iterator[SnapshotEntry]:
        """What a snapshot file holds."""
        for producer_id, entry in self.producers.items():
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

    def from_entries(self, entries: Iterable[SnapshotEntry], end_offset: int) -> None:
        """Become the state of a snapshot taken at `end_offset`."""
        self.clear(end_offset)
        for found in entries:
            entry = self.producers.get(found.producer_id)
            if entry is None or entry.epoch != found.producer_epoch:
                entry = self.producers[found.producer_id] = ProducerEntry(found.producer_epoch)
            entry.last_timestamp = found.timestamp
            entry.coordinator_epoch = found.coordinator_epoch
            entry.txn_first_offset = found.current_txn_first_offset
            if found.last_offset >= 0:
                entry.batches.append(
                    RememberedBatch(
                        found.last_sequence,
                        found.last_offset,
                        found.offset_delta,
                        found.timestamp,
                    )
                )
                del entry.batches[: -self._remembered]
