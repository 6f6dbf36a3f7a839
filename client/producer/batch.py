"""Records for one partition that are sent together, and the result of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from raftka.model.ids import NO_PRODUCER_ID, NO_TIMESTAMP, TopicPartition
from raftka.model.records import Header, Record, encode_batch
from raftka.net.futures import Future

BATCH_OVERHEAD = 61
"""Bytes of a batch's header (record batch v2)."""

_RECORD_OVERHEAD = 21
"""The most that a record's own lengths, deltas and attributes take beside key, value, headers."""

_HEADER_OVERHEAD = 10


class RecordMetadata(NamedTuple):
    """The place of a record. Without an acknowledgement (acks=0) the offset is -1."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Identity(NamedTuple):
    """A producer id and epoch (KIP-98)."""

    producer_id: int = NO_PRODUCER_ID
    epoch: int = -1


NO_IDENTITY = Identity()


def record_size(key: bytes | None, value: bytes | None, headers: Iterable[Header]) -> int:
    """An upper bound of the bytes that a record takes in a batch, uncompressed."""
    size = _RECORD_OVERHEAD + (len(key) if key else 0) + (len(value) if value else 0)
    for name, content in headers:
        size += _HEADER_OVERHEAD + len(name.encode()) + (len(content) if content else 0)
    return size


class Batch:
    """Grows until it is closed; then its bytes and its sequence number stay the same."""

    __slots__ = (
        "_encoded",
        "attempts",
        "base_sequence",
        "closed",
        "created",
        "done",
        "futures",
        "identity",
        "not_before",
        "place",
        "records",
        "size",
        "target",
    )

    def __init__(self, target: TopicPartition, created: float) -> None:
        self.target = target
        self.created = created
        """When the first record came, in seconds of the monotonic clock."""
        self.size = BATCH_OVERHEAD
        self.records: list[Record] = []
        self.futures: list[Future[RecordMetadata]] = []
        self.done: Future[None] = Future()
        self.closed = False
        self.attempts = 0
        self.not_before = 0.0
        self.identity = NO_IDENTITY
        self.base_sequence = -1
        self.place: tuple[int, ...] = ()
        """Its place among its partition's batches, once it was sent; halves of one share theirs."""
        self._encoded: bytes | None = None

    def __len__(self) -> int:
        return len(self.records)

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header],
        timestamp_ms: int,
        size: int,
    ) -> Future[RecordMetadata]:
        future: Future[RecordMetadata] = Future()
        self.records.append(Record(len(self.records), timestamp_ms, key, value, headers))
        self.futures.append(future)
        self.size += size
        return future

    def number(self, identity: Identity, base_sequence: int) -> None:
        """Give the batch its sequence number."""
        self.identity = identity
        self.base_sequence = base_sequence
        self._encoded = None

    def encode(self, compression: str, *, is_transactional: bool = False) -> bytes:
        """The batch's bytes; the same ones for each attempt under one identity."""
        self.closed = True
        if self._encoded is None:
            self._encoded = encode_batch(
                self.records,
                compression=compression,
                producer_id=self.identity.producer_id,
                producer_epoch=self.identity.epoch,
                base_sequence=self.base_sequence,
                is_transactional=is_transactional,
            )
        return self._encoded

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches of half the records each, with the sequence numbers of their records."""
        middle = len(self.records) // 2
        first, second = Batch(self.target, self.created), Batch(self.target, self.created)
        for half, start, stop in ((first, 0, middle), (second, middle, len(self.records))):
            half.closed = True
            half.place = (*self.place, start)
            half.attempts = self.attempts
            half.records = [
                Record(index, record.timestamp, record.key, record.value, record.headers)
                for index, record in enumerate(self.records[start:stop])
            ]
            half.futures = self.futures[start:stop]
            half.size = BATCH_OVERHEAD + sum(
                record_size(record.key, record.value, record.headers) for record in half.records
            )
            if self.base_sequence >= 0:
                half.number(self.identity, next_sequence(self.base_sequence, start))
        return first, second

    def succeed(self, base_offset: int, log_append_time_ms: int) -> None:
        """Give each caller its offset; -1 when the broker no longer knows it."""
        topic, partition = self.target
        for index, (record, future) in enumerate(zip(self.records, self.futures, strict=True)):
            offset = base_offset + index if base_offset >= 0 else -1
            time_ms = record.timestamp if log_append_time_ms == NO_TIMESTAMP else log_append_time_ms
            future.set_result(RecordMetadata(topic, partition, offset, time_ms))
        self.done.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Fail all deliveries of the batch."""
        for future in self.futures:
            future.set_error(error)
        self.done.set_result(None)


def next_sequence(sequence: int, count: int) -> int:
    """The sequence number after `count` records; they wrap to 0 after 2^31 - 1."""
    return (sequence + count) & 0x7FFFFFFF
