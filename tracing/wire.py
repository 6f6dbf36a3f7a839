"""Observes a process's network port: whole messages, as they are sent and received.

The bytes are passed on unchanged. Both protocols are decoded, Kafka's and the quorum's, which is
recognized by its first four bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from raftka.kraft.raft.codec import MalformedMessage as MalformedRaft
from raftka.kraft.raft.codec import decode as decode_raft
from raftka.kraft.raft.link import PREAMBLE, Refused, decode_hello
from raftka.model.ports import Connection, FileRegion, Listener, Network, Piece, Poller, bytes_of
from raftka.net.protocol import codec
from raftka.net.protocol.apis import APIS
from raftka.tracing.safely import Safely

_SIZE = 4
_NODE = re.compile(r"(?:raftka-node|broker)-(\d+)(?:-fetcher-\d+)?")
"""The client id of nodes in requests to each other."""
_FRAME_MAX = 1 << 28
"""A stream that announces a longer frame is not Kafka's protocol, but for example TLS: it is not
split into frames."""
Tap = Callable[[bytes], None]
Clear = Callable[[Tap, Callable[[], None]], Tap]
"""Decrypts one direction of a connection: ciphertext in, plaintext out. It also detects that the
inner stream ends before the connection does (TLS, close_notify)."""
Runs = Callable[[], bool]
"""Whether the process is still running."""


class Ends(NamedTuple):
    """The two ends of a connection, with the same names on both sides."""

    name: str
    """The same on both sides, and unique to the connection."""
    here: str
    there: str


class Message(NamedTuple):
    """One decoded message."""

    protocol: str
    """"kafka" or "raft"."""
    is_request: bool
    api: str
    version: int
    correlation_id: int
    client_id: str | None
    body: Any
    size: int
    carried: tuple[str, Any] | None = None
    """API and body of the request in an Envelope (KIP-590)."""


class Listening(Protocol):
    """The observer of a port."""

    def message(self, link: Link, message: Message, *, sent: bool) -> None:
        """A message passed; in the order of the bytes."""
        ...

    def broken(self, link: Link, reason: str) -> None:
        """The connection was closed on this side; called once."""
        ...


class Link:
    """One side of one connection."""

    def __init__(self, node: str, ends: Ends, dialed: bool) -> None:
        self.node = node
        self.ends = ends
        self.dialed = dialed
        self.there = ends.there
        """The node at the other end, once known."""
        self.client_id: str | None = None
        """The client id of the requesting side, once known."""
        self.is_raft: bool | None = None
        self.asked: dict[int, tuple[int, int]] = {}
        """API key and version of pending requests, by correlation id."""
        self.requests: dict[int, int] = {}
        """The events of these requests."""
        self.last_request = 0
        """The event of the newest request of a replica."""
        self.numbers = {True: 0, False: 0}
        """Messages sent and received so far."""
        self.ended = False


class _Direction:
    """Splits one direction's bytes into messages."""

    def __init__(self, link: Link, sent: bool, listening: Listening, clear: Clear | None) -> None:
        self.take: Tap = self._taken if clear is None else clear(self._taken, self._over)
        self.ended = False
        """Whether its sender has ended the stream inside the connection."""
        self._link = link
        self._sent = sent
        self._listening = listening
        self._data = bytearray()
        self._asks = sent == link.dialed
        self._greeted = False
        self._lost = False
        """Whether bytes arrived that no codec can decode: the rest is not parsed."""

    def _over(self) -> None:
        self.ended = True

    def _taken(self, data: bytes) -> None:
        if self._lost:
            return
        self._data += data
        if self._link.is_raft is None and self._asks:
            if len(self._data) < _SIZE:
                return
            self._link.is_raft = self._data[:_SIZE] == PREAMBLE
            if self._link.is_raft:
                del self._data[:_SIZE]
        while len(self._data) >= _SIZE:
            end = _SIZE + int.from_bytes(self._data[:_SIZE], "big")
            if end > _FRAME_MAX:
                self._lost = True
                self._data.clear()
                return
            if len(self._data) < end:
                return
            frame = bytes(self._data[_SIZE:end])
            del self._data[:end]
            self._frame(frame, end)

    def _frame(self, frame: bytes, size: int) -> None:
        link = self._link
        if link.is_raft and not self._greeted:
            self._greeted = True
            self._hello(frame)
            return
        try:
            if link.is_raft:
                message = Message("raft", False, "", 0, 0, None, decode_raft(frame), size)
            elif self._asks:
                message = self._request(frame, size)
            else:
                message = self._response(frame, size)
        except (MalformedRaft, codec.MalformedMessage, LookupError):
            self._lost = True
            return
        link.numbers[self._sent] += 1
        self._listening.message(link, message, sent=self._sent)

    def _hello(self, frame: bytes) -> None:
        """A replica identifies itself, or is refused, after which nothing follows."""
        try:
            replica = decode_hello(frame).replica
        except Refused:
            return
        if not self._sent:
            self._link.there = f"n{replica.id}"

    def _request(self, frame: bytes, size: int) -> Message:
        header = codec.decode_request_header(frame)
        api = APIS[header.api_key]
        kind = codec.REQUESTS[header.api_key]
        body = codec.decode_request(kind, header.api_version, frame, header.body_offset)
        self._link.client_id = header.client_id
        if not self._sent and (match := _NODE.fullmatch(header.client_id or "")) is not None:
            self._link.there = f"n{match[1]}"
        if getattr(body, "acks", -1) != 0:
            self._link.asked[header.correlation_id] = (header.api_key, header.api_version)
        return Message(
            "kafka",
            True,
            api.name,
            header.api_version,
            header.correlation_id,
            header.client_id,
            body,
            size,
            _carried(body) if api.name == "Envelope" else None,
        )

    def _response(self, frame: bytes, size: int) -> Message:
        correlation_id = int.from_bytes(frame[:4], "big", signed=True)
        key, version = self._link.asked.pop(correlation_id)
        kind = codec.REQUESTS[key].RESPONSE
        try:
            body = codec.decode_response(kind, version, frame)[1]
        except codec.MalformedMessage:
            # ApiVersions refuses a version in the format of version 0 (KIP-511).
            version = 0
            body = codec.decode_response(kind, version, frame)[1]
        name = APIS[key].name
        return Message("kafka", False, name, version, correlation_id, None, body, size)


