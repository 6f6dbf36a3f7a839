"""The send side of one connection: answers are sent in the order of their requests.

Kafka's clients match answers by order, so an answer that is ready waits for earlier ones. Most are
ready at once, and all answers to the requests of one receive are sent by one system call; a delayed
answer (acks=all, a long fetch) is sent where it is resolved, without waking the connection's own
task.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import trio

from raftka.model.ports import BrokenConnection, Connection, Piece


class Turn:
    """A stretch of synchronous work at whose end ready answers are sent.

    One per node. While a turn is open, connections collect; when it closes, each sends once. So one
    follower's fetch that completes thirty waiting produce requests costs one send, not thirty. A
    turn within a turn is part of it.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._ready: list[Answers] = []
        self._last: list[Callable[[], None]] = []
        self.when_sent: Callable[[], None] | None = None
        """Called at the end of each turn, when its answers were sent."""

    @property
    def is_open(self) -> bool:
        """Whether answers are being collected."""
        return self._depth > 0

    def begin(self) -> None:
        """Open a turn, or a nested one; `end` must follow."""
        self._depth += 1

    def add(self, answers: Answers) -> None:
        """Have these sent at the end of the turn, or now if none is open."""
        if self._depth:
            self._ready.append(answers)
        else:
            answers.flush()

    def before_end(self, work: Callable[[], None]) -> None:
        """Do this at the end of the turn, or now if none is open.

        It completes a follower's waiting fetch: once for all the records of a turn.
        """
        if self._depth:
            self._last.append(work)
        else:
            work()

    def end(self) -> None:
        """Close the turn; the outermost one sends the answers that became ready in it."""
        if self._depth > 1:
            self._depth -= 1
            return
        try:
            while self._last:
                last, self._last = self._last, []
                for work in last:
                    work()
        finally:
            self._depth = 0
        # Sending cannot resolve further answers, so one pass is sufficient.
        ready, self._ready = self._ready, []
        for answers in ready:
            answers.flush()
        if self.when_sent is not None:
            self.when_sent()


class _Slot:
    """The position of one answer in the order."""

    __slots__ = ("_answers", "pieces")

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.pieces: list[Piece] | None = None

    def fill(self, pieces: list[Piece]) -> None:
        """The answer is ready: if it is the next one, it is sent at the end of the turn."""
        self.pieces = pieces
        answers = self._answers
        if not answers.is_queued:
            answers.is_queued = True
            answers.turn.add(answers)


class Answers:
    """The ordered answers of one connection, and the data that the kernel has not accepted yet."""

    def __init__(
        self,
        connection: Connection,
        turn: Turn,
        start: Callable[[Callable[[], Awaitable[None]]], None],
    ) -> None:
        self.start = start
        """Runs something in a task of its own, while the connection's listener runs."""
        self._connection = connection
        self.turn = turn
        self._waiting: deque[_Slot] = deque()
        self._unsent: list[Piece] = []
        self.is_queued = False
        """Whether the open turn will flush this at its end."""
        self._writing = False
        self._broken = False
        self.muted_until_s = 0.0
        """Until this time no further request is handled; 0 if requests may be handled."""
        self._settled: trio.Event | None = None
        """Set while the connection's task waits until an answer is ready, or written."""

    @property
    def outstanding(self) -> int:
        """Requests whose answer is not ready, or waits for an earlier one."""
        return len(self._waiting)

    @property
    def clogged(self) -> bool:
        """Whether the peer reads too slowly: then no further requests are read from it."""
        return self._writing

    def put(self, pieces: list[Piece]) -> None:
        """Add the next answer, which is ready."""
        if self._waiting:
            slot = _Slot(self)
            slot.pieces = pieces
            self._waiting.append(slot)
        elif pieces:
            self._unsent += pieces
            if not self.is_queued:
                self.is_queued = True
                self.turn.add(self)

    def reserve(self) -> Callable[[list[Piece]], None]:
        """Reserve the position of the next answer; call the returned function when it is ready."""
        slot = _Slot(self)
        self._waiting.append(slot)
        return slot.fill

    def flush(self) -> None:
        """Send ready answers; a writer task takes over if the kernel's buffer is full."""
        self.is_queued = False
        waiting = self._waiting
        if waiting and waiting[0].pieces is not None:
            while waiting and (ready := waiting[0].pieces) is not None:
                waiting.popleft()
                self._unsent += ready
            self._wake()
        if self._broken:
            self._unsent = []
        if self._writing or not self._unsent:
            return
        pieces, self._unsent = self._unsent, []
        try:
            self._unsent = self._connection.send_now(pieces)
        except (BrokenConnection, trio.ClosedResourceError):
            self.close()
            return
        if self._unsent:
            self._writing = True
            self.start(self._write)

    async def _write(self) -> None:
        """The writer task: runs until the kernel has accepted everything."""
        try:
            while self._unsent:
                pieces, self._unsent = self._unsent, []
                await self._connection.send(pieces)
        except (BrokenConnection, trio.ClosedResourceError):
            self.close()
        finally:
            self._writing = False
            self._wake()

    async def settled(self) -> None:
        """Wait until something was answered or written after this call."""
        self._settled = settled = trio.Event()
        await settled.wait()

    def _wake(self) -> None:
        if self._settled is not None:
            self._settled.set()
            self._settled = None

    def mute(self, until_s: float) -> None:
        """Handle no further requests of the connection until then (KIP-219)."""
        self.muted_until_s = max(self.muted_until_s, until_s)

    def close(self) -> None:
        """Send nothing more; the receiving task notices because its next receive fails."""
        self._broken = True
        self._unsent = []
        self._connection.close()
        self._wake()
