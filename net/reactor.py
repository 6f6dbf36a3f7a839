"""Serves many connections in one task: everything that has arrived is handled in one turn.

A task for each connection is woken, runs for ten microseconds and waits again; for small requests
the switch, and arming the descriptor each time, cost as much as the request. Here one wait covers
all connections. A turn receives once from each readable connection, handles complete requests, and
sends once on each with answers. A connection that must wait (for an async handler, or a peer that
does not read) moves to a task of its own, and returns when it is done.

Fairness: a turn receives once from each connection, at most one buffer (128 KB, or one larger
frame), so a peer that floods the node only gets its share; a turn ends after a megabyte, so that
answers are sent and the node's other tasks run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio

from raftka.model.ports import Clock, Poller
from raftka.net.answers import Turn
from raftka.net.conversation import Conversation, Dispatch

_TURN_BYTES: Final = 1 << 20

Ended = Callable[[Conversation, Exception | None], None]


class Reactor:
    """Serves conversations that `poller` can watch. `ended` is called once for each."""

    def __init__(
        self,
        poller: Poller,
        dispatch: Dispatch,
        turn: Turn,
        clock: Clock,
        *,
        ended: Ended,
        start: Callable[[Callable[[], Awaitable[None]]], None],
    ) -> None:
        self._poller = poller
        self._dispatch = dispatch
        self._turn = turn
        self._clock = clock
        self._ended = ended
        self._start = start

    def serve(self, conversation: Conversation) -> bool:
        """Return whether this connection is served here from now on."""
        return self._poller.watch(conversation.connection, conversation)

    async def run(self) -> None:
        """Serve until cancelled; then the caller closes the conversations."""
        turn, take = self._turn, self._take
        while True:
            ready = await self._poller.ready()
            now_s, received = self._clock.monotonic(), 0
            turn.begin()
            try:
                for conversation in ready:
                    received += take(conversation, now_s)
                    if received > _TURN_BYTES:
                        received = 0
                        await self._between_turns()
            finally:
                turn.end()

    async def _between_turns(self) -> None:
        self._turn.end()
        try:
            await trio.lowlevel.checkpoint()
        finally:
            self._turn.begin()

    def _take(self, conversation: Conversation, now_s: float) -> int:
        """Receive once and handle complete requests; return the number of bytes."""
        try:
            if conversation.is_held_up:
                self._set_aside(conversation, None)
                return 0
            reader = conversation.reader
            received = conversation.connection.receive_now(reader.space())
            if received is None:
                return 0
            if not received:
                self._end(conversation, None)
                return 0
            conversation.heard_s = now_s
            conversation.frames = reader.frames(received)
            waiting = conversation.advance(self._dispatch)
        except Exception as error:
            self._end(conversation, error)
            return 0
        if waiting is not None:
            self._set_aside(conversation, waiting)
        return received

    def _end(self, conversation: Conversation, error: Exception | None) -> None:
        self._poller.forget(conversation.connection)
        self._ended(conversation, error)

    def _set_aside(self, conversation: Conversation, waiting: Awaitable[None] | None) -> None:
        """Move waiting work to a task of its own; nothing is received meanwhile."""
        self._poller.forget(conversation.connection)
        self._start(partial(self._wait, conversation, waiting))

    async def _wait(self, conversation: Conversation, waiting: Awaitable[None] | None) -> None:
        try:
            await conversation.go_on(self._dispatch, self._turn, waiting)
            self._poller.watch(conversation.connection, conversation)
        except Exception as error:
            self._ended(conversation, error)
        except BaseException:
            self._ended(conversation, None)
            raise
