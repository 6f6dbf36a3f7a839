"""Requests to a node's handlers without a network: through the dispatcher, as a listener would."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from raftka.model.ports import Piece
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol import codec
from raftka.net.protocol.message import Request, Response
from raftka.net.session import Session
from tests.support.wire import joined

R = TypeVar("R", bound=Response)


class Answer(Generic[R]):
    """The answer to one request, now or later; stands where a connection's answers go."""

    def __init__(self, response: type[R], version: int) -> None:
        self._response = response
        self._version = version
        self._frame: bytes | None = None
        self._beside: Callable[[], Awaitable[None]] | None = None
        self.is_closed = False
        self.muted_until_s = 0.0

    def put(self, pieces: list[Piece]) -> None:
        assert self._frame is None, "a request is answered once"
        self._frame = joined(pieces)

    def reserve(self) -> Callable[[list[Piece]], None]:
        return self.put

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        self._beside = work

    async def beside(self) -> None:
        """Do what a listener does in a task of its own."""
        if self._beside is not None:
            await self._beside()

    def mute(self, until_s: float) -> None:
        self.muted_until_s = until_s

    def close(self) -> None:
        self.is_closed = True

    @property
    def is_waiting(self) -> bool:
        return self._frame is None

    @property
    def is_nothing(self) -> bool:
        """Whether there never is an answer, as with acks=0."""
        return self._frame == b""

    @property
    def message(self) -> R:
        assert self._frame is not None, "there is no answer yet"
        assert self._frame, "this is never answered"
        size = int.from_bytes(self._frame[:4], "big")
        assert size == len(self._frame) - 4
        return codec.decode_response(self._response, self._version, self._frame[4:])[1]


def ask(
    dispatcher: Dispatcher[Any], session: Session, request: Request[R], version: int
) -> tuple[Answer[R], Awaitable[None] | None]:
    """Dispatch a request, encoded both ways; returns what must be awaited."""
    answer = Answer(type(request).RESPONSE, version)
    frame = joined(codec.encode_request(request, version, 5, "test"))[4:]
    # Like a listener's buffer, it may be overwritten once it was dispatched.
    return answer, dispatcher.dispatch(memoryview(bytearray(frame)), session, answer)


async def answered(
    dispatcher: Dispatcher[Any], session: Session, request: Request[R], version: int
) -> R:
    """Send a request, and wait for handlers that wait."""
    answer, waiting = ask(dispatcher, session, request, version)
    if waiting is not None:
        await waiting
    await answer.beside()
    return answer.message
