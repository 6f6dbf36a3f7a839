"""Records for one partition that are sent together, and the result of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from raftka.client.producer.delivery import Delivery, RecordMetadata, Watch
from raftka.client.producer.record_bytes import record_bytes
from raftka.model.ids import NO_PRODUCER_ID, NO_TIMESTAMP, TopicPartition
from raftka.model.records import Header, iter_records, wrap_records
from raftka.net.futures import Future

BATCH_OVERHEAD = 61
"""Bytes of a batch's header (record batch v2)."""

_RECORD_OVERHEAD = 21
"""The most bytes of a record's lengths, deltas and attributes, besides key, value and headers."""

_HEADER_OVERHEAD = 10


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
    """Grows until it is closed; then its bytes and its sequence number stay, whatever happens.

    Records are encoded as they come. They share one outcome (`Delivery`).
    """

    __slots__ = (
        "_base_offset",
        "_base_timestamp",
        "_body",
        "_deliveries",
        "_encoded",
        "_log_append_time_ms",
        "_max_timestamp",
        "_watched",
        "attempts",
        "base_sequence",
        "closed",
        "created",
        "done",
        "error",
        "identity",
        "is_answered",
        "not_before",
        "place",
        "size",
        "target",
    )

    def __init__(self, target: TopicPartition, created: float) -> None:
        self.target = target
        self.created = created
        """When the first record came, in seconds of the monotonic clock."""
        self.size = BATCH_OVERHEAD
        self.done: Future[None] = Future()
        self.is_answered = False
        self.error: BaseException | None = None
        """The error that its records failed with, if any."""
        self.closed = False
        self.attempts = 0
        self.not_before = 0.0
        self.identity = NO_IDENTITY
        self.base_sequence = -1
        self.place: tuple[int, ...] = ()
        """Its place among its partition's batches, once it was sent; halves of one share theirs."""
        self._body = bytearray()
        self._base_timestamp = self._max_timestamp = NO_TIMESTAMP
        self._deliveries: list[Delivery] = []
        self._watched: dict[Delivery, Watch] = {}
        self._base_offset = -1
        self._log_append_time_ms = NO_TIMESTAMP
        self._encoded: bytes | None = None

    def __len__(self) -> int:
        """The number of its records, until it is answered."""
        return len(self._deliveries)

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header],
        timestamp_ms: int,
        size: int,
    ) -> Delivery:
        index = len(self._deliveries)
        if not index:
            self._base_timestamp = self._max_timestamp = timestamp_ms
        elif timestamp_ms > self._max_timestamp:
            self._max_timestamp = timestamp_ms
        time_delta = timestamp_ms - self._base_timestamp
        self._body += record_bytes(index, time_delta, key, value, headers)
        delivery = Delivery(self, index, timestamp_ms)
        self._deliveries.append(delivery)
        self.size += size
        return delivery

    def number(self, identity: Identity, base_sequence: int) -> None:
        """Give the batch its place in the order of its producer and partition."""
        self.identity = identity
        self.base_sequence = base_sequence
        self._encoded = None

    def encode(self, compression: str, *, is_transactional: bool = False) -> bytes:
        """The batch's bytes; the same ones for each attempt under one identity."""
        self.closed = True
        if self._encoded is None:
            self._encoded = wrap_records(
                bytes(self._body),
                len(self),
                self._base_timestamp,
                self._max_timestamp,
                compression=compression,
                producer_id=self.identity.producer_id,
                producer_epoch=self.identity.epoch,
                base_sequence=self.base_sequence,
                is_transactional=is_transactional,
            )
        return self._encoded

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches of half the records each, with the sequence numbers that theirs had."""
        whole = wrap_records(
            bytes(self._body), len(self), self._base_timestamp, self._max_timestamp
        )
        records = list(iter_records(whole))
        middle = len(records) // 2
        first, second = Batch(self.target, self.created), Batch(self.target, self.created)
        for half, start, stop in ((first, 0, middle), (second, middle, len(records))):
            half.closed = True
            half.place = (*self.place, start)
            half.attempts = self.attempts
            for record in records[start:stop]:
                size = record_size(record.key, record.value, record.headers)
                half.append(record.key, record.value, record.headers, record.timestamp, size)
            half._adopt(self, start, stop)
            if self.base_sequence >= 0:
                half.number(self.identity, next_sequence(self.base_sequence, start))
        return first, second

    def _adopt(self, whole: Batch, start: int, stop: int) -> None:
        """Answer the callers who hold deliveries of `whole`."""
        self._deliveries = whole._deliveries[start:stop]
        for index, delivery in enumerate(self._deliveries):
            delivery.batch, delivery.index = self, index
            if (watch := whole._watched.pop(delivery, None)) is not None:
                self._watched[delivery] = watch

    # Its deliveries

    def watch(self, delivery: Delivery) -> Watch:
        """Remember the delivery, to notify the tasks that wait for it."""
        return self._watched.setdefault(delivery, Watch())

    def metadata(self, index: int, timestamp_ms: int) -> RecordMetadata:
        """Where a record of the batch is, once it is stored."""
        topic, partition = self.target
        offset = self._base_offset + index if self._base_offset >= 0 else -1
        append_time = self._log_append_time_ms
        time_ms = timestamp_ms if append_time == NO_TIMESTAMP else append_time
        return RecordMetadata(topic, partition, offset, time_ms)

    def succeed(self, base_offset: int, log_append_time_ms: int) -> None:
        """All records are stored from there on; -1 when the broker no longer knows where."""
        self._base_offset = base_offset
        self._log_append_time_ms = log_append_time_ms
        self._answered()

    def fail(self, error: BaseException) -> None:
        """Fail all deliveries of the batch."""
        self.error = error
        self._answered()

    def _answered(self) -> None:
        self.is_answered = True
        watched, self._watched = self._watched, {}
        for delivery in sorted(watched, key=_by_index):
            delivery.notify(watched[delivery])
        # Only callers keep deliveries, and through them the batch's outcome.
        self._deliveries = []
        self._body = bytearray()
        self._encoded = None
        self.done.set_result(None)


def _by_index(delivery: Delivery) -> int:
    return delivery.index


def next_sequence(sequence: int, count: int) -> int:
    """The sequence number after `count` records; they wrap to 0 after 2^31 - 1."""
    return (sequence + count) & 0x7FFFFFFF
