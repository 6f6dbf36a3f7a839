"""Connections from this broker to the other brokers, one for each lane of requests.

A connection is opened when it is first needed, negotiates versions (KIP-511), and is reopened after
it broke. Nothing is retried here: only the caller knows whether the request is still valid, and
which broker to ask then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import trio

from raftka.model.ids import Endpoint
from raftka.model.ports import BrokenConnection, Clock, Network
from raftka.model.version import __version__
from raftka.net.channel import Channel
from raftka.net.protocol.message import Request, Response

_CONNECT_S: Final = 5.0
_IDLE_S: Final = 600.0

R = TypeVar("R", bound=Response)


class ToBroker(Protocol):
    """Sends requests to other brokers, and to this one, also by its listener."""

    async def ask(
        self, broker_id: int, request: Request[R], *, lane: str, timeout_s: float
    ) -> tuple[R, int]:
        """Return the answer and its version, the newest that both sides support.

        Raises BrokenConnection, and KafkaError UNSUPPORTED_VERSION.
        """
        ...


class Peers:
    """Implements ToBroker by real connections. `run` must be running before requests are sent."""

    def __init__(
        self,
        *,
        node_id: int,
        network: Network,
        clock: Clock,
        endpoint: Callable[[int], Endpoint | None],
    ) -> None:
        self._client_id = f"raftka-node-{node_id}"
        self._network = network
        self._clock = clock
        self._endpoint = endpoint
        self._open: dict[tuple[Endpoint, str], Channel] = {}
        self._opening: dict[tuple[Endpoint, str], trio.Lock] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Run the tasks of all connections until cancelled."""
        async with trio.open_nursery() as self._nursery:
            await trio.sleep_forever()

    async def ask(
        self, broker_id: int, request: Request[R], *, lane: str, timeout_s: float
    ) -> tuple[R, int]:
        """See ToBroker. Requests of one lane share a connection and are answered in order."""
        endpoint = self._endpoint(broker_id)
        if endpoint is None:
            raise BrokenConnection(f"broker {broker_id} is not registered")
        channel = await self._channel((endpoint, lane))
        version = channel.version_for(type(request))
        return await channel.request(request, version, timeout_s), version

    async def _channel(self, key: tuple[Endpoint, str]) -> Channel:
        channel = self._open.get(key)
        if channel is not None and channel.broken is None:
            return channel
        async with self._opening.setdefault(key, trio.Lock()):
            channel = self._open.get(key)
            if channel is None or channel.broken is not None:
                channel = self._open[key] = await self._connect(key[0])
            return channel

    async def _connect(self, endpoint: Endpoint) -> Channel:
        assert self._nursery is not None, "Peers.run is not running"
        host, port = endpoint
        connection = await self._network.connect(host, port, timeout_s=_CONNECT_S)
        channel = Channel(connection, self._client_id, self._clock, _IDLE_S)
        self._nursery.start_soon(channel.run)
        negotiated = False
        try:
            await channel.negotiate("raftka", __version__, _CONNECT_S)
            negotiated = True
        finally:
            if not negotiated:
                channel.close("no caller waits for its versions any longer")
        return channel
