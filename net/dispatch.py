"""The one place that calls handlers: decodes a frame, calls its handler and encodes the answer.

Requests from clients and from other brokers' envelopes both take this path. So everything that
applies to every request is here: versions, sizes, permissions, errors.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, cast

import trio

from raftka.model.access import Authorizer, Cluster
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection, Piece
from raftka.net.protocol import codec
from raftka.net.protocol.apis import APIS
from raftka.net.protocol.message import Request, Response
from raftka.net.router import (
    Answer,
    CloseConnection,
    Context,
    LastAnswer,
    Metering,
    NodeT,
    Pending,
    Returned,
    Route,
)
from raftka.net.session import Authenticating, Session

if TYPE_CHECKING:
    from raftka.net.request_stats import RequestStats

log = get_logger(__name__)

_SIZE: Final = struct.Struct(">i")
_KEY_ALONE: Final = {key: memoryview(key.to_bytes(2)) for key in APIS}
"""What is left of a request's frame while its answer is pending: which API was asked."""


class Outlet(Protocol):
    """The destination of the answers to one connection's requests, in the order of the requests."""

    def put(self, pieces: list[Piece]) -> None:
        """Add the next answer, which is ready."""
        ...

    def reserve(self) -> Callable[[list[Piece]], None]:
        """Reserve the position of the next answer; call the returned function when it is ready."""
        ...

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do this in a task of its own, which is cancelled with the listener's connections."""
        ...

    def mute(self, until_s: float) -> None:
        """Handle no further requests of the connection until then."""
        ...

    def close(self) -> None:
        """Close the connection: an answer will never come."""
        ...


class Meter(Protocol):
    """Measures clients' use of a node (KIP-13, KIP-124)."""

    is_active: bool
    """Whether any client has a quota: otherwise nothing is measured."""

    def begin(self, context: Context[NodeT], *, is_exempt: bool) -> Metering:
        """Start to measure a request; the time of an exempt one is not counted."""
        ...