def _carried(envelope: Any) -> tuple[str, Any]:
    header = codec.decode_request_header(envelope.request_data)
    kind = codec.REQUESTS[header.api_key]
    frame, version = envelope.request_data, header.api_version
    body = codec.decode_request(kind, version, frame, header.body_offset)
    return APIS[header.api_key].name, body


class TracedConnection:
    """A connection that reports its messages."""

    def __init__(
        self,
        inner: Connection,
        link: Link,
        listening: Listening,
        safely: Safely,
        clear: Clear | None = None,
        runs: Runs | None = None,
    ) -> None:
        self.peer = inner.peer
        self.inner = inner
        self._link = link
        self._listening = listening
        self._safely = safely
        self._runs = runs
        self._out = _Direction(link, True, listening, clear)
        self._in = _Direction(link, False, listening, clear)

    async def receive_into(self, buffer: bytearray | memoryview, at_least: int = 1) -> int:
        """Implements the port."""
        try:
            size = await self.inner.receive_into(buffer, at_least)
        except Exception as error:
            self._ended(str(error))
            raise
        if size:
            self._safely(self._in.take, bytes(buffer[:size]))
        else:
            self._ended("closed by the other side")
        return size

    def receive_now(self, buffer: bytearray | memoryview) -> int | None:
        """Implements the port."""
        try:
            size = self.inner.receive_now(buffer)
        except Exception as error:
            self._ended(str(error))
            raise
        if size:
            self._safely(self._in.take, bytes(buffer[:size]))
        elif size == 0:
            self._ended("closed by the other side")
        return size

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        """As the port says."""
        data = self._safely(_joined, pieces) if self._may_send() else None
        try:
            rest = self.inner.send_now(pieces)
        except Exception as error:
            self._ended(str(error))
            raise
        if data is not None:
            self._safely(self._out.take, data[: len(data) - sum(map(_size, rest))])
        return rest

    async def send(self, pieces: Sequence[Piece]) -> None:
        """As the port says."""
        if self._may_send():
            self._safely(lambda: self._out.take(_joined(pieces)))
        try:
            await self.inner.send(pieces)
        except Exception as error:
            self._ended(str(error))
            raise

    def close(self) -> None:
        """Implements the port."""
        self.inner.close()
        # TLS closes the inner stream first, and this side closes the connection after it has
        # received that.
        self._ended("closed by the other side" if self._in.ended else "closed here")

    def _may_send(self) -> bool:
        """Whether what the process sends gets out: the simulated ends of one that was killed still
        answer what they held, into the void."""
        return self._runs is None or self._runs()

    def _ended(self, reason: str) -> None:
        if not self._link.ended:
            self._link.ended = True
            self._safely(self._listening.broken, self._link, reason)


