"""One listener of a node: accepts connections and hands their frames to the dispatcher.

One long-lived task per connection. Everything that one receive brought in is handled in one turn
and answered with one send; a task, a timeout or a checkpoint per request would cost more than the
request itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection, Clock, Connection, Listener
from raftka.net.admission import Admission
from raftka.net.answers import Answers, Turn
from raftka.net.connection import FrameReader, FrameTooLarge
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol.codec import MalformedMessage
from raftka.net.router import CloseConnection
from raftka.net.session import Session

_MAX_OUTSTANDING = 1000
"""Requests of one connection that may wait for their answer; then no more are read from it."""

log = get_logger(__name__)

Preamble = Callable[[Connection, bytes, Session], Awaitable[None]]


class Server:
    """Serves the listener `name`; `dispatcher` answers its requests.

    `arrival` is told who connects, and says for how many seconds, if any, that connection is held
    before it is closed unserved. `preambles` are the other protocols on the same port, by the four
    bytes that they start with.
    """

    def __init__(
        self,
        dispatcher: Dispatcher[Any],
        *,
        name: str,
        turn: Turn,
        clock: Clock,
        max_frame_bytes: int,
        max_idle_s: float,
        admission: Admission | None = None,
        arrival: Callable[[str], float] | None = None,
        preambles: dict[bytes, Preamble] | None = None,
    ) -> None:
        self.name = name
        self._dispatcher = dispatcher
        self._clock = clock
        self._turn = turn
        self._max_frame_bytes = max_frame_bytes
        self._max_idle_s = max_idle_s
        self._admission = admission
        self._arrival = arrival
        self._preambles = preambles or {}
        self._nursery: trio.Nursery | None = None
        self._connections: dict[Connection, float] = {}
        """When each connection was last heard, by the monotonic clock."""
        self.accepted_count = 0
        """Connections that were accepted since the start."""

    @property
    def connection_count(self) -> int:
        """Connections that are open, other protocols on the same port apart."""
        return len(self._connections)

    async def run(self, listener: Listener) -> None:
        """Accept until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._reap_idle)
            try:
                while True:
                    connection = await listener.accept()
                    held_s = self._arrival(connection.peer) if self._arrival is not None else 0.0
                    if held_s > 0:
                        nursery.start_soon(self._turn_away, connection, held_s)
                    elif self._admitted(connection):
                        self.accepted_count += 1
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

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(work)

    async def _serve(self, connection: Connection) -> None:
        session = Session(peer=connection.peer, listener=self.name)
        self._connections[connection] = self._clock.monotonic()
        log.debug(f"{connection.peer} connects", listener=self.name)
        try:
            await self._converse(connection, session)
        except (BrokenConnection, trio.ClosedResourceError):
            pass  # The peer went away, or we closed it: both are how connections end.
        except (CloseConnection, FrameTooLarge, MalformedMessage) as error:
            log.warning(
                f"closing the connection from {connection.peer}: {error}", listener=self.name
            )
        except Exception:
            # A defect of ours that one peer found: it must not reach the other connections.
            log.exception(f"the connection from {connection.peer} failed", listener=self.name)
        finally:
            self._connections.pop(connection, None)
            log.debug(f"the connection from {connection.peer} has ended", listener=self.name)
            connection.close()
            if self._admission is not None:
                self._admission.release(connection.peer)
            session.closed()

    async def _converse(self, connection: Connection, session: Session) -> None:
        reader = FrameReader(self._max_frame_bytes)
        if self._preambles:
            first = await self._first_bytes(connection, reader)
            if first in self._preambles:
                self._connections.pop(connection)
                await self._preambles[first](connection, reader.rest(), session)
                return
        answers = Answers(connection, self._turn, self._start)
        frames = reader.frames(0)
        while True:
            await self._handle(frames, answers, session)
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

    async def _handle(self, frames: list[memoryview], answers: Answers, session: Session) -> None:
        """Answer frames in order; those that need no waiting share one turn."""
        dispatch = self._dispatcher.dispatch
        turn = self._turn
        turn.begin()
        try:
            for frame in frames:
                if answers.muted_until_s:
                    turn.end()
                    try:
                        await self._wait_out(answers)
                    finally:
                        turn.begin()
                waiting = dispatch(frame, session, answers)
                if waiting is not None:
                    turn.end()
                    try:
                        await waiting
                    finally:
                        turn.begin()
        finally:
            turn.end()

    async def _wait_out(self, answers: Answers) -> None:
        """The client has used more than its quota: it must wait before its next request."""
        while (left_s := answers.muted_until_s - self._clock.monotonic()) > 0:
            await self._clock.sleep(left_s)
        answers.muted_until_s = 0.0

    async def _turn_away(self, connection: Connection, after_s: float) -> None:
        """Close a connection too many of its address, and not before: it would come back at once
        (KIP-612)."""
        try:
            await self._clock.sleep(after_s)
        finally:
            connection.close()
