"""Transactors that read each other's committed records within their own transactions.

Information flows both ways between them, unlike through a transformer from one topic to another, so
a cycle (G1c) can show here (simulations/checkers/cycles.py).
"""

from __future__ import annotations

from random import Random
from typing import Final

from raftka.client.consumer.consumer import Consumer
from raftka.client.producer.producer import Producer
from raftka.model.ids import TopicPartition
from raftka.simulations.checkers.atomicity import Transaction
from raftka.simulations.load.contents import identity
from raftka.simulations.load.transactions import COMMITTED_ONLY, TransactorTask
from raftka.simulations.load.workload import client_ports

_POLL_S: Final = 0.2


class ExchangerTask(TransactorTask):
    """Reads what is new in a topic, writes to it, and reads again, all in one transaction."""

    def _beside(self) -> Consumer:
        name = f"{self.plan.name}-reader.{self._lives}"
        config: dict[str, object] = {
            "bootstrap.servers": ",".join(self.world.cluster.bootstrap),
            "client.id": name,
            "auto.offset.reset": "latest" if self._lives else "earliest",
            "isolation.level": COMMITTED_ONLY,
            "request.timeout.ms": 5000,
            "fetch.max.wait.ms": 500,
        }
        return Consumer(config, **client_ports(self.world, name))

    def _begin_reading(self, more: Consumer) -> None:
        topics = (each for each in self.world.plan.topics if each.name == self.plan.topic)
        more.assign(
            [TopicPartition(t.name, index) for t in topics for index in range(t.partitions)]
        )

    async def _write(
        self, producer: Producer, transaction: Transaction, dice: Random, more: Consumer | None
    ) -> bool:
        assert more is not None
        await self._read(transaction, more)
        await super()._write(producer, transaction, dice, more)
        await self._read(transaction, more)
        return True

    async def _read(self, transaction: Transaction, more: Consumer) -> None:
        for record in await more.poll(_POLL_S):
            target = TopicPartition(record.topic, record.partition)
            self.world.witnesses.atomicity.read(
                self.plan.name,
                target,
                record.offset,
                identity(record.value, record.headers),
                within=transaction,
            )
