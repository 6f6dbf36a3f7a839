"""Sends the ends of transactions to the brokers that `MarkerQueue` names (KIP-98).

Each request is a task of its own that ends with its answer; in between, one task waits for news
and for what is due again. Nothing is polled.
"""

from __future__ import annotations

import trio

from raftka.broker.coordinators.transaction.marker_queue import Batch, MarkerQueue, Wish
from raftka.broker.peers import ToBroker
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.errors import KafkaError
from raftka.model.ports import BrokenConnection, Clock
from raftka.model.rules import ALL_HOLD, RulesOff

_LANE = "markers"


class MarkerSender:
    """The markers of all transactions that this broker coordinates. `run` must be running."""

    def __init__(
        self,
        peers: ToBroker,
        clock: Clock,
        *,
        timeout_s: float,
        image: MetadataImage = EMPTY_IMAGE,
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        """`timeout_s`: how long a broker may take, which waits for its followers meanwhile."""
        self._peers = peers
        self._clock = clock
        self._timeout_s = timeout_s
        self._queue = MarkerQueue(rules_off, image)
        self._alarm = clock.alarm()

    def without_leader(self) -> int:
        """How many partitions wait for a leader before they can be asked."""
        return self._queue.without_leader()

    def send(self, wish: Wish) -> None:
        """Have a transaction's end written in each of its partitions."""
        self._queue.add(wish, self._clock.monotonic())
        self._alarm.ring()

    def publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Publisher: leaders that moved are looked for again."""
        if delta.topics.size or delta.brokers.changed:
            self._queue.metadata_changed(image, self._clock.monotonic())
            self._alarm.ring()

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                for batch in self._queue.due(self._clock.monotonic()):
                    nursery.start_soon(self._ask, batch)
                await self._alarm.wait(self._queue.next_due_s())

    async def _ask(self, batch: Batch) -> None:
        try:
            answer, _ = await self._peers.ask(
                batch.broker_id, batch.request(), lane=_LANE, timeout_s=self._timeout_s
            )
        except (BrokenConnection, KafkaError) as error:
            self._queue.failed(batch, str(error), self._clock.monotonic())
        else:
            self._queue.answered(batch, answer, self._clock.monotonic())
        self._alarm.ring()
