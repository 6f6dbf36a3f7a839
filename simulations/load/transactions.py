"""Producers with transactions, and a transformer that reads, writes and commits in one (KIP-98).

Each producer lives several lives under one transactional.id: it commits, aborts, or vanishes in the
middle, and its next life fences the one before. A read_committed consumer must receive no record
that was never asked to commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from random import Random
from typing import Final

import trio

from raftka.client.consumer.consumer import Consumer
from raftka.client.consumer.state import ConsumerRecord
from raftka.client.producer.delivery import RecordMetadata
from raftka.client.producer.producer import Producer
from raftka.client.producer.transaction_errors import MustAbort, MustRetry
from raftka.model.ids import TopicPartition
from raftka.net.futures import Future
from raftka.simulations.checkers.atomicity import Fate, Transaction
from raftka.simulations.checkers.history import value_of
from raftka.simulations.load.contents import contents, identity
from raftka.simulations.load.workload import CLIENT_ERRORS, client_ports
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.life import current_node
from raftka.simulations.plan import ProducerPlan, TransactorPlan
from raftka.simulations.world import World

COMMITTED_ONLY: Final = "read_committed"
_SETTINGS: Final[dict[str, object]] = {
    "acks": -1,
    "enable.idempotence": True,
    "request.timeout.ms": 3000,
    "delivery.timeout.ms": 15_000,
    "max.block.ms": 15_000,
    "transaction.timeout.ms": 8000,
    "linger.ms": 0,
}
_PAUSE_S: Final = 0.5


class Vanished(Exception):
    """A life ends in the middle of a transaction."""


class TransactorTask:
    """Writes transactions until the workload ends; `write` fills one."""

    vanishes = 0.1
    """How often a life ends in the middle of a transaction."""

    def __init__(self, world: World, plan: TransactorPlan) -> None:
        self.world = world
        self.plan = ProducerPlan(
            plan.name, plan.topic, -1, True, plan.records_per_burst, plan.pause_s, plan.settings
        )
        self.open = 0
        self.done = trio.Event()
        self.sent = 0
        self._lives = 0
        self._id = plan.name
        self._producer: Producer | None = None
        self._consumer: Consumer | None = None
        self._stirred = trio.Event()

    async def run(self) -> None:
        current_node.set(self.plan.name)
        dice = Random(f"{self.world.plan.seed} transactor {self.plan.name}")
        while not self.world.quiet.is_set():
            try:
                await self._live(dice)
            except Vanished:
                self._id = self._next_id(dice)
            except CLIENT_ERRORS as error:
                self.world.trace.event("transactor-failed", node=self.plan.name, error=str(error))
            self._lives += 1
            await trio.sleep(dice.choice([0.01, _PAUSE_S, 4 * _PAUSE_S]))
        self.open = 0
        self.done.set()

    def stir(self) -> None:
        """End a pause: begin the next transaction now, or notice that the load has ended."""
        self._stirred.set()

    def abandon(self) -> None:
        """Make it vanish, as if its process were killed."""
        if self._producer is not None:
            self._producer.abandon()
        if self._consumer is not None:
            self._consumer.abandon()

    def _vanish(self) -> Vanished:
        """Break the connections, so that nothing ends in good order; returns the error to raise."""
        self.abandon()
        return Vanished()

    def _next_id(self, dice: Random) -> str:
        """The transactional.id of the life after one that has vanished."""
        return self.plan.name

    async def _live(self, dice: Random) -> None:
        plan, world = self.plan, self.world
        config = {
            "bootstrap.servers": ",".join(world.cluster.bootstrap),
            "client.id": plan.name,
            "transactional.id": self._id,
            **_SETTINGS,
            **plan.settings,
        }
        async with Producer(config, **client_ports(world, f"{plan.name}.{self._lives}")) as made:
            self._producer = made
            await made.init_transactions()
            async with self._beside() as more:
                self._consumer = more
                if more is not None:
                    self._begin_reading(more)
                while not world.quiet.is_set():
                    await self._transact(made, dice, more)
                    self._stirred = trio.Event()
                    with trio.move_on_after(dice.expovariate(1 / plan.pause_s)):
                        await self._stirred.wait()

    def _beside(self) -> AbstractAsyncContextManager[Consumer | None]:
        """A consumer that stays open for a life; None without one."""
        return nullcontext()

    def _begin_reading(self, more: Consumer) -> None:
        """That consumer is open."""

    async def _transact(self, producer: Producer, dice: Random, more: Consumer | None) -> None:
        transaction = self.world.witnesses.atomicity.begun(self.plan.name)
        producer.begin_transaction()
        try:
            if not await self._write(producer, transaction, dice, more):
                transaction.fate = Fate.ABORTED
                await producer.abort_transaction()
                return
            # The input must be read again after an abort: a transformer begins another life.
            end = dice.random()
            if end < self.vanishes:
                raise self._vanish()
            if end < self.vanishes + 0.2:
                await producer.abort_transaction()
                transaction.fate = Fate.ABORTED
                self._aborted()
                return
            await producer.flush()
            transaction.fate = Fate.ENDING
            await self._commit(producer)
            transaction.fate = Fate.COMMITTED
        except MustAbort as error:
            self.world.trace.event("must-abort", node=self.plan.name, error=str(error))
            transaction.fate = Fate.ABORTED
            await producer.abort_transaction()
            self._aborted()
        finally:
            if transaction.fate is Fate.OPEN:
                # Only this life could commit it, and it does not.
                transaction.fate = Fate.ABORTED
            self.open = 0

    def _aborted(self) -> None:
        """A transaction was aborted. Raises Vanished if this life ends with it."""

    async def _commit(self, producer: Producer) -> None:
        for _ in range(5):
            try:
                await producer.commit_transaction()
                return
            except MustRetry as error:
                self.world.trace.event("must-retry", node=self.plan.name, error=str(error))
        raise self._vanish()

    async def _write(
        self, producer: Producer, transaction: Transaction, dice: Random, more: Consumer | None
    ) -> bool:
        for _ in range(1 + dice.randrange(2 * self.plan.records_per_burst)):
            await self._send(producer, transaction, self.plan.topic, dice)
            if dice.random() < 0.2:
                await trio.sleep(dice.uniform(0, 0.5))
        return True

    async def _send(
        self,
        producer: Producer,
        transaction: Transaction,
        topic: str,
        dice: Random,
        source: tuple[tuple[str, int], int] | None = None,
    ) -> None:
        world, number, at_ms = self.world, self.sent, SimClock().wall_ms()
        self.sent += 1
        what = value_of(self.plan.name, number, True, 20 + dice.randrange(60), at_ms)
        if source is not None:
            transaction.sources[what] = source
        world.witnesses.atomicity.writes(transaction, what)
        made = contents(what, number, compacted=world.compacts(topic))
        future = await producer.send(
            topic, made.value, made.key, headers=made.headers, timestamp_ms=at_ms
        )
        self.open += 1
        future.when_done(partial(self._answered, transaction, what))

    def _answered(
        self, transaction: Transaction, what: bytes, future: Future[RecordMetadata]
    ) -> None:
        world = self.world
        self.open = max(0, self.open - 1)
        if world.ended.is_set() or world.violation is not None or future.error is not None:
            return
        where = future.result()
        key = (where.topic, where.partition)
        world.witnesses.atomicity.wrote(transaction, what, key, where.offset)
        world.history.acknowledged(
            self.plan.name, key, where.offset, what, acks=-1, idempotent=True
        )


class TransformerTask(TransactorTask):
    """Writes a record for each committed record of a topic, and commits its position with it."""

    vanishes = 0.3
    """High, since the next member of its group then finds pending offsets (KIP-447)."""
    _renamed = 0.4
    """How often the next life has another transactional.id: it fences no producer, so that offsets
    stay pending until transaction.timeout.ms.
    """

    def __init__(self, world: World, plan: TransactorPlan) -> None:
        super().__init__(world, plan)
        self.source = plan.source
        self.group = plan.reads_as

    def _beside(self) -> Consumer:
        config: dict[str, object] = {
            "bootstrap.servers": ",".join(self.world.cluster.bootstrap),
            "client.id": f"{self.plan.name}-reader",
            "group.id": self.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": COMMITTED_ONLY,
            "request.timeout.ms": 5000,
            "session.timeout.ms": 3000,
            "heartbeat.interval.ms": 1000,
            "max.poll.interval.ms": 20_000,
            "fetch.max.wait.ms": 500,
        }
        name = f"{self.plan.name}-reader.{self._lives}"
        return Consumer(config, **client_ports(self.world, name))

    def _begin_reading(self, more: Consumer) -> None:
        more.subscribe([self.source])

    def _next_id(self, dice: Random) -> str:
        if dice.random() < self._renamed:
            return f"{self.plan.name}-{self._lives}"
        return self._id

    def _aborted(self) -> None:
        raise Vanished  # Its consumer has read ahead: the next one begins at the committed offset.

    async def _write(
        self, producer: Producer, transaction: Transaction, dice: Random, more: Consumer | None
    ) -> bool:
        assert more is not None
        records: Sequence[ConsumerRecord] = await more.poll(1.0)
        places: dict[TopicPartition, int] = {}
        for record in records:
            target = TopicPartition(record.topic, record.partition)
            what = identity(record.value, record.headers)
            self.world.witnesses.atomicity.read(
                self.plan.name, target, record.offset, what, within=transaction
            )
            await self._send(producer, transaction, self.plan.topic, dice, (target, record.offset))
            places[target] = record.offset + 1
        if not places:
            return False
        await producer.send_offsets_to_transaction(places, more.group_metadata())
        return True
