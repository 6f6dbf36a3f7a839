"""OpenTelemetry spans of sampled requests: the duration of each, and of its stages.

It wraps the dispatcher: a node without `raftka.otlp.traces.endpoint` has no overhead, and one with
it draws a random number per request. For a sampled request the stage `local` ends when the handler
returns, `remote` when its delayed answer is resolved. Spans that `taken` does not fetch in time are
dropped, and counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from raftka.net.protocol import codec
from raftka.net.protocol.apis import APIS

if TYPE_CHECKING:
    from raftka.model.ports import Clock, Dice, Piece
    from raftka.net.dispatch import Outlet
    from raftka.net.session import Session

_MOST: Final = 4096
"""The limit of spans that wait to be sent."""
_TEXT_MAX: Final = 256
"""The limit of characters of client-supplied text: thousands of spans may wait."""


class Span(NamedTuple):
    """One request, or one stage of it; times are seconds of the clock's `monotonic`."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes | None
    name: str
    began_s: float
    ended_s: float
    attributes: tuple[tuple[str, str | int], ...] = ()


class Dispatches(Protocol):
    """Handles one request (net/dispatch.py)."""

    def dispatch(
        self, frame: memoryview, session: Session, outlet: Outlet
    ) -> Awaitable[None] | None: ...


class Spans:
    """The spans of one node."""

    def __init__(self, clock: Clock, dice: Dice, ratio: float) -> None:
        """`ratio` is the fraction of requests that are sampled."""
        self._clock = clock
        self._dice = dice
        self._ratio = ratio
        self._waiting: deque[Span] = deque()
        self.dropped = 0
        """The number of spans dropped since the last `taken`."""

    def around(self, dispatcher: Dispatches, listener: str) -> Dispatches:
        """Wrap a dispatcher, so that its requests have spans."""
        return _Dispatcher(self, dispatcher, listener)

    def taken(self, most: int) -> list[Span]:
        """Remove and return the oldest waiting spans."""
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def choose(self) -> bool:
        """Whether to sample the next request."""
        return self._dice.random() < self._ratio

    def now_s(self) -> float:
        return self._clock.monotonic()

    def add(self, name: str, attributes: tuple[tuple[str, str | int], ...], *at_s: float) -> None:
        """Add an answered request: its start, its handler's return, its answer."""
        began_s, handled_s, ended_s = at_s
        trace_id, span_id = self._dice.randbytes(16), self._dice.randbytes(8)
        found = [Span(trace_id, span_id, None, name, began_s, ended_s, attributes)]
        stages = [("local", began_s, handled_s)]
        if ended_s > handled_s:
            stages.append(("remote", handled_s, ended_s))
        for stage, start_s, end_s in stages:
            own = self._dice.randbytes(8)
            found.append(Span(trace_id, own, span_id, f"{name} {stage}", start_s, end_s))
        self._waiting += found
        while len(self._waiting) > _MOST:
            self._waiting.popleft()
            self.dropped += 1


class _Dispatcher:
    """A listener's dispatcher, with spans of sampled requests."""

    def __init__(self, spans: Spans, inner: Dispatches, listener: str) -> None:
        self._spans = spans
        self._inner = inner.dispatch
        self._listener = listener

    def dispatch(
        self, frame: memoryview, session: Session, outlet: Outlet
    ) -> Awaitable[None] | None:
        """The same as the inner one."""
        authentication = session.authentication
        if not self._spans.choose() or (
            authentication is not None and not authentication.is_complete
        ):
            return self._inner(frame, session, outlet)
        watched = _Watched(self._spans, self._listener, frame, session, outlet)
        waiting = self._inner(frame, session, watched)
        watched.handler_returned()
        return waiting


class _Watched:
    """Observes the answer to one request on its way to the connection."""

    def __init__(
        self, spans: Spans, listener: str, frame: memoryview, session: Session, outlet: Outlet
    ) -> None:
        header = codec.decode_request_header(frame)
        api = APIS.get(header.api_key)
        self._name = f"API {header.api_key}" if api is None else api.name
        self._attributes = (
            ("rpc.system", "kafka"),
            ("rpc.method", self._name),
            ("kafka.api.version", header.api_version),
            ("kafka.listener", listener),
            ("client.address", session.client_address),
            ("client.id", (header.client_id or "")[:_TEXT_MAX]),
            ("enduser.id", str(session.principal)),
            ("rpc.request.size", len(frame)),
        )
        self._spans = spans
        self._outlet = outlet
        self._began_s = spans.now_s()
        self._handled_s = self._ended_s = -1.0
        self.start = outlet.start
        self.mute = outlet.mute
        self.close = outlet.close

    def put(self, pieces: list[Piece]) -> None:
        """Pass on the answer, which is ready."""
        self._answered()
        self._outlet.put(pieces)

    def reserve(self) -> Callable[[list[Piece]], None]:
        """Reserve the answer's position."""
        fill = self._outlet.reserve()

        def answered(pieces: list[Piece]) -> None:
            self._answered()
            fill(pieces)

        return answered

    def handler_returned(self) -> None:
        """The dispatcher has returned; the answer may come later."""
        self._handled_s = self._spans.now_s()
        if self._ended_s >= 0:
            self._end(self._handled_s)

    def _answered(self) -> None:
        self._ended_s = self._spans.now_s()
        if self._handled_s >= 0:
            self._end(self._ended_s)

    def _end(self, ended_s: float) -> None:
        self._spans.add(self._name, self._attributes, self._began_s, self._handled_s, ended_s)
