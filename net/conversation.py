"""One connection to a listener: its received frames, its session, and its answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from raftka.model.ports import Clock, Connection
from raftka.net.answers import Answers, Turn
from raftka.net.connection import FrameReader
from raftka.net.dispatch import Outlet
from raftka.net.session import Session

_MAX_OUTSTANDING: Final = 1000
"""Unanswered requests of one connection at which reading from it pauses."""

Dispatch = Callable[[memoryview, Session, Outlet], Awaitable[None] | None]


class Conversation:
    """Requests in, answers out, in order; all frames are handled by `advance` and `go_on`."""

    __slots__ = ("_clock", "answers", "connection", "frames", "heard_s", "reader", "session")

    def __init__(
        self,
        connection: Connection,
        session: Session,
        reader: FrameReader,
        answers: Answers,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self.connection = connection
        self.session = session
        self.reader = reader
        self.answers = answers
        self.heard_s = clock.monotonic()
        """When bytes last arrived, by the monotonic clock."""
        self.frames: Sequence[memoryview] = ()
        """Received requests that are not handled yet; views of the reader's buffer."""

    @property
    def is_held_up(self) -> bool:
        """Whether the peer must read, or be answered, before more is received from it."""
        answers = self.answers
        return answers.clogged or answers.outstanding >= _MAX_OUTSTANDING

    def advance(self, dispatch: Dispatch) -> Awaitable[None] | None:
        """Handle the received frames; return what must be awaited before the next of them.

        Raises the error that closes the connection.
        """
        frames, self.frames = self.frames, ()
        answers = self.answers
        for index, frame in enumerate(frames):
            if answers.muted_until_s:
                self.frames = frames[index:]
                return self._wait_out()
            waiting = dispatch(frame, self.session, answers)
            if waiting is not None:
                self.frames = frames[index + 1 :]
                return waiting
        return None

    async def go_on(
        self, dispatch: Dispatch, turn: Turn, waiting: Awaitable[None] | None = None
    ) -> None:
        """Handle all received frames, and wait for whatever they and their answers wait for.

        Frames that need no waiting share one turn. Raises the error that closes the connection.
        """
        while True:
            if waiting is not None:
                await waiting
            turn.begin()
            try:
                waiting = self.advance(dispatch)
            finally:
                turn.end()
            if waiting is None:
                break
        while self.is_held_up:
            await self.answers.settled()

    async def _wait_out(self) -> None:
        """The client exceeded its quota: wait until its next request may be handled."""
        answers = self.answers
        while (left_s := answers.muted_until_s - self._clock.monotonic()) > 0:
            await self._clock.sleep(left_s)
        answers.muted_until_s = 0.0
