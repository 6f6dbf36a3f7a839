"""Sends the end markers in `MarkerQueue` to brokers (KIP-98).

Each request is a task of its own that ends with its answer; one more task waits for new markers and
for due retries. Nothing is polled.
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
        """`timeout_s`: how long a broker may take to answer, which includes its followers'
        replication."""
        self._peers = peers
        self._clock = clock
        self._timeout_s = timeout_s
        self._queue = MarkerQueue(rules_off, image)
        self._alarm = clock.alarm()

    def without_leader(self) -> int:
        """The number of partitions that wait for a leader."""
        return self._queue.without_leader()

    def send(self, wish: Wish) -> None:
        """Have the markers of a transaction written in each of its partitions."""
        self._queue.add(wish, self._clock.monotonic())
        self._alarm.ring()

    def publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Metadata publisher: look up leaders that have moved."""
        if delta.topics.size or delta.brokers.changed:
            self._queue.metadata_changed(image, self._clock.monotonic())
            self._alarm.ring()

    async def run(self) -> None:
        """Run until cancelled."""
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