def _size(piece: Piece) -> int:
    return piece.size if isinstance(piece, FileRegion) else len(piece)


def _joined(pieces: Sequence[Piece]) -> bytes:
    return b"".join(map(bytes_of, pieces))


class _TracedPoller:
    """A poller that detects data inside of traced connections."""

    def __init__(self, inner: Poller) -> None:
        self._inner = inner
        self.ready = inner.ready
        self.close = inner.close

    def watch(self, connection: Connection, owner: Any) -> bool:
        return self._inner.watch(_inside(connection), owner)

    def forget(self, connection: Connection) -> None:
        self._inner.forget(_inside(connection))


def _inside(connection: Connection) -> Connection:
    return connection.inner if isinstance(connection, TracedConnection) else connection


class TracedListener:
    """A port whose connections report their messages."""

    def __init__(self, inner: Listener, network: TracedNetwork) -> None:
        self.port = inner.port
        self._inner = inner
        self._network = network

    async def accept(self) -> Connection:
        """Implements the port."""
        return self._network.traced(await self._inner.accept(), dialed=False)

    def close(self) -> None:
        """Implements the port."""
        self._inner.close()


class TracedNetwork:
    """A process's network port, observed."""

    def __init__(
        self,
        inner: Network,
        node: str,
        listening: Listening,
        ends: Callable[[Connection, bool], Ends | None],
        lock: AbstractContextManager[Any] | None = None,
        clear: Clear | None = None,
        runs: Runs | None = None,
    ) -> None:
        """`ends` names a connection, given whether this side dialed; None for one that is over.
        The observer holds `lock`. `clear` opens what is encrypted, where that is possible. `runs`
        answers whether the process has not been killed, where it could be without ending this."""
        self._inner = inner
        self._node = node
        self._listening = listening
        self._ends = ends
        self._lock = lock
        self._clear = clear
        self._runs = runs

    async def connect(self, host: str, port: int, *, timeout_s: float = 10.0) -> Connection:
        """Implements the port."""
        connection = await self._inner.connect(host, port, timeout_s=timeout_s)
        return self.traced(connection, dialed=True)

    async def listen(self, host: str, port: int, *, backlog: int = 1024) -> Listener:
        """Implements the port."""
        return TracedListener(await self._inner.listen(host, port, backlog=backlog), self)

    def poller(self) -> Poller | None:
        """Implements the port: a traced node has the same scheduler turns as an untraced one."""
        inner = self._inner.poller()
        return None if inner is None else _TracedPoller(inner)

    def traced(self, connection: Connection, *, dialed: bool) -> Connection:
        """Wrap a connection."""
        ends = Safely(f"a connection with {connection.peer}")(self._ends, connection, dialed)
        if ends is None:
            return connection
        link, safely = Link(self._node, ends, dialed), Safely(f"connection {ends.name}", self._lock)
        return TracedConnection(connection, link, self._listening, safely, self._clear, self._runs)
