"""Producer ids for idempotent producers, allocated from the controller's blocks (KIP-730).

A broker requests a block when the last one is used up, so that most producers start without a
request to the controller. Ids are never reused in a cluster: the rest of a block is lost when the
broker stops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages.allocate_producer_ids import (
    AllocateProducerIdsRequest,
)

R = TypeVar("R", bound=Response)


class ToController(Protocol):
    """The connection to the active controller, whichever node that is."""

    async def to_controller(self, request: Request[R]) -> R: ...


class ProducerIds:
    """One broker's supply of producer ids."""

    def __init__(
        self, node_id: int, channels: ToController, broker_epoch: Callable[[], int]
    ) -> None:
        self._node_id = node_id
        self._channels = channels
        self._broker_epoch = broker_epoch
        self._next = 0
        self._end = 0
        self._asking = trio.Lock()

    async def allocate(self) -> int:
        """The next id.

        Raises KafkaError COORDINATOR_NOT_AVAILABLE if no controller is reachable; the producer
        retries.
        """
        async with self._asking:
            if self._next == self._end:
                await self._ask()
            producer_id = self._next
            self._next += 1
            return producer_id

    async def _ask(self) -> None:
        request = AllocateProducerIdsRequest(
            broker_id=self._node_id, broker_epoch=self._broker_epoch()
        )
        try:
            answer = await self._channels.to_controller(request)
        except BrokenConnection as error:
            raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE, str(error)) from error
        if answer.error_code != ErrorCode.NONE:
            raise KafkaError(
                ErrorCode.COORDINATOR_NOT_AVAILABLE,
                f"the controller gave no producer ids: {KafkaError(ErrorCode(answer.error_code))}",
            )
        self._next = answer.producer_id_start
        self._end = answer.producer_id_start + answer.producer_id_len
