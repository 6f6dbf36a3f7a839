"""One listener of a node: accepts connections and passes their frames to the dispatcher.

All requests of one receive are handled in one turn and answered with one send; a task, a timeout or
a checkpoint per request would cost more than the request itself. If the network can poll
connections, one task serves all of them (reactor.py); otherwise, and while a request must wait,
each has a long-lived task of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import trio

from raftka.model.access import Principal
from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection, Clock, Connection, Listener, Poller
from raftka.net.admission import Admission
from raftka.net.answers import Answers, Turn
from raftka.net.connection import FrameReader, FrameTooLarge
from raftka.net.conversation import Conversation
from raftka.net.protocol.codec import MalformedMessage
from raftka.net.reactor import Reactor
from raftka.net.router import CloseConnection
from raftka.net.session import Authenticating, Session

if TYPE_CHECKING:
    from raftka.net.request_spans import Dispatches

_AUTHENTICATION_S = 30.0
"""The timeout of a client's authentication."""

log = get_logger(__name__)

Secure = Callable[[Connection], Awaitable[tuple[Connection, Principal]]]
"""Performs the TLS handshake: returns the encrypted stream and the peer's principal."""

Preamble = Callable[[Connection, bytes, Session], Awaitable[None]]


class Server:
    """Serves the listener `name`; `dispatcher` answers its requests.

    `arrival` gets the client's address, and returns how long the connection is held before it is
    closed unserved, if it is refused. `preambles` are the other protocols on the same port, by
    their first four bytes. `poller` polls connections that one task can serve; it is not used with
    preambles, whose protocols receive by themselves.
    """

    def __init__(
        self,
        dispatcher: Dispatches,
        *,
        name: str,
        turn: Turn,
        clock: Clock,
        max_frame_bytes: int,
        max_idle_s: float,
        admission: Admission | None = None,
        arrival: Callable[[str], float] | None = None,
        preambles: dict[bytes, Preamble] | None = None,
        poller: Poller | None = None,
        authentication: Callable[[], Authenticating] | None = None,
        max_token_bytes: int = 0,
        secure: Secure | None = None,
    ) -> None:
        self.name = name
        self._dispatch = dispatcher.dispatch
        self._clock = clock
        self._turn = turn
        self._max_frame_bytes = max_frame_bytes
        self._max_idle_s = max_idle_s
        self._admission = admission
        self._arrival = arrival
        self._preambles = preambles or {}
        self._authentication = authentication
        self._max_token_bytes = max_token_bytes
        self._secure = secure
        self._nursery: trio.Nursery | None = None
        self._conversations: dict[Conversation, None] = {}
        self._poller = poller
        self._reactor: Reactor | None = None
        if poller is not None:
            self._reactor = Reactor(
                poller, self._dispatch, turn, clock, ended=self._ended, start=self._start
            )
        self.accepted_count = 0
        """The number of accepted connections since the start."""

    @property
    def connection_count(self) -> int:
        """The number of open connections, without other protocols on the same port."""
        return len(self._conversations)

    async def run(self, listener: Listener) -> None:
        """Accept until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._reap_idle)
                if self._reactor is not None:
                    nursery.start_soon(self._reactor.run)
                while True:
                    connection = await listener.accept()
                    held_s = self._arrival(connection.peer) if self._arrival is not None else 0.0
                    if held_s > 0:
                        nursery.start_soon(self._turn_away, connection, held_s)
                    elif self._admitted(connection):
                        self.accepted_count += 1
                        self._take(connection)
        finally:
            listener.close()
            if self._poller is not None:
                self._poller.close()
            for conversation in tuple(self._conversations):
                self._ended(conversation, None)

    def _take(self, connection: Connection) -> None:
        """Serve it with the others, or in a task of its own."""
        conversation = self._begin(connection)
        # TLS is a stream over the connection, and a login takes time: both need their own task.
        alone = self._secure is not None or self._authentication is not None
        if alone or self._reactor is None or not self._reactor.serve(conversation):
            self._start(partial(self._serve_alone, conversation))

    def sessions(self) -> Iterator[Session]:
        """The sessions of the open connections, without the quorum's."""
        return (each.session for each in self._conversations)

    def _admitted(self, connection: Connection) -> bool:
        """Return whether there is room for one more; otherwise it is closed at once."""
        refusal = self._admission.admit(connection.peer) if self._admission is not None else None
        if refusal is not None:
            log.warning(f"refusing {connection.peer}: {refusal}", listener=self.name)
            connection.close()
        return refusal is None

    async def _reap_idle(self) -> None:
        """Close idle connections (connections.max.idle.ms)."""
        while True:
            await self._clock.sleep(self._max_idle_s / 10)
            oldest = self._clock.monotonic() - self._max_idle_s
            for conversation in list(self._conversations):
                if conversation.heard_s < oldest:
                    conversation.connection.close()

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(work)

    def _begin(self, connection: Connection) -> Conversation:
        conversation = Conversation(
            connection,
            Session(peer=connection.peer, listener=self.name),
            FrameReader(self._max_frame_bytes),
            Answers(connection, self._turn, self._start),
            self._clock,
        )
        if self._authentication is not None:
            conversation.session.authentication = self._authentication()
        self._conversations[conversation] = None
        log.debug(f"{connection.peer} connects", listener=self.name)
        return conversation

    def _ended(self, conversation: Conversation, error: Exception | None) -> None:
        """Close the connection and release its state; `error` is being handled."""
        peer = conversation.connection.peer
        if isinstance(error, CloseConnection | FrameTooLarge | MalformedMessage):
            log.warning(f"closing the connection from {peer}: {error}", listener=self.name)
        elif error is not None and not isinstance(
            error,
            # The peer closed it, or this node did: both are normal.
            BrokenConnection | trio.ClosedResourceError,
        ):
            # An internal error that one peer triggered: it must not affect the other connections.
            log.exception(f"the connection from {peer} failed", listener=self.name)
        self._conversations.pop(conversation, None)
        log.debug(f"the connection from {peer} has ended", listener=self.name)
        conversation.connection.close()
        if self._admission is not None:
            self._admission.release(peer)
        conversation.session.closed()

    async def _serve_alone(self, conversation: Conversation) -> None:
        """Serve a connection in a task of its own."""
        try:
            await self._converse(conversation)
        except Exception as error:
            self._ended(conversation, error)
        except BaseException:
            self._ended(conversation, None)
            raise
        else:
            self._ended(conversation, None)

    async def _converse(self, conversation: Conversation) -> None:
        session, reader = conversation.session, conversation.reader
        if self._secure is not None:
            secured, session.principal = await self._secure(conversation.connection)
            conversation.connection = secured
            conversation.answers = Answers(secured, self._turn, self._start)
        if session.authentication is not None:
            reader.limit = self._max_token_bytes
            await self._authenticate(conversation, session.authentication)
            reader.limit = self._max_frame_bytes
        connection = conversation.connection
        if self._preambles:
            first = await self._first_bytes(connection, reader)
            if first in self._preambles:
                self._conversations.pop(conversation)
                await self._preambles[first](connection, reader.rest(), conversation.session)
                return
        conversation.frames = reader.frames(0)
        while True:
            await conversation.go_on(self._dispatch, self._turn)
            received = await connection.receive_into(reader.space())
            if not received:
                return
            conversation.heard_s = self._clock.monotonic()
            conversation.frames = reader.frames(received)

    async def _authenticate(
        self, conversation: Conversation, authentication: Authenticating
    ) -> None:
        """Answer requests until the client has authenticated. A timeout raises CloseConnection."""
        reader = conversation.reader
        with self._clock.within(_AUTHENTICATION_S) as limit:
            while not authentication.is_complete:
                received = await conversation.connection.receive_into(reader.space())
                if not received:
                    raise BrokenConnection(conversation.connection.peer)
                conversation.frames = reader.frames(received)
                await conversation.go_on(self._dispatch, self._turn)
        if limit.cancelled_caught:
            raise CloseConnection(f"it was not authenticated within {_AUTHENTICATION_S:g} s")

    async def _first_bytes(self, connection: Connection, reader: FrameReader) -> bytes:
        while len(head := reader.head()) < 4:
            received = await connection.receive_into(reader.space(), reader.missing)
            if not received:
                raise BrokenConnection(connection.peer)
            reader.take(received)
        return head

    async def _turn_away(self, connection: Connection, after_s: float) -> None:
        """Close a connection above its address's rate, but only after a delay: the client would
        reconnect at once (KIP-612)."""
        try:
            await self._clock.sleep(after_s)
        finally:
            connection.close()