class Dispatcher(Generic[NodeT]):
    """Calls the handlers in `routes` for `node`.

    `forward` returns an awaitable answer if another node must decide the request, or None if this
    one must. Without an `authorizer` every client may do everything; without a `meter` there are no
    quotas. `stats` counts the requests.
    """

    def __init__(
        self,
        node: NodeT,
        routes: Mapping[int, Route[NodeT]],
        *,
        forward: Callable[[Context[NodeT]], Awaitable[list[Piece]] | None] = lambda _: None,
        authorizer: Authorizer | None = None,
        stats: RequestStats | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._stats = stats
        self._node = node
        self._routes = routes
        self._used: dict[int, Route[NodeT]] = {}
        """The routes that were used before, for lookups without a call."""
        self._forward = forward
        self._authorizer = authorizer
        self._meter = meter

    def dispatch(
        self, frame: memoryview, session: Session, outlet: Outlet
    ) -> Awaitable[None] | None:
        """Handle one request now, or return an awaitable for it.

        `frame` may be reused once this returns. Raises CloseConnection, MalformedMessage, and other
        errors that close the connection; so does the awaitable.
        """
        if (authentication := session.authentication) is not None:
            if authentication.takes_raw_token:
                return self._take_token(bytes(frame), session, authentication, outlet)
            authentication.check(int.from_bytes(frame[:2]))
        repeated = session.repeated
        again = None if repeated is None else repeated.read(frame)
        if repeated is None or again is None:
            header, repeated = codec.decode_request_header(frame), None
        else:
            header = repeated.header
        route = self._used.get(header.api_key) or self._find(header.api_key)
        if route is None or len(frame) > route.max_bytes:
            raise _not_taken(route, header.api_key, len(frame), session)
        if waits := route.is_async:
            # It outlives this turn, and the receive buffer is reused then.
            frame = memoryview(bytes(frame))
        version = header.api_version
        context = Context(
            self._node, session, version, header.correlation_id, header.client_id, frame,
            self._authorizer,
        )  # fmt: skip
        stats = self._stats
        if stats is not None:
            if stats.version != version or stats.name != route.name:
                stats.begin_run(route.name, version)
            stats.count += 1
            if session.asked is not stats.series:
                stats.meet(session, header.client_id)
        if not route.min_version <= version <= route.max_version:
            self._refuse_version(context, route, outlet)
            return None
        if self._meter is not None and self._meter.is_active:
            is_exempt = route.access is Cluster.CLUSTER_ACTION
            context.metering = self._meter.begin(context, is_exempt=is_exempt)
        request: Request[Any] = again or codec.decode_request(
            route.request, version, frame, header.body_offset
        )
        if again is None and route.keep is not None:
            session.repeated = route.keep(session.repeated, frame, header, request)
        if log.is_debug:
            _show(context, route)
        try:
            sends_on = route.forward and not route.looks_first
            if sends_on and (sent_on := self._forward(context)) is not None:
                answer = cast(Returned, sent_on)
            else:
                if self._authorizer is not None and isinstance(route.access, Cluster):
                    context.require_cluster(route.access.value)
                answer = route.handler(context, request)
        except Exception as error:
            answer, waits = _failed(context, route, request, error), False
        if repeated is not None:
            repeated.let_go()
        if (metering := context.metering) is not None:
            metering.pause()
        if type(answer) is list:
            # Encoded by hand: the answer to most requests of a busy node.
            if metering is not None:
                metering.finish(answer, route.request.RESPONSE, outlet)
            outlet.put(answer)
            return None
        return self._answer(context, route, request, answer, outlet, waits=waits)

    def _refuse_version(self, context: Context[NodeT], route: Route[NodeT], outlet: Outlet) -> None:
        """Answer a request in an unsupported version. Raises CloseConnection."""
        refusal = _in_version_0(context, route)
        if self._stats is not None:
            self._stats.series.api.failed(refusal)
        outlet.put(encode_answer(context, refusal))

    def _answer(
        self,
        context: Context[NodeT],
        route: Route[NodeT],
        request: Request[Any],
        answer: Returned,
        outlet: Outlet,
        *,
        waits: bool,
    ) -> Awaitable[None] | None:
        """Answer with a message, now or later; return what must be awaited for that."""
        stats, metering = self._stats, context.metering
        if stats is not None and (waits or isinstance(answer, Pending)):
            context.timing = stats.waits()
        if waits:
            waiting = cast(Awaitable[Answer], answer)
            if not route.concurrent:
                return _answer_later(context, route, request, waiting, outlet, outlet.put)
            _answer_beside(context, route, request, waiting, outlet)
        elif isinstance(answer, Pending):
            # Otherwise the receive buffer, however large, would stay allocated while it waits.
            context.frame = _KEY_ALONE[route.api_key]
            answer.on_resolved(_fill_later(context, route, outlet))
        else:
            if metering is not None:
                metering.finish(answer, route.request.RESPONSE, outlet)
            if stats is not None:
                stats.series.api.failed(answer)
            outlet.put(encode_answer(context, answer))
        return None

    def _find(self, api_key: int) -> Route[NodeT] | None:
        """The route of an API that is requested for the first time."""
        route = self._routes.get(api_key)
        if route is not None:
            self._used[api_key] = route
        return route

    async def _take_token(
        self, token: bytes, session: Session, authentication: Authenticating, outlet: Outlet
    ) -> None:
        """Handle a SASL token without a request header, as after version 0 of SaslHandshake."""
        try:
            await authentication.prepare(token)
            answer, _ = authentication.authenticate(token)
        except KafkaError as error:
            await authentication.pause()
            raise CloseConnection(error.message) from error
        session.principal = authentication.principal or session.principal
        session.by_token = authentication.by_token
        outlet.put([_SIZE.pack(len(answer)), answer])


def _show(context: Context[NodeT], route: Route[NodeT]) -> None:
    """Log a request at level DEBUG."""
    log.debug(
        f"{route.name} version {context.api_version} from {context.session.peer}",
        client=context.client_id,
        listener=context.listener,
        bytes=len(context.frame),
    )


def _not_taken(
    route: Route[NodeT] | None, api_key: int, size: int, session: Session
) -> CloseConnection:
    """Why a request closes its connection unread."""
    if route is None:
        return CloseConnection(f"API key {api_key} is not served on {session.listener}")
    return CloseConnection(f"{route.name} of {size} bytes; {route.max_bytes} are allowed")


async def _answer_later(
    context: Context[NodeT],
    route: Route[NodeT],
    request: Request[Any],
    waiting: Awaitable[Answer],
    outlet: Outlet,
    put: Callable[[list[Piece]], None],
) -> None:
    metering = context.metering
    try:
        answer = await (waiting if metering is None else metering.timed(waiting))
    except LastAnswer as last:
        _account(context, route, last.answer, outlet)
        put(encode_answer(context, last.answer))
        raise
    except Exception as error:
        answer = _failed(context, route, request, error)
    _account(context, route, answer, outlet)
    put(encode_answer(context, answer))


def _answer_beside(
    context: Context[NodeT],
    route: Route[NodeT],
    request: Request[Any],
    waiting: Awaitable[Answer],
    outlet: Outlet,
) -> None:
    """The same as `_answer_later`, in a task of its own: the connection continues meanwhile."""
    fill = outlet.reserve()

    async def beside() -> None:
        try:
            await _answer_later(context, route, request, waiting, outlet, fill)
        except (BrokenConnection, CloseConnection, trio.ClosedResourceError) as error:
            log.warning(
                f"{route.name} from {context.session.peer}: {error}", listener=context.listener
            )
            outlet.close()
        except Exception:
            # An internal error closes this connection and no other.
            _log_defect(context, route)
            outlet.close()

    outlet.start(beside)


def _fill_later(
    context: Context[NodeT], route: Route[NodeT], outlet: Outlet
) -> Callable[[object], None]:
    """A function that stores an answer in its position when it is resolved.

    It may be called in the turn of another connection, which must not be affected by errors.
    """
    fill = outlet.reserve()

    def resolved(answer: object) -> None:
        try:
            if context.metering is not None or context.timing is not None:
                _account(context, route, answer, outlet)
            pieces = answer if type(answer) is list else encode_answer(context, answer)
        except Exception:
            peer = context.session.peer
            log.exception(f"an answer to {peer} failed", listener=context.listener)
            outlet.close()
        else:
            fill(pieces)

    return resolved


def _account(context: Context[NodeT], route: Route[NodeT], answer: object, outlet: Outlet) -> None:
    """The accounting of every answer: quotas and statistics."""
    if context.metering is not None:
        context.metering.finish(answer, route.request.RESPONSE, outlet)
    if context.timing is not None:
        context.timing.answered(answer)


def encode_answer(context: Context[NodeT], answer: object) -> list[Piece]:
    """The complete frame for a handler's result; empty for no answer."""
    if answer is None:
        return []
    if isinstance(answer, list):
        return answer
    message = cast(Response, answer)
    return codec.encode_response(message, context.api_version, context.correlation_id)


def _in_version_0(context: Context[NodeT], route: Route[NodeT]) -> Response:
    """The answer to an unsupported version, if the API has one (KIP-511)."""
    if route.other_versions is None:
        raise CloseConnection(
            f"{route.name} version {context.api_version} is not supported"
            f" ({route.min_version} to {route.max_version} are); ask ApiVersions first"
        )
    context.api_version = 0
    return route.other_versions(context)


def _failed(
    context: Context[NodeT], route: Route[NodeT], request: Request[Any], error: Exception
) -> Response:
    """The answer for an exception of a handler. Internal errors are logged with a traceback, and
    answered without details.

    Raises the error that closes the connection.
    """
    if isinstance(error, CloseConnection | BrokenConnection | trio.ClosedResourceError):
        raise error
    if not isinstance(error, KafkaError):
        _log_defect(context, route)
        words = f"{type(error).__name__}; the broker's log has the details"
        error = KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, words)
    return _error_answer(route, request, error)


def _log_defect(context: Context[NodeT], route: Route[NodeT]) -> None:
    peer = context.session.peer
    log.exception(f"{route.name} from {peer} failed", listener=context.listener)


def _error_answer(route: Route[NodeT], request: Request[Any], error: KafkaError) -> Response:
    """The response with an error of the whole request.

    Raises CloseConnection if the protocol has no field for such an error: handlers of those APIs
    answer per topic or partition, so only internal errors get here.
    """
    if route.refusal is not None:
        return route.refusal(request, error)
    response: Any = route.request.RESPONSE()
    fields = response.__slots__
    if "error_code" not in fields:
        raise CloseConnection(f"{route.name}: {error}")
    response.error_code = int(error.code)
    if "error_message" in fields:
        response.error_message = error.message
    return cast(Response, response)
