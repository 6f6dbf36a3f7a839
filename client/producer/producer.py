"""The producer: sends records, and reports where each was stored.

    async with Producer({"bootstrap.servers": "localhost:9092"}) as producer:
        future = await producer.send("topic", b"value", key=b"key")
        metadata = await future

Records of a partition are written once and in the order in which they were sent, whatever leaders
and connections do in between, until delivery.timeout.ms (KIP-98, KIP-360, KIP-679).

With a transactional.id, records of several partitions and the positions of a consumer become
visible together or not at all:

    await producer.init_transactions()
    async with producer.transaction():
        await producer.send("topic", b"value")
        await producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio

from raftka.client.config import producer_config
from raftka.client.given import check_record, check_topic, offset_in, partition_in
from raftka.client.group_offsets import GroupMetadata, OffsetAndMetadata
from raftka.client.metadata import TopicView
from raftka.client.opening import Client
from raftka.client.producer.accumulator import Accumulator
from raftka.client.producer.batch import BATCH_OVERHEAD, record_size
from raftka.client.producer.delivery import Delivery
from raftka.client.producer.partitioner import StickyPartitioner, partition_for_key
from raftka.client.producer.sender import Sender
from raftka.client.producer.transaction_errors import MustRetry
from raftka.client.producer.transactions import Transactions
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import Clock, Dice, Network
from raftka.model.records import Header

log = logging.getLogger("raftka.producer")

_USUAL_KEYS: Final[frozenset[type]] = frozenset({bytes, type(None)})
"""Most records have only a value and a key of these types, and need no further check."""

_RECORDS_PER_CHECKPOINT = 100
"""How many records may be sent before other tasks get their turn."""


class Producer(Client):
    """Writes records. One producer may serve many tasks."""

    def __init__(
        self,
        config: Mapping[str, object],
        *,
        network: Network | None = None,
        clock: Clock | None = None,
        dice: Dice | None = None,
    ) -> None:
        """`config`: Kafka's producer settings. Raises ConfigError."""
        super().__init__(producer_config(config), network, clock, dice)
        settings = self._config
        self._max_block_s = settings.seconds("max.block.ms")
        self._buffer_bytes = settings.number("buffer.memory")
        self._request_size_max = settings.number("max.request.size")
        self._record_size_max = min(self._request_size_max, self._buffer_bytes) - BATCH_OVERHEAD
        self._ignore_keys = settings.flag("partitioner.ignore.keys")
        self._accumulator = Accumulator(
            batch_size=settings.number("batch.size"),
            linger_s=settings.seconds("linger.ms"),
            delivery_timeout_s=settings.seconds("delivery.timeout.ms"),
            in_flight_max=settings.number("max.in.flight.requests.per.connection"),
        )
        self._partitioner = StickyPartitioner(
            self._cluster.dice,
            settings.number("batch.size"),
            settings.flag("partitioner.adaptive.partitioning.enable"),
        )
        id = settings.optional_text("transactional.id")
        self._transactions = (
            None if id is None else Transactions(self._cluster, self._accumulator, settings, id)
        )
        self._sender = Sender(self._cluster, self._accumulator, settings, self._transactions)
        if self._transactions is not None:
            self._transactions.wake = self._sender.wake
        self._accumulator.on_release = self._memory_freed
        self._cluster.on_change = self._sender.wake
        self._freed = trio.Event()
        self.since_checkpoint = 0
        """Records sent since other tasks could run; a checkpoint elsewhere resets it to 0."""
        self._closed = False

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        partition: int | None = None,
        headers: Sequence[Header] = (),
        timestamp_ms: int | None = None,
    ) -> Delivery:
        """Add a record to a batch. Await the result to know where it was stored.

        Waits up to max.block.ms for the topic's layout and for memory. Raises KafkaError: a
        record that is too large, a partition that does not exist, no topic or memory in time;
        TypeError and ValueError for an invalid record.
        """
        if not self._works or self._closed:
            raise self._not_taking()
        if self._transactions is not None:
            self._transactions.state.check_open("send")
        if (
            type(value) is not bytes
            or type(key) not in _USUAL_KEYS
            or partition is not None
            or headers
            or timestamp_ms is not None
        ):
            partition, timestamp_ms = check_record(value, key, partition, headers, timestamp_ms)
        size = record_size(key, value, headers)
        if size > self._record_size_max:
            raise KafkaError(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"the record takes {BATCH_OVERHEAD + size} bytes; max.request.size ="
                f" {self._request_size_max} and buffer.memory = {self._buffer_bytes} allow less",
            )
        view = self._cluster.view.topics.get(topic)
        if view is None or (partition is not None and partition not in view.partitions):
            view = await self._layout_of(topic, partition)
        if self._accumulator.used_bytes + size > self._buffer_bytes:
            await self._wait_for_memory(size)
        if partition is None:
            partition = self._choose(view, key, size)
        time_ms = self._clock.wall_ms() if timestamp_ms is None else timestamp_ms
        if self._transactions is not None:
            self._transactions.want(TopicPartition(topic, partition))
        future, news = self._accumulator.append(
            topic,
            partition,
            key,
            value,
            headers,
            time_ms,
            size,
            self._clock.monotonic(),
        )
        self.since_checkpoint += 1
        if news:
            self._sender.wake()
        if news or self.since_checkpoint >= _RECORDS_PER_CHECKPOINT:
            self.since_checkpoint = 0
            await trio.lowlevel.checkpoint()
        return future

    def takes_at_once(self, topic: str, partition: int | None = None) -> bool:
        """Whether `send` would wait neither for the topic's layout nor for memory."""
        view = self._cluster.view.topics.get(topic)
        known = view is not None and (partition is None or partition in view.partitions)
        return known and self._accumulator.used_bytes + self._request_size_max <= self._buffer_bytes

    # Transactions, with a transactional.id

    async def init_transactions(self) -> None:
        """Call this once before the first transaction: it fences former producers with this
        transactional.id (KIP-98). Returns when their open transactions have ended. Raises MustRetry
        when that takes longer than max.block.ms, MustClose.
        """
        await self._transactional().initialize()

    def begin_transaction(self) -> None:
        """Begin a transaction: consumers with isolation.level = read_committed read all records
        sent from now on, or none. Raises KafkaError when another one is open, and MustAbort or
        MustClose with the error that ended it.
        """
        self._transactional().begin()

    async def send_offsets_to_transaction(
        self,
        offsets: Mapping[TopicPartition, OffsetAndMetadata | int],
        group: GroupMetadata,
    ) -> None:
        """Commit a consumer's positions with the transaction, or not at all.

        `offsets`: by partition the next offset to read; `group`: `consumer.group_metadata()`. The
        consumer itself must not commit (enable.auto.commit = false). Raises MustAbort, also when
        the consumer has lost its membership since then (KIP-447), and MustClose.
        """
        chosen = {
            partition_in(target): item
            if isinstance(item, OffsetAndMetadata)
            else OffsetAndMetadata(offset_in(item))
            for target, item in offsets.items()
        }
        await self._transactional().send_offsets(chosen, group)

    async def commit_transaction(self) -> None:
        """Send all waiting records, and commit. Raises MustAbort when a record could not be stored.
        Raises MustRetry when the coordinator has not answered within max.block.ms: call again to
        learn whether the transaction is committed. Raises MustClose.
        """
        await self._transactional().commit()

    async def abort_transaction(self) -> None:
        """Drop all waiting records, and abort: no read_committed consumer sees the others. Raises
        MustRetry when the coordinator has not answered within max.block.ms; MustClose.
        """
        await self._transactional().abort()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """`async with producer.transaction():` commits at the end, and aborts after an error.

        A cancellation is such an error, unless the coordinator was already asked to commit. Raises
        what begin_transaction and commit_transaction raise; after MustRetry from the commit, call
        commit_transaction until it has a result.
        """
        transactions = self._transactional()
        await transactions.finish_abort()
        transactions.begin()
        try:
            yield
            try:
                await transactions.commit()
            except MustRetry as error:
                unanswered = error
            else:
                return
        except BaseException:
            await transactions.end_in_order()
            raise
        raise unanswered

    def _transactional(self) -> Transactions:
        if not self._works or self._closed:
            raise self._not_taking()
        if self._transactions is None:
            raise KafkaError(
                ErrorCode.INVALID_TXN_STATE,
                "this producer has no transactions: set transactional.id in its configuration, to"
                " a name that stays the same over restarts and that no other producer uses",
            )
        return self._transactions

    # Waiting

    async def flush(self) -> None:
        """Send everything that waits, and return when each record has its answer, good or bad."""
        if not self._works:
            raise self._not_taking()
        self._accumulator.begin_flush()
        self._sender.wake()
        try:
            for batch in self._accumulator.unfinished():
                await batch.done.wait()
        finally:
            self._accumulator.end_flush()
        await trio.lowlevel.checkpoint()

    async def partitions_for(self, topic: str) -> TopicView:
        """The topic's partitions and their leaders. Raises KafkaError when it is not there."""
        if not self._works:
            raise self._not_taking()
        await trio.lowlevel.checkpoint()
        return self._cluster.view.topics.get(topic) or await self._layout_of(topic, None)

    async def close(self) -> None:
        """Refuse further records, and wait until each has its answer: up to delivery.timeout.ms.

        A transaction that is open is aborted, one that is being committed is committed.

        Leaving `async with` does it. After a cancellation or an error it waits for LAST_WORDS_S at
        most; records without an answer by then fail, which is logged.
        """
        self._closed = True
        if self._transactions is not None and self._transactions.state.in_transaction:
            log.warning("the producer is closed within a transaction, which is ended before")
            await self._transactions.end_in_order()
        await self.flush()

    async def _say_last_words(self) -> None:
        await self.close()

    def _start(self, nursery: trio.Nursery) -> None:
        nursery.start_soon(self._sender.run)
        if self._transactions is not None:
            nursery.start_soon(self._transactions.keep_joining)

    def _stop(self) -> None:
        self._closed = True
        unfinished = self._accumulator.unfinished()
        if unfinished:
            places = ", ".join(sorted({str(batch.target) for batch in unfinished}))
            log.warning(
                "the producer ends before %d records for %s were acknowledged: %s",
                sum(map(len, unfinished)),
                places,
                self._sender.why_waiting(unfinished[0]),
            )
        self._accumulator.abandon(
            KafkaError(
                ErrorCode.REQUEST_TIMED_OUT,
                "the producer was closed before the record was acknowledged",
            )
        )

    def _not_taking(self) -> Exception:
        if self._closed:
            return KafkaError(ErrorCode.INVALID_REQUEST, "the producer is closed")
        return self._not_open()

    def _choose(self, view: TopicView, key: bytes | None, size: int) -> int:
        if key is not None and not self._ignore_keys:
            return partition_for_key(key, len(view.partitions))
        stays = self._partitioner.stay(view.name, size)
        if stays is not None and stays in view.partitions and view.partitions[stays].leader >= 0:
            return stays
        available = [part.index for part in view.partitions.values() if part.leader >= 0]
        if not available:
            available = list(view.partitions)
        queued = self._accumulator.queued(view.name, available)
        return self._partitioner.draw(view.name, size, available, queued)

    async def _layout_of(self, topic: str, partition: int | None) -> TopicView:
        check_topic(topic)
        self._cluster.follow([topic])
        with self._clock.within(self._max_block_s):
            while True:
                view = self._cluster.view
                found = view.topics.get(topic)
                if found is not None and (partition is None or partition in found.partitions):
                    return found
                if view.errors.get(topic) == ErrorCode.INVALID_TOPIC_EXCEPTION:
                    raise KafkaError(
                        ErrorCode.INVALID_TOPIC_EXCEPTION, f"{topic!r} cannot be a topic's name"
                    )
                await self._cluster.refreshed(view.version)
        raise self._no_layout(topic, partition)

    def _no_layout(self, topic: str, partition: int | None) -> KafkaError:
        if self._cluster.last_error is not None:
            return self._cluster.unreachable()
        found = self._cluster.view.topics.get(topic)
        if found is None:
            return KafkaError(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                f"topic {topic} is not there after {self._max_block_s:g} s: create it first",
            )
        return KafkaError(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            f"topic {topic} has partitions 0 to {len(found.partitions) - 1}, not {partition}",
        )

    async def _wait_for_memory(self, size: int) -> None:
        with self._clock.within(self._max_block_s):
            while self._accumulator.used_bytes + size > self._buffer_bytes:
                if self._freed.is_set():
                    self._freed = trio.Event()
                self._sender.wake()
                await self._freed.wait()
            return
        raise KafkaError(
            ErrorCode.REQUEST_TIMED_OUT,
            f"no memory for the record within {self._max_block_s:g} s: buffer.memory ="
            f" {self._buffer_bytes} is full of records that wait for their brokers",
        )

    def _memory_freed(self) -> None:
        self._freed.set()
