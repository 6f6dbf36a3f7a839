"""One listener of a node: accepts connections, turns frames into calls and answers into frames.

One long-lived task per connection. Everything that one receive brought in is handled in one turn
and answered with one send; a task, a timeout or a checkpoint per request would cost more than the
request itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
import trio

from raftka.model.errors import KafkaError
from raftka.model.ports import BrokenConnection, Clock, Connection, Listener, Piece
from raftka.net.admission import Admission
from raftka.net.answers import Answers, Turn
from raftka.net.connection import FrameReader, FrameTooLarge
from raftka.net.protocol import codec
from raftka.net.router import (
    CloseConnection,
    ConnectionState,
    Context,
    Pending,
    Route,
    call,
    encode_answer,
    error_answer,
    failed,
)

_API_VERSIONS = 18
_CARRIES_RECORDS = frozenset({0, 58})
"""Produce, and Envelope, which carries another request."""
_MAX_CONTROL_BYTES = 8 * 1024 * 1024
"""Any other request: read into objects, its bytes may take twenty times their size."""
_MAX_OUTSTANDING = 1000
"""Requests of one connection that may wait for their answer; then no more are read from it."""

log = structlog.get_logger()

Preamble = Callable[[Connection, bytes], Awaitable[None]]


class Server:
    """Serves one listener of `node`.

    `table` says who answers what (router.routes). `preambles` are the other protocols on the
    same port, by the four bytes that they start with.
    """

    def __init__(
        self,
        node: Any,
        *,
        name: str,
        table: Mapping[int, Route],
        turn: Turn,
        clock: Clock,
        max_frame_bytes: int,
        max_idle_s: float,
        admission: Admission | None = None,
        preambles: dict[bytes, Preamble] | None = None,
    ) -> None:
        self.name = name
        self._node = node
        self._clock = clock
        self._routes = table
        self._turn = turn
        self._max_frame_bytes = max_frame_bytes
        self._max_idle_s = max_idle_s
        self._admission = admission
        self._preambles = preambles or {}
        self._nursery: trio.Nursery | None = None
        self._connections: dict[Connection, float] = {}
        """When each connection was last heard, by the monotonic clock."""

    async def run(self, listener: Listener) -> None:
        """Accept until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._reap_idle)
            try:
                while True:
                    connection = await listener.accept()
                    if self._admitted(connection):
                        nursery.start_soon(self._serve, connection)
            finally:
                listener.close()

    def _admitted(self, connection: Connection) -> bool:
        """Whether there is room for one more; when not, it is closed at once."""
        refusal = self._admission.admit(connection.peer) if self._admission is not None else None
        if refusal is not None:
            log.warning(f"refusing {connection.peer}: {refusal}", listener=self.name)
            connection.close()
        return refusal is None

    async def _reap_idle(self) -> None:
        """Close connections that nobody uses (connections.max.idle.ms)."""
        while True:
            await self._clock.sleep(self._max_idle_s / 10)
            oldest = self._clock.monotonic() - self._max_idle_s
            for connection, heard in list(self._connections.items()):
                if heard < oldest:
                    connection.close()

    def _start_writer(self, answers: Answers) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(answers.write)

    async def _serve(self, connection: Connection) -> None:
        state = ConnectionState(peer=connection.peer, listener=self.name)
        self._connections[connection] = self._clock.monotonic()
        try:
            await self._converse(connection, state)
        except (BrokenConnection, trio.ClosedResourceError):
            pass  # The peer went away, or we closed it: both are how connections end.
        except (CloseConnection, FrameTooLarge, codec.MalformedMessage) as error:
            log.warning(
                f"closing the connection from {connection.peer}: {error}", listener=self.name
            )
        except Exception:
            # A defect of ours that one peer found: it must not reach the other connections.
            log.exception(f"the connection from {connection.peer} failed", listener=self.name)
        finally:
            self._connections.pop(connection, None)
            connection.close()
            if self._admission is not None:
                self._admission.release(connection.peer)
            for callback in state.on_close:
                callback()

    async def _converse(self, connection: Connection, state: ConnectionState) -> None:
        reader = FrameReader(self._max_frame_bytes)
        if self._preambles:
            first = await self._first_bytes(connection, reader)
            if first in self._preambles:
                self._connections.pop(connection)
                await self._preambles[first](connection, reader.rest())
                return
        answers = Answers(connection, self._turn, self._start_writer)
        frames = reader.frames(0)
        while True:
            await self._handle(frames, answers, state)
            while answers.clogged or answers.outstanding >= _MAX_OUTSTANDING:
                await answers.settled()
            received = await connection.receive_into(reader.space())
            if not received:
                return
            self._connections[connection] = self._clock.monotonic()
            frames = reader.frames(received)

    async def _first_bytes(self, connection: Connection, reader: FrameReader) -> bytes:
        while len(head := reader.head()) < 4:
            received = await connection.receive_into(reader.space(), reader.missing)
            if not received:
                raise BrokenConnection(connection.peer)
            reader.take(received)
        return head

    async def _handle(
        self, frames: list[memoryview], answers: Answers, state: ConnectionState
    ) -> None:
        """Answer frames in order; those that need no waiting share one turn."""
        turn = self._turn
        turn.begin()
        try:
            for frame in frames:
                call = self._dispatch(frame, answers, state)
                if call is not None:
                    turn.end()
                    try:
                        await call
                    finally:
                        turn.begin()
        finally:
            turn.end()

    def _dispatch(
        self, frame: memoryview, answers: Answers, state: ConnectionState
    ) -> Awaitable[None] | None:
        """Handle one frame now, or return what has to be awaited for it."""
        header = codec.decode_request_header(frame)
        route = self._routes.get(header.api_key)
        if route is None:
            raise CloseConnection(f"API key {header.api_key} is not served on {self.name}")
        if len(frame) > _MAX_CONTROL_BYTES and header.api_key not in _CARRIES_RECORDS:
            raise CloseConnection(
                f"{route.name} of {len(frame)} bytes; {_MAX_CONTROL_BYTES} are allowed"
            )
        context = Context(
            self._node,
            header.api_version,
            header.correlation_id,
            header.client_id,
            state.peer,
            state.listener,
            state,
            frame,
        )
        if not route.min_version <= header.api_version <= route.max_version:
            answers.put(self._unsupported(context, route))
            return None
        if route.is_async or route.forward:
            # It outlives this turn, and the receive buffer is reused by then.
            kept = memoryview(bytes(frame))
            context.frame = kept
            request = codec.decode_request(
                route.request, header.api_version, kept, header.body_offset
            )
            if route.concurrent:
                return self._answer_beside(context, route, request, answers)
            return self._await_answer(context, route, request, answers.put)
        request = codec.decode_request(route.request, header.api_version, frame, header.body_offset)
        try:
            answer = route.handler(context, request)
        except Exception as error:
            answer = failed(context, route, request, error)
        if isinstance(answer, Pending):
            answer.on_resolved(self._fill_later(context, answers))
        else:
            answers.put(encode_answer(context, answer))
        return None

    def _fill_later(self, context: Context, answers: Answers) -> Callable[[object], None]:
        """What puts an answer into its place, from wherever it is resolved.

        That is in the turn of another connection, which must not suffer from it.
        """
        fill = answers.reserve()

        def resolved(result: object) -> None:
            try:
                pieces = encode_answer(context, result)
            except Exception:
                log.exception(f"an answer to {context.peer} failed", listener=self.name)
                answers.close()
            else:
                fill(pieces)

        return resolved

    async def _await_answer(
        self, context: Context, route: Route, request: Any, put: Callable[[list[Piece]], None]
    ) -> None:
        forwarded = self._node.forward(context) if route.forward else None
        if forwarded is None:
            answer = await call(context, route, request)
        else:
            try:
                answer = await forwarded
            except KafkaError as error:
                answer = error_answer(route, request, error)
        put(encode_answer(context, answer))

    async def _answer_beside(
        self, context: Context, route: Route, request: Any, answers: Answers
    ) -> None:
        """As `_await_answer`, in a task of its own: the connection goes on meanwhile."""
        fill = answers.reserve()
        assert self._nursery is not None

        async def beside() -> None:
            try:
                await self._await_answer(context, route, request, fill)
            except (BrokenConnection, CloseConnection, trio.ClosedResourceError) as error:
                log.warning(f"{route.name} from {context.peer}: {error}", listener=self.name)
                answers.close()
            except Exception:
                # As in `_serve`: a defect of ours ends this connection and no other.
                log.exception(f"{route.name} from {context.peer} failed", listener=self.name)
                answers.close()

        self._nursery.start_soon(beside)

    def _unsupported(self, context: Context, route: Route) -> list[Any]:
        if route.api_key != _API_VERSIONS:
            raise CloseConnection(
                f"{route.name} version {context.api_version} is not supported"
                f" ({route.min_version} to {route.max_version} are); ask ApiVersions first"
            )
        # A newer client asks in a version we do not know: KIP-511 answers in version 0, with the
        # range, so that it can ask again.
        context.api_version = 0
        return encode_answer(context, self._node.api_versions(context.listener))
