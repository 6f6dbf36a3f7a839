"""The connections of one client: opened when needed, shared, reopened with growing pauses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf

import trio

from raftka.client.backoff import Backoff
from raftka.client.settings import ClientConfig
from raftka.model.ids import Endpoint
from raftka.model.ports import BrokenConnection, Clock, Dice, Network
from raftka.model.version import __version__
from raftka.net.channel import Channel, FinalizedFeatures

SOFTWARE_NAME = "raftka"
SOFTWARE_VERSION = __version__


@dataclass(slots=True)
class _Place:
    """One broker and one purpose."""

    channel: Channel | None = None
    connecting: trio.Event | None = None
    failures: int = 0
    not_before: float = 0.0
    last_error: BrokenConnection | None = field(default=None)


class Connections:
    """Channels by endpoint and lane.

    A broker answers the requests of one connection in order. A lane keeps requests that may wait
    long (a fetch, a join) from delaying those that must not wait (a heartbeat).
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        config: ClientConfig,
        network: Network,
        clock: Clock,
        dice: Dice,
        on_silence: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_silence` is called while a broker owes an answer and is silent."""
        self._nursery = nursery
        self._network = network
        self._clock = clock
        self._client_id = config.text("client.id")
        self._setup_timeout_s = config.seconds("socket.connection.setup.timeout.ms")
        self._idle_s = config.seconds("connections.max.idle.ms")
        self._silence_s = config.seconds("raftka.broker.silence.max.ms") or inf
        self._on_silence = on_silence
        self._backoff = Backoff(
            config.seconds("reconnect.backoff.ms"), config.seconds("reconnect.backoff.max.ms"), dice
        )
        self._places: dict[tuple[Endpoint, str], _Place] = {}
        self.features = FinalizedFeatures()
        """The newest finalized features; brokers send them when a connection begins."""

    def ready(self, endpoint: Endpoint, lane: str = "") -> Channel | None:
        """The channel if it is open now."""
        place = self._places.get((endpoint, lane))
        if place is None or place.channel is None or place.channel.broken is not None:
            return None
        return place.channel

    def resting_s(self, endpoint: Endpoint, lane: str = "") -> float:
        """Seconds until an unreachable broker is tried again; 0 when at once."""
        place = self._places.get((endpoint, lane))
        return 0.0 if place is None else max(0.0, place.not_before - self._clock.monotonic())

    def silent(self) -> Iterator[tuple[Endpoint, Channel, float]]:
        """Open channels to brokers that owe an answer and are silent, with the time of their oldest
        request, in seconds of the monotonic clock.
        """
        for (endpoint, _), place in self._places.items():
            channel = place.channel
            if channel is not None and channel.broken is None:
                since = channel.silent_since
                if since is not None:
                    yield endpoint, channel, since

    async def channel(self, endpoint: Endpoint, lane: str = "") -> Channel:
        """An open channel, connecting when there is none. Raises BrokenConnection."""
        place = self._places.setdefault((endpoint, lane), _Place())
        while True:
            channel = place.channel
            if channel is not None and channel.broken is None:
                return channel
            if place.connecting is None:
                return await self._open(place, endpoint)
            await place.connecting.wait()
            if place.channel is None and place.last_error is not None:
                raise place.last_error

    def close(self) -> None:
        for place in self._places.values():
            if place.channel is not None:
                place.channel.close("the client is closing")

    async def _open(self, place: _Place, endpoint: Endpoint) -> Channel:
        place.connecting = trio.Event()
        place.channel = None
        place.last_error = None
        try:
            wait_s = place.not_before - self._clock.monotonic()
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            connection = await self._network.connect(
                endpoint.host, endpoint.port, timeout_s=self._setup_timeout_s
            )
            if self._nursery.cancel_scope.cancel_called:
                connection.close()
                raise BrokenConnection("this client has ended")
            channel = Channel(
                connection,
                self._client_id,
                self._clock,
                self._idle_s,
                silence_s=self._silence_s,
                on_silence=self._on_silence,
            )
            self._nursery.start_soon(channel.run)
            try:
                await channel.negotiate(SOFTWARE_NAME, SOFTWARE_VERSION, self._setup_timeout_s)
            except BaseException:
                channel.close("its versions could not be learned")
                raise
            place.channel = channel
            place.failures = 0
            if channel.features.epoch >= self.features.epoch:
                self.features = channel.features
            return channel
        except BrokenConnection as error:
            place.failures += 1
            place.not_before = self._clock.monotonic() + self._backoff.pause(place.failures)
            place.last_error = error
            raise
        finally:
            place.connecting.set()
            place.connecting = None
