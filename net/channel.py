"""The asking side of one connection: requests out, answers matched by correlation id.

Answers come in the order of the requests (protocol guide, "Network"), so a queue is enough; the
correlation id is checked, because an answer to another question is worse than none.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TypeVar

import trio

from raftka.model.ports import BrokenConnection, Connection, Network, Piece
from raftka.net.connection import FrameReader, FrameTooLarge
from raftka.net.protocol import codec
from raftka.net.protocol.message import Request, Response

_MAX_ANSWER_BYTES = 256 * 1024 * 1024
_CORRELATION = struct.Struct(">i")
R = TypeVar("R", bound=Response)


class _Waiting:
    __slots__ = ("arrived", "correlation_id", "frame")

    def __init__(self, correlation_id: int) -> None:
        self.correlation_id = correlation_id
        self.arrived = trio.Event()
        self.frame: memoryview | None = None


class Channel:
    """A connection to one peer, shared by any number of askers.

    Made by `open_channel`; `run` reads answers and must run for as long as it is used. When the
    connection breaks, every waiting request raises BrokenConnection, and so does every later one.
    """

    def __init__(self, connection: Connection, client_id: str) -> None:
        self.peer = connection.peer
        self.broken = False
        self._connection = connection
        self._client_id = client_id
        self._next_id = 0
        self._waiting: deque[_Waiting] = deque()
        self._send_lock = trio.Lock()

    async def run(self) -> None:
        """Read answers until the connection ends; never raises for that."""
        reader = FrameReader(_MAX_ANSWER_BYTES)
        try:
            while received := await self._connection.receive_into(reader.space(), reader.missing):
                for frame in reader.frames(received):
                    self._answered(memoryview(bytes(frame)))
        except (BrokenConnection, FrameTooLarge, trio.ClosedResourceError):
            pass  # The askers are told below.
        finally:
            self.close()

    def close(self) -> None:
        """Idempotent; waiting requests raise BrokenConnection."""
        self.broken = True
        self._connection.close()
        while self._waiting:
            self._waiting.popleft().arrived.set()

    async def ask(self, request: Request[R], version: int, *, timeout_s: float = 30.0) -> R:
        """Send a request and wait for its answer.

        Raises BrokenConnection, also when there is no answer within `timeout_s` seconds: an answer
        that is this late would come before those of later requests, so the connection is given up.
        """
        correlation_id = self._next_correlation_id()
        frame = await self.exchange(
            codec.encode_request(request, version, correlation_id, self._client_id),
            correlation_id,
            timeout_s=timeout_s,
        )
        _, message = codec.decode_response(request.RESPONSE, version, frame)
        return message

    async def exchange(
        self, pieces: list[Piece], correlation_id: int, *, timeout_s: float
    ) -> memoryview:
        """Send a whole frame and wait for the frame that answers it. Raises BrokenConnection."""
        waiting = _Waiting(correlation_id)
        with trio.move_on_after(timeout_s):
            await self._send(pieces, waiting)
            await waiting.arrived.wait()
            if waiting.frame is None:
                raise BrokenConnection(f"{self.peer}: the connection broke before the answer came")
            return waiting.frame
        self.close()
        raise BrokenConnection(f"{self.peer}: no answer within {timeout_s:g} s")

    async def _send(self, pieces: list[Piece], waiting: _Waiting) -> None:
        """A whole frame, behind those that others are sending."""
        if self._send_lock.locked():
            await self._send_lock.acquire()
        else:
            # As `acquire`, without giving way to other tasks: the wait for the answer does.
            self._send_lock.acquire_nowait()
        try:
            if self.broken:
                raise BrokenConnection(f"{self.peer}: the connection is closed")
            self._waiting.append(waiting)
            await self._connection.send(pieces)
        except trio.ClosedResourceError as error:
            raise BrokenConnection(f"{self.peer}: the connection is closed") from error
        except BaseException:
            # Half a frame may be out: nothing that follows could be understood.
            self.close()
            raise
        finally:
            self._send_lock.release()

    def _next_correlation_id(self) -> int:
        self._next_id = (self._next_id + 1) & 0x7FFFFFFF
        return self._next_id

    def _answered(self, frame: memoryview) -> None:
        if len(frame) < 4 or not self._waiting:
            raise BrokenConnection(f"{self.peer}: an answer that nobody asked for")
        waiting = self._waiting.popleft()
        (correlation_id,) = _CORRELATION.unpack_from(frame)
        if correlation_id != waiting.correlation_id:
            waiting.arrived.set()
            raise BrokenConnection(f"{self.peer}: an answer to another request")
        waiting.frame = frame
        waiting.arrived.set()


async def open_channel(
    network: Network, host: str, port: int, *, client_id: str, timeout_s: float = 5.0
) -> Channel:
    """Connect; the caller runs the channel in its nursery. Raises BrokenConnection."""
    return Channel(await network.connect(host, port, timeout_s=timeout_s), client_id)
