"""Connections from this node to the active controller, one for each lane of requests.

A connection is opened when it is first needed, and reopened after it broke. A request is retried at
the new controller when the leadership moves.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TypeVar

import trio

from raftka.model.errors import ErrorCode
from raftka.model.ids import Endpoint
from raftka.model.ports import BrokenConnection, Clock, Network
from raftka.net.channel import Channel
from raftka.net.protocol.message import Request, Response

R = TypeVar("R", bound=Response)

_RETRY_S = 0.05
_CONNECT_S = 5.0


class ControllerUnavailable(BrokenConnection):
    """No active controller was reachable within the time given."""


class Channels:
    """The connections of one node. `run` must be running before requests are sent."""

    def __init__(
        self,
        *,
        node_id: int,
        network: Network,
        clock: Clock,
        controller: Callable[[], tuple[int, Endpoint] | None],
    ) -> None:
        self._client_id = f"raftka-node-{node_id}"
        self._network = network
        self._clock = clock
        self._controller = controller
        self._open: dict[tuple[Endpoint, str], Channel] = {}
        self._locks: dict[tuple[Endpoint, str], trio.Lock] = {}
        self._nursery: trio.Nursery | None = None
        self._controller_moved = trio.Event()

    async def run(self) -> None:
        """Run the tasks of all channels until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await trio.sleep_forever()

    def controller_changed(self) -> None:
        """The quorum has a new leader: resend every waiting request to it at once.

        That includes requests that wait for an answer of the previous leader: it may be suspended,
        and it can no longer decide what it has not decided yet.
        """
        target = self._controller()
        if target is not None:
            for key in [key for key in self._open if key[0] != target[1]]:
                self._open.pop(key).close("another controller is active")
        self._controller_moved.set()
        self._controller_moved = trio.Event()

    async def to_controller(
        self,
        request: Request[R],
        *,
        lane: str = "",
        timeout_s: float = 30.0,
        patience_s: float = inf,
    ) -> R:
        """Send a request to the active controller, until a node answers as one.

        Requests of one lane share a connection and are answered in order; heartbeats have a lane of
        their own, since a broker whose heartbeats wait behind a slow request would look dead. After
        an answer NOT_CONTROLLER the request goes to the next controller. Raises
        ControllerUnavailable after `timeout_s` seconds, or if none was reachable for `patience_s`
        seconds.
        """
        began = self._clock.monotonic()
        deadline, reached = began + timeout_s, began
        words = "no controller is elected"
        while (now := self._clock.monotonic()) < min(deadline, reached + patience_s):
            moved = self._controller_moved
            target = self._controller()
            if target is not None:
                version = type(request).VALID_VERSIONS[1]
                channel: Channel | None = None
                try:
                    channel = await self._channel(target[1], lane)
                    answer = await channel.request(request, version, deadline - now)
                except BrokenConnection as error:
                    words = str(error)
                    if channel is not None:
                        reached = self._clock.monotonic()
                else:
                    if getattr(answer, "error_code", 0) != ErrorCode.NOT_CONTROLLER:
                        return answer
                    words = f"node {target[0]} is not the active controller"
            with self._clock.within(_RETRY_S):
                await moved.wait()
        raise ControllerUnavailable(f"no active controller answered: {words}")

    async def _channel(self, endpoint: Endpoint, lane: str) -> Channel:
        key = (endpoint, lane)
        channel = self._open.get(key)
        if channel is not None and channel.broken is None:
            return channel
        async with self._locks.setdefault(key, trio.Lock()):
            channel = self._open.get(key)
            if channel is None or channel.broken is not None:
                channel = self._open[key] = await self._connect(endpoint)
            return channel

    async def _connect(self, endpoint: Endpoint) -> Channel:
        assert self._nursery is not None, "Channels.run is not running"
        host, port = endpoint
        connection = await self._network.connect(host, port, timeout_s=_CONNECT_S)
        channel = Channel(connection, self._client_id, self._clock)
        self._nursery.start_soon(channel.run)
        return channel
