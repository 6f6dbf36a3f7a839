"""Producers of one transaction shard, in a world where time is a number."""

from __future__ import annotations

from typing import Any

from raftka.broker.coordinators.outbox import Producer, Record, deliver
from raftka.broker.coordinators.timers import Moment
from raftka.broker.coordinators.transaction.config import TransactionConfig
from raftka.broker.coordinators.transaction.core import NeedsProducerId, WriteMarkers
from raftka.broker.coordinators.transaction.shard import TransactionShard
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage, PartitionImage, TopicImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TRANSACTION_TOPIC, TopicPartition
from raftka.net.protocol.messages.end_txn import EndTxnRequest, EndTxnResponse
from raftka.net.protocol.messages.init_producer_id import InitProducerIdRequest

NAME = "orders-1"
A, B, C = (TopicPartition("t", index) for index in range(3))
ELSEWHERE = TopicPartition("u", 0)
ALONE = PartitionImage(replicas=(1,), isr=(1,), leader=1)
TOPICS = {
    name: TopicImage(name, bytes(15) + bytes([number]), [ALONE] * 3)
    for number, name in enumerate((TRANSACTION_TOPIC, "t", "u"), 1)
}


class Call:
    """A request that waits, as a ticket; its answer, once there is one."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.error: ErrorCode | None = None

    def resolve(self, answer: object) -> None:
        assert self.error is None, "answered twice"
        self.answer = answer
        self.error = ErrorCode(getattr(answer, "error_code", 0))

    def fail(self, error: KafkaError) -> None:
        assert self.error is None, "answered twice"
        self.error = error.code


class TransactionWorld:
    """A shard, its records, the markers that it wants, and the time."""

    def __init__(self, version: int = 2, **settings: int) -> None:
        self.config = TransactionConfig(**settings)
        self.version = version
        self.topics = dict(TOPICS)
        self.ids = 1000
        self.epoch = 5
        self.now = Moment(1000.0, 1_700_000_000_000)
        self.records: list[Record] = []
        self.wanted: list[WriteMarkers] = []
        """Effects that were released and are not done."""
        self.commits = True
        """Whether writes are committed at once."""
        self.shard = self._new_shard()
        self._begin(self.shard)
        self.mirror = TransactionShard(self.config, 0)
        """Built from the records alone, as they come."""

    @property
    def image(self) -> MetadataImage:
        return MetadataImage(topics=self.topics, features={"transaction.version": self.version})

    def _new_shard(self) -> TransactionShard:
        self.epoch += 1
        return TransactionShard(self.config, self.epoch)

    def _begin(self, shard: TransactionShard) -> None:
        shard.metadata_changed(self.image, None, self.now)
        shard.loaded(self.now)
        self.settle()

    def settle(self) -> None:
        """Commit everything that was written: send answers and effects."""
        if not self.commits:
            return
        for batch in self.shard.outbox.take():
            self.records += batch.records
            for key, value in batch.records:
                self.mirror.replay(key, value)
        for ticket, answer in self.shard.outbox.take_answers():
            deliver(ticket, answer)
        for effect in self.shard.outbox.take_effects():
            assert isinstance(effect, WriteMarkers)
            self.wanted.append(effect)

    def advance(self, ms: int) -> None:
        """Let time pass, deadline by deadline."""
        end = self.now.monotonic_s + ms / 1000
        while (due := self.shard.next_deadline_s()) is not None and due <= end + 1e-9:
            self._at(max(due, self.now.monotonic_s))
            self.shard.tick(self.now)
            self.settle()
        self._at(end)

    def _at(self, monotonic_s: float) -> None:
        passed_ms = round((monotonic_s - self.now.monotonic_s) * 1000)
        self.now = Moment(monotonic_s, self.now.wall_ms + passed_ms)

    def fail_over(self) -> None:
        """Another node takes over from the log; uncommitted records are lost."""
        self.shard = self._new_shard()
        for key, value in self.records:
            self.shard.replay(key, value)
        self.wanted.clear()
        self._begin(self.shard)

    def finalize(self, version: int) -> None:
        """kafka-features: another transaction.version."""
        self.version = version
        self.shard.metadata_changed(self.image, MetadataDelta(self.image), self.now)
        self.settle()

    def delete_topic(self, name: str) -> None:
        delta = MetadataDelta(self.image)
        delta.topics.deleted.append(self.topics.pop(name))
        self.shard.metadata_changed(self.image, delta, self.now)
        self.settle()

    # ---- requests

    def init(
        self,
        expected: Producer | None = None,
        *,
        name: str = NAME,
        timeout_ms: int = 60_000,
        **fields: Any,
    ) -> Call:
        request = InitProducerIdRequest(
            transactional_id=name, transaction_timeout=timeout_ms, **fields
        )
        if expected is not None:
            request.producer_id, request.producer_epoch = expected
        call = Call()
        self._try(call, lambda new: self.shard.init_producer_id(request, call, self.now, new))
        return call

    def producer(self, **options: Any) -> Producer:
        """Begin, or begin again, and get an id and an epoch."""
        call = self.init(**options)
        assert call.error is ErrorCode.NONE, call.error
        return Producer(call.answer.producer_id, call.answer.producer_epoch)

    def add(self, producer: Producer, *partitions: TopicPartition, name: str = NAME) -> ErrorCode:
        client = 2 if self.version >= 2 else 0
        try:
            self.shard.add_partitions(name, producer, partitions, client, self.now)
        except KafkaError as error:
            return error.code
        self.settle()
        return ErrorCode.NONE

    def verify(self, producer: Producer, *partitions: TopicPartition) -> list[ErrorCode]:
        try:
            found = self.shard.verify_partitions(NAME, producer, partitions)
        except KafkaError as error:
            return [error.code]
        return [found[each] for each in partitions]

    def end(
        self,
        producer: Producer,
        *,
        commit: bool = True,
        client: int | None = None,
        name: str = NAME,
    ) -> Call:
        client = (2 if self.version >= 2 else 0) if client is None else client
        request = EndTxnRequest(
            transactional_id=name,
            producer_id=producer.id,
            producer_epoch=producer.epoch,
            committed=commit,
        )
        call = Call()
        self._try(
            call, lambda new: self.shard.end_transaction(request, client, call, self.now, new)
        )
        return call

    def _try(self, call: Call, operation: Any) -> None:
        """Like the service, with a new producer id when one is needed."""
        try:
            try:
                operation(None)
            except NeedsProducerId:
                self.ids += 1
                operation(self.ids)
        except KafkaError as error:
            call.fail(error)
        self.settle()

    def write_markers(self, *partitions: TopicPartition) -> WriteMarkers:
        """Write the oldest markers, in these partitions or all."""
        wish = self.wanted[0]
        done = frozenset(partitions) or wish.partitions
        if done == wish.partitions:
            self.wanted.pop(0)
        self.shard.markers_written(wish.transactional_id, wish.marker, done, self.now)
        self.settle()
        return wish

    def state(self, name: str = NAME) -> str:
        return self.shard.describe(name).transaction_state


def next_producer(call: Call) -> Producer:
    """The identity of a version 2 producer after an EndTxn."""
    assert call.error is ErrorCode.NONE, call.error
    assert isinstance(call.answer, EndTxnResponse)
    return Producer(call.answer.producer_id, call.answer.producer_epoch)
