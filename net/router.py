"""Which API is answered by whom: one registration per API, from which everything else follows.

A handler is a function of (context, request message). It may
- return the response message, or None where the protocol has no answer (Produce with acks=0);
- return a list of pieces that is already a whole frame (the hot answers are written by hand);
- return a `Pending` answer and resolve it later: the connection keeps the order of answers;
- be async, when it has to wait for other nodes; the connection's next request waits meanwhile;
- raise KafkaError, which becomes the request's error code.

The answer to ApiVersions, the versions that are accepted and the handlers are one table.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, TypeVar, cast

import structlog
import trio

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection, Piece
from raftka.net.protocol import codec
from raftka.net.protocol.message import Response

log = structlog.get_logger()

Listener = Literal["broker", "controller"]
Listeners = Literal[Listener, "both"]
F = TypeVar("F", bound=Callable[..., Any])


class CloseConnection(Exception):
    """The connection cannot go on; the message says why, for the log."""


class Pending:
    """An answer that comes later. Whoever resolves it first wins; later calls do nothing.

    `resolve` takes a response message, finished pieces, or None for no answer.
    """

    __slots__ = ("_answer", "_notify", "done")

    def __init__(self) -> None:
        self.done = False
        self._answer: object = None
        self._notify: Callable[[object], None] | None = None

    def resolve(self, answer: object) -> None:
        """Give the answer; only the first one counts."""
        if self.done:
            return
        self.done = True
        self._answer = answer
        if self._notify is not None:
            self._notify(answer)

    def on_resolved(self, notify: Callable[[object], None]) -> None:
        """The connection's side: be called with the answer, at once if it is there already."""
        self._notify = notify
        if self.done:
            notify(self._answer)


@dataclass(slots=True)
class Context:
    """What a handler may know about the request beside its message."""

    node: Any
    api_version: int
    correlation_id: int
    client_id: str | None
    peer: str
    listener: str
    """The name of the listener it came in by: answers name endpoints of the same listener."""
    connection: ConnectionState
    frame: memoryview
    """The request as it came, header included; valid as long as the request's own views."""


@dataclass(slots=True, eq=False)
class ConnectionState:
    """What handlers remember about one connection; lives as long as it."""

    peer: str
    listener: str
    on_close: list[Callable[[], None]] = field(default_factory=list)
    """Called once when the connection is gone, however it went."""
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One API of one node."""

    api_key: int
    name: str
    request: type[Any]
    min_version: int
    max_version: int
    listeners: Listeners
    forward: bool
    concurrent: bool
    handler: Callable[[Context, Any], Any]
    is_async: bool


_ROUTES: dict[int, Route] = {}


def handles(
    request: type[Any],
    *,
    versions: tuple[int, int],
    listeners: Listeners = "broker",
    forward: bool = False,
    concurrent: bool = False,
) -> Callable[[F], F]:
    """Register the handler of one API.

    `versions` are the first and last that are promised. With `forward`, a broker that is not the
    active controller sends the request on to it (KIP-590) and the handler runs there. With
    `concurrent`, later requests of the connection do not wait for this one (their answers do).
    """
    low, high = versions
    known_low, known_high = request.VALID_VERSIONS
    if not known_low <= low <= high <= known_high:
        raise ValueError(f"{request.__name__}: versions {versions} are not within what is written")

    def register(function: F) -> F:
        if request.API_KEY in _ROUTES:
            raise ValueError(f"{request.__name__} has two handlers")
        _ROUTES[request.API_KEY] = Route(
            api_key=request.API_KEY,
            name=request.API_NAME,
            request=request,
            min_version=low,
            max_version=high,
            listeners=listeners,
            forward=forward,
            concurrent=concurrent,
            handler=function,
            is_async=inspect.iscoroutinefunction(function),
        )
        routes.cache_clear()
        return function

    return register


@lru_cache
def routes(listener: Listener) -> Mapping[int, Route]:
    """The APIs that a listener of that kind answers, by key in ascending order."""
    return MappingProxyType(
        {
            key: route
            for key, route in sorted(_ROUTES.items())
            if route.listeners in (listener, "both") or (route.forward and listener == "controller")
        }
    )


def encode_answer(context: Context, answer: object) -> list[Piece]:
    """The whole frame for what a handler returned; empty for no answer."""
    if answer is None:
        return []
    if isinstance(answer, list):
        return answer
    message = cast(Response, answer)
    return codec.encode_response(message, context.api_version, context.correlation_id)


def error_answer(route: Route, request: Any, error: KafkaError) -> object:
    """The response that carries an error of the whole request.

    Raises CloseConnection where the protocol has no place for such an error: handlers of those
    APIs answer per topic or partition, so only a defect gets here.
    """
    response = cast(type[Any], route.request.RESPONSE)()
    fields = response.__slots__
    if "error_code" not in fields:
        raise CloseConnection(f"{route.name}: {error}")
    response.error_code = int(error.code)
    if "error_message" in fields:
        response.error_message = error.message
    return response


async def call(context: Context, route: Route, request: Any) -> object:
    """Run a handler to its end; what it raises becomes an answer."""
    try:
        answer = route.handler(context, request)
        return await answer if route.is_async else answer
    except Exception as error:
        return failed(context, route, request, error)


def failed(context: Context, route: Route, request: Any, error: Exception) -> object:
    """The answer for what a handler raised. A defect of ours is logged in full, and told in short.

    Raises what ends the connection.
    """
    if isinstance(error, CloseConnection | BrokenConnection | trio.ClosedResourceError):
        raise error
    if not isinstance(error, KafkaError):
        log.exception(f"{route.name} from {context.peer} failed", listener=context.listener)
        words = f"{type(error).__name__}; the broker's log has the details"
        error = KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, words)
    return error_answer(route, request, error)
