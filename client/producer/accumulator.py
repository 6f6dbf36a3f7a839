"""Records that wait to be sent, by partition, and when each batch is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from raftka.client.producer.batch import BATCH_OVERHEAD, Batch, Identity
from raftka.client.producer.delivery import Delivery
from raftka.client.producer.queue import PartitionQueue
from raftka.model.ids import TopicPartition
from raftka.model.records import Header


class Accumulator:
    """Pure: times are seconds of the monotonic clock."""

    def __init__(
        self, *, batch_size: int, linger_s: float, delivery_timeout_s: float, in_flight_max: int
    ) -> None:
        self.used_bytes = 0
        """Bytes of records that have no answer yet."""
        self._batch_size = batch_size
        self._linger_s = linger_s
        self._delivery_timeout_s = delivery_timeout_s
        self._in_flight_max = in_flight_max
        self._queues: dict[TopicPartition, PartitionQueue] = {}
        self._by_topic: dict[str, dict[int, PartitionQueue]] = {}
        """The same by topic and number, without a TopicPartition for each record."""
        self.on_release: Callable[[], None] = lambda: None
        """Called when memory became free."""
        self.is_abandoned = False
        """The producer was closed: no task waits for responses."""
        self._active: dict[TopicPartition, PartitionQueue] = {}
        self._flushing = 0

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header],
        timestamp_ms: int,
        size: int,
        now: float,
    ) -> tuple[Delivery, bool]:
        """Add a record; returns its future, and whether to wake the sender."""
        queues = self._by_topic.get(topic)
        queue = queues.get(partition) if queues is not None else None
        if queue is None:
            queue = self._new_queue(TopicPartition(topic, partition))
        batch = queue.pending[-1] if queue.pending else None
        if batch is not None and batch.closed:
            batch = None
        news = False
        if batch is not None and batch.size + size > self._batch_size:
            batch.closed = True
            batch, news = None, True
        if batch is None:
            batch = Batch(queue.target, now)
            self.used_bytes += BATCH_OVERHEAD
            queue.pending.append(batch)
            self._active[queue.target] = queue
            # The first record of a batch may make the sender due earlier.
            news = True
        future = batch.append(key, value, headers, timestamp_ms, size)
        self.used_bytes += size
        if batch.size >= self._batch_size:
            batch.closed = True
            news = True
        return future, news

    def _new_queue(self, target: TopicPartition) -> PartitionQueue:
        queue = self._queues[target] = PartitionQueue(target, self._in_flight_max)
        self._by_topic.setdefault(target.topic, {})[target.partition] = queue
        return queue

    def queue(self, target: TopicPartition) -> PartitionQueue:
        """The partition's queue. Raises KeyError before its first record."""
        return self._queues[target]

    def active(self) -> Iterator[PartitionQueue]:
        """The partitions that have batches, in the order in which they got them."""
        for target, queue in list(self._active.items()):
            if queue.empty:
                del self._active[target]
            else:
                yield queue

    def queued(self, topic: str, partitions: Sequence[int]) -> list[int]:
        """How many batches wait for each of these partitions."""
        counts: list[int] = []
        for partition in partitions:
            queue = self._queues.get(TopicPartition(topic, partition))
            counts.append(len(queue.pending) if queue is not None else 0)
        return counts

    def due_at(self, batch: Batch) -> float:
        """When to send `batch`: at once when closed or retried, otherwise after linger."""
        if batch.closed or self._flushing:
            return batch.not_before
        return max(batch.not_before, batch.created + self._linger_s)

    def release(self, batch: Batch) -> None:
        """`batch` is done: its memory is free again."""
        self.used_bytes -= batch.size
        self.on_release()

    def expired(self, now: float) -> list[Batch]:
        """Remove and return the batches that waited longer than delivery.timeout.ms."""
        found: list[Batch] = []
        for queue in self.active():
            found += queue.drop_expired(now, self._delivery_timeout_s)
        return found

    def expires_at(self, queue: PartitionQueue) -> float:
        """When the first waiting batch of `queue` expires."""
        if not queue.pending:
            return float("inf")
        return queue.pending[0].created + self._delivery_timeout_s

    def unfinished(self) -> list[Batch]:
        """All batches without an answer."""
        found: list[Batch] = []
        for queue in self._active.values():
            found += queue.in_flight
            found += queue.pending
        return found

    def in_flight(self) -> list[Batch]:
        """The batches that were sent and are not answered."""
        return [batch for queue in self._active.values() for batch in queue.in_flight]

    def drop_waiting(self, error: BaseException) -> bool:
        """Fail all batches that are not in flight; returns whether sequence numbers are lost."""
        spoilt = False
        for queue in self._active.values():
            for batch in queue.drop_waiting():
                spoilt = spoilt or batch.base_sequence >= 0
                self.release(batch)
                batch.fail(error)
        return spoilt

    def restart(self, identity: Identity) -> None:
        """Number all partitions from 0, under a new identity; nothing may be in flight."""
        for queue in self._queues.values():
            queue.restart(identity)

    def begin_flush(self) -> None:
        """Until `end_flush` no batch lingers."""
        self._flushing += 1

    def end_flush(self) -> None:
        self._flushing -= 1

    def abandon(self, error: BaseException) -> None:
        """Fail everything without an answer."""
        self.is_abandoned = True
        for batch in self.unfinished():
            batch.fail(error)
        self._active.clear()
        self._queues.clear()
        self._by_topic.clear()
        self.used_bytes = 0
