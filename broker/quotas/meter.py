"""Measures requests for the dispatcher, and throttles clients above their quota.

As in Apache Kafka, the answer is sent at once and contains how long the broker will not read from
the connection (KIP-219). Times are those of the node's clock; in the simulator it does not advance
while a handler runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from raftka.model.ports import Clock
from raftka.net.protocol.throttling import THROTTLE_TIME, put_throttle_ms, throttle_ms_in

if TYPE_CHECKING:
    from raftka.broker.quotas.client_rates import ClientRates
    from raftka.net.protocol.message import Response
    from raftka.net.router import Context, Muted, NodeT

T = TypeVar("T")

_PERCENT: Final = 100


class Rates(Protocol):
    """The rates that a node measures (broker/quotas/service.py)."""

    produce: ClientRates
    fetch: ClientRates
    request: ClientRates


class Metering:
    """Measures one request. Implements net.router.Metering."""

    __slots__ = (
        "_client_id",
        "_clock",
        "_context",
        "_rates",
        "_since_s",
        "_spent_s",
        "_throttle_ms",
        "_times",
        "_user",
    )

    def __init__(self, rates: Rates, clock: Clock, context: Context[NodeT], *, times: bool) -> None:
        self._rates = rates
        self._clock = clock
        self._context = context
        self._user = context.principal.name
        self._client_id = context.client_id or ""
        self._times = times and rates.request.is_active
        self._throttle_ms = 0
        self._spent_s = 0.0
        self._since_s = clock.monotonic()

    # Called by handlers.

    def exempt(self) -> None:
        """A request of the cluster itself: its time is not counted."""
        self._times = False

    def produced(self, size: int) -> None:
        """A client produces that many bytes."""
        wait_ms = self._rates.produce.record(self._user, self._client_id, size, self._now_ms())
        self._throttle_ms = max(self._throttle_ms, wait_ms)

    def fetched(self, size: int) -> bool:
        """Whether an answer of that many bytes may be sent; if not, the client gets an empty one,
        and nothing is counted."""
        fetch, now_ms = self._rates.fetch, self._now_ms()
        wait_ms = fetch.record(self._user, self._client_id, size, now_ms)
        self._throttle_ms = max(self._throttle_ms, wait_ms)
        if wait_ms:
            fetch.take_back(self._user, self._client_id, size, now_ms)
        return not wait_ms

    def most_to_fetch(self) -> float | None:
        """An answer with more bytes would be throttled even after a long silence."""
        return self._rates.fetch.most_at_once(self._user, self._client_id)

    # Called by the dispatcher.

    def pause(self) -> None:
        """The node works on something else meanwhile."""
        self._spent_s += self._clock.monotonic() - self._since_s

    def resume(self) -> None:
        """The node works on this request again."""
        self._since_s = self._clock.monotonic()

    def timed(self, waiting: Awaitable[T]) -> Awaitable[T]:
        """The same awaitable, measured only while it runs."""
        return _Timed(waiting, self) if self._times else waiting

    def finish(self, answer: object, response: type[Response], outlet: Muted) -> None:
        """Set an answer's throttle time, and mute its connection. Call it once, while paused."""
        said_ms = self._throttle_in(answer, response)
        wait_ms = max(self._throttle_ms, said_ms)
        if self._times:
            percents = self._spent_s * _PERCENT
            now_ms = self._now_ms()
            used_ms = self._rates.request.record(self._user, self._client_id, percents, now_ms)
            wait_ms = max(wait_ms, used_ms)
        if not wait_ms:
            return
        if wait_ms != said_ms:
            self._put_throttle(answer, response, wait_ms)
        outlet.mute(self._clock.monotonic() + wait_ms / 1000)

    def _throttle_in(self, answer: object, response: type[Response]) -> int:
        if isinstance(answer, list):
            return throttle_ms_in(response, self._context.api_version, answer)
        return int(getattr(answer, THROTTLE_TIME, 0))

    def _put_throttle(self, answer: object, response: type[Response], wait_ms: int) -> None:
        if isinstance(answer, list):
            put_throttle_ms(response, self._context.api_version, answer, wait_ms)
        elif hasattr(answer, THROTTLE_TIME):
            setattr(answer, THROTTLE_TIME, wait_ms)

    def _now_ms(self) -> int:
        return int(self._clock.monotonic() * 1000)


class _Timed(Awaitable[T]):
    """Resumes the measurement of a request while one of its steps runs."""

    def __init__(self, waiting: Awaitable[T], metering: Metering) -> None:
        self._waiting = waiting
        self._metering = metering

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._waiting.__await__()
        sent: Any = None
        try:
            while True:
                self._metering.resume()
                try:
                    trap = steps.send(sent)
                except StopIteration as end:
                    found: T = end.value
                    return found
                finally:
                    self._metering.pause()
                sent = yield trap
        finally:
            steps.close()
