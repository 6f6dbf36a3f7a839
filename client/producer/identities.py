"""The producer's id and its epochs (KIP-98, KIP-360)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from raftka.client.cluster import Cluster
from raftka.client.producer.accumulator import Accumulator
from raftka.client.producer.batch import NO_IDENTITY, Identity
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection
from raftka.net.channel import Channel
from raftka.net.protocol.messages.init_producer_id import (
    InitProducerIdRequest,
    InitProducerIdResponse,
)

log = logging.getLogger("raftka.producer")

_EPOCH_MAX = 32767
_NO_TRANSACTION_MS = 2**31 - 1


class Identities:
    """`current`: the id and epoch of new batches; none without idempotence."""

    def __init__(
        self,
        cluster: Cluster,
        accumulator: Accumulator,
        idempotent: bool,
        give_up: Callable[[float], None],
    ) -> None:
        """`give_up` fails expired batches; called while a broker is looked for."""
        self.current = NO_IDENTITY
        self._cluster = cluster
        self._accumulator = accumulator
        self._idempotent = idempotent
        self._give_up = give_up

    async def prepare(self) -> None:
        """Get an id before anything is sent, and a new epoch if sequence numbers are unusable."""
        if not self._idempotent:
            return
        if self.current == NO_IDENTITY:
            if any(True for _ in self._accumulator.active()):
                self.current = await self._from_broker()
            return
        for queue in self._accumulator.active():
            if not queue.restart_wanted or queue.in_flight:
                continue
            if queue.identity == self.current:
                await self._next_epoch()
            queue.restart(self.current)

    async def _next_epoch(self) -> None:
        producer_id, epoch = self.current
        if epoch >= _EPOCH_MAX:
            self.current = await self._from_broker()
        else:
            # A producer without a transactional id raises its epoch by itself.
            self.current = Identity(producer_id, epoch + 1)
        log.warning("producer id %d goes on with epoch %d", *self.current)

    async def _from_broker(self) -> Identity:
        failures = 0
        while True:
            try:
                answer = await self._cluster.ask_any(self._ask)
                if answer.error_code == ErrorCode.NONE:
                    return Identity(answer.producer_id, answer.producer_epoch)
                problem: Exception = KafkaError(ErrorCode(answer.error_code))
            except (BrokenConnection, KafkaError) as error:
                problem = error
            log.info("no producer id yet: %s", problem)
            failures += 1
            self._give_up(self._cluster.clock.monotonic())
            await self._cluster.clock.sleep(self._cluster.retry_backoff.pause(failures))

    async def _ask(self, channel: Channel) -> InitProducerIdResponse:
        request = InitProducerIdRequest(transaction_timeout=_NO_TRANSACTION_MS)
        return await self._cluster.ask(channel, request)
