"""What the three clients share: `async with`, and the world they live in."""

from __future__ import annotations

from types import TracebackType
from typing import TypeVar

import trio

from raftka.client.cluster import Cluster
from raftka.client.settings import ClientConfig
from raftka.model.ports import Clock, Dice, Network
from raftka.net.clock import system_clock, system_dice
from raftka.net.transport import TcpNetwork

C = TypeVar("C", bound="Client")


class Client:
    """Works between `async with` and its end; its background tasks live as long."""

    def __init__(
        self,
        config: ClientConfig,
        network: Network | None,
        clock: Clock | None,
        dice: Dice | None,
    ) -> None:
        self._config = config
        self._clock = clock or system_clock()
        self._cluster = Cluster(config, network or TcpNetwork(), self._clock, dice or system_dice())
        self._manager = trio.open_nursery()

    @property
    def cluster(self) -> Cluster:
        """The client's view of the cluster and its connections."""
        return self._cluster

    async def __aenter__(self: C) -> C:
        self._nursery = await self._manager.__aenter__()
        self._cluster.start(self._nursery)
        self._start(self._nursery)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                await self.close()
        finally:
            self._stop()
            self._cluster.close()
            self._nursery.cancel_scope.cancel()
            # Not told of the body's error, the nursery does not wrap it in a group.
            await self._manager.__aexit__(None, None, None)

    async def close(self) -> None:
        """Finish what is under way. Leaving `async with` does it."""
        await trio.lowlevel.checkpoint()

    def _start(self, nursery: trio.Nursery) -> None:
        """Begin the client's own tasks."""

    def _stop(self) -> None:
        """Let go of what cannot be finished; must not wait."""
