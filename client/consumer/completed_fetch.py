"""Records of a fetch response, decoded as they are taken. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from raftka.client.consumer.state import ConsumerRecord, Position
from raftka.model.ids import TopicPartition
from raftka.model.ports import Buffer
from raftka.model.records import BatchHeader, iter_batches, iter_fields, iter_records, validate

_ABORT = 0


class Aborted(NamedTuple):
    """An aborted transaction, whose records a read_committed consumer does not see."""

    producer_id: int
    first_offset: int


class CompletedFetch:
    """The response for one partition, read from `start` on."""

    def __init__(
        self,
        target: TopicPartition,
        records: Buffer,
        start: Position,
        *,
        check_crcs: bool,
        aborted: Sequence[Aborted] | None,
    ) -> None:
        """`aborted`: None to see all records, also of open and aborted transactions."""
        self.target = target
        self.position = start
        """The next offset to read, after taken records and those that the caller must not see."""
        self.size = len(records)
        self._check_crcs = check_crcs
        self._committed_only = aborted is not None
        self._aborted = sorted(aborted or (), key=lambda item: item.first_offset, reverse=True)
        self._aborting: set[int] = set()
        self._records = self._read(records)
        self.exhausted = False

    def take(self, limit: int | None = None) -> list[ConsumerRecord]:
        """Up to `limit` records, without one all; moves `position`. Raises KafkaError for corrupt
        bytes."""
        taken = list(islice(self._records, limit))
        self.exhausted = limit is None or len(taken) < limit
        if taken and not self.exhausted:
            self.position = Position(taken[-1].offset + 1, taken[-1].leader_epoch)
        return taken

    def _read(self, records: Buffer) -> Iterator[ConsumerRecord]:
        topic, partition = self.target
        make = ConsumerRecord._make
        start = self.position.offset
        end = self.position
        for header, batch in iter_batches(records):
            if header.last_offset < start:
                continue
            if self._check_crcs:
                validate(batch)
            if self._visible(header, batch):
                kind = header.timestamp_type
                epoch = header.leader_epoch
                for offset, time_ms, key, value, headers in iter_fields(batch):
                    if offset >= start:
                        yield make(
                            (topic, partition, offset, time_ms, key, value, headers, kind, epoch)
                        )
            # Compaction leaves gaps at the end of a batch; markers are not for the caller.
            end = Position(header.next_offset, header.leader_epoch)
        self.position = end

    def _visible(self, header: BatchHeader, batch: memoryview) -> bool:
        if self._committed_only and header.is_transactional:
            while self._aborted and self._aborted[-1].first_offset <= header.last_offset:
                self._aborting.add(self._aborted.pop().producer_id)
            if header.is_control:
                self._end_transaction(header, batch)
            elif header.producer_id in self._aborting:
                return False
        return not header.is_control

    def _end_transaction(self, header: BatchHeader, batch: memoryview) -> None:
        for record in iter_records(batch):
            # A marker's key: version and type, both int16; type 0 aborts (KIP-98).
            key = record.key or b""
            if len(key) >= 4 and int.from_bytes(key[2:4], "big") == _ABORT:
                self._aborting.discard(header.producer_id)
