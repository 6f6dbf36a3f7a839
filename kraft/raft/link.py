"""The connection between two replicas: the peer's identity, and messages in order until it breaks.

A link starts with four bytes that distinguish it from Kafka's protocol on the same port, and a
hello in both directions: version, cluster, node, directory. A mismatch is refused with a message.
Then both sides send frames (codec.py) until the connection closes; there is at most one link
between two replicas, and when it breaks both know that messages in flight may be lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import Any, Final, TypeVar

import msgpack
import trio

from raftka.kraft.raft.codec import SIZE, MalformedMessage, Message, decode
from raftka.kraft.raft.port import ReplicaKey
from raftka.model.dataclass import dataclass
from raftka.model.ports import BrokenConnection, Clock, Connection, FileRegion, Piece

T = TypeVar("T")

PREAMBLE: Final = b"RFTK"
VERSION: Final = 1
HELLO_BYTES_MAX: Final = 1024
HANDSHAKE_TIMEOUT_S: Final = 5.0
OUTGOING_BYTES_MAX: Final = 64 * 1024 * 1024
INBOX_BYTES_MAX: Final = 32 * 1024 * 1024
_READ_BYTES: Final = 128 * 1024


class Refused(Exception):
    """The two sides do not match, or already have a link; the message has the reason."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The identification of a replica."""

    cluster_id: str
    replica: ReplicaKey

    def encode(self) -> bytes:
        body = msgpack.packb([VERSION, self.cluster_id, *self.replica])
        return SIZE.pack(len(body)) + bytes(body)


def encode_refusal(reason: str) -> bytes:
    body = msgpack.packb(reason[:500])
    return SIZE.pack(len(body)) + bytes(body)


def decode_hello(body: bytes) -> Hello:
    """Raises Refused with the other side's message, or ours for a malformed hello."""
    try:
        content: Any = msgpack.unpackb(body)
        if isinstance(content, str):
            raise Refused(content)
        version, cluster_id, node_id, directory_id = content
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise Refused(f"what it sent is no hello of a replica: {error}") from error
    if version != VERSION:
        raise Refused(f"it speaks version {version} of the quorum's protocol, not {VERSION}")
    known = (str, int, bytes)
    if (type(cluster_id), type(node_id), type(directory_id)) != known or len(directory_id) != 16:
        raise Refused("its hello names no cluster, node and directory")
    return Hello(cluster_id, ReplicaKey(node_id, directory_id))


class Inbox:
    """Messages from the links, in order, for the driver; bounded by blocking the readers."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._items: deque[tuple[Link, Message | bool, int]] = deque()
        self._bytes = 0
        self._wake = wake
        self._drained: trio.Event | None = None
        """Set while a reader waits for room."""

    def put(self, link: Link, item: Message | bool, size: int = 0) -> None:
        """Add a message, or True for a link that is up and False for one that is down."""
        self._items.append((link, item, size))
        self._bytes += size
        self._wake()

    async def room(self) -> None:
        while self._bytes > INBOX_BYTES_MAX:
            self._drained = self._drained or trio.Event()
            await self._drained.wait()

    def __bool__(self) -> bool:
        return bool(self._items)

    def take(self) -> tuple[Link, Message | bool]:
        link, item, size = self._items.popleft()
        self._bytes -= size
        if self._drained is not None and not self._items:
            self._drained.set()
            self._drained = None
        return link, item


@dataclass(eq=False)
class Link:
    """One connection to another replica after its hello."""

    connection: Connection
    replica: ReplicaKey
    dialed: bool
    """Whether this side dialed."""
    since: float
    unread: bytearray = field(default_factory=bytearray)
    closed: trio.Event = field(default_factory=trio.Event)
    opening: bytes = b""
    """Sent before everything else."""
    given_up: bool = False
    """Whether this side closed it only to redial, which proves nothing about the peer."""
    _outgoing: list[Piece] = field(default_factory=list)
    _outgoing_bytes: int = 0
    _writing: bool = True
    _more: trio.Event = field(default_factory=trio.Event)

    def send(self, frames: list[bytes]) -> None:
        """Send frames, at once if possible. A peer that reads too slowly loses the link."""
        pieces: list[Piece] = [*frames]
        if not self._writing:
            try:
                pieces = self.connection.send_now(pieces)
            except (BrokenConnection, trio.ClosedResourceError):
                self.close()
                return
        if pieces:
            self._outgoing += pieces
            self._outgoing_bytes += sum(map(_size, pieces))
            self._writing = True
            self._more.set()
            if self._outgoing_bytes > OUTGOING_BYTES_MAX:
                self.close()

    def close(self) -> None:
        self.connection.close()
        self.closed.set()

    async def run(self, inbox: Inbox, frame_bytes_max: int) -> str:
        """Read and write until the connection closes; return the reason."""
        reason = "closed here"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            try:
                reason = await self._read(inbox, frame_bytes_max)
            except (BrokenConnection, MalformedMessage) as error:
                reason = str(error)
            except trio.ClosedResourceError:
                pass  # This side closed it: the reason is set above.
            finally:
                self.close()
            nursery.cancel_scope.cancel()
        return reason

    async def _write(self) -> None:
        """Send the rest that the socket did not accept at once."""
        try:
            await self.connection.send([self.opening])
            while True:
                while self._outgoing:
                    pieces, self._outgoing = self._outgoing, []
                    await self.connection.send(pieces)
                    self._outgoing_bytes -= sum(map(_size, pieces))
                self._writing = False
                self._more = trio.Event()
                await self._more.wait()
        except (BrokenConnection, trio.ClosedResourceError):
            self.close()

    async def _read(self, inbox: Inbox, frame_bytes_max: int) -> str:
        buffer, chunk = self.unread, bytearray(_READ_BYTES)
        while True:
            offset = 0
            while len(buffer) - offset >= SIZE.size:
                (size,) = SIZE.unpack_from(buffer, offset)
                if size > frame_bytes_max:
                    raise MalformedMessage(f"a frame of {size} bytes")
                end = offset + SIZE.size + size
                if end > len(buffer) or self.closed.is_set():
                    break
                inbox.put(self, decode(bytes(buffer[offset + SIZE.size : end])), size)
                offset = end
            del buffer[:offset]
            await inbox.room()
            received = await self.connection.receive_into(chunk)
            if not received:
                return "closed by the other side"
            buffer += memoryview(chunk)[:received]


def _size(piece: Piece) -> int:
    return piece.size if isinstance(piece, FileRegion) else len(piece)


async def read_hello(connection: Connection, unread: bytearray) -> bytes:
    """The body of the first frame; the bytes after it stay in `unread`."""
    chunk = bytearray(HELLO_BYTES_MAX)
    size = None
    while size is None or len(unread) < SIZE.size + size:
        if size is None and len(unread) >= SIZE.size:
            (size,) = SIZE.unpack_from(unread)
            if size > HELLO_BYTES_MAX:
                raise Refused("what it sent is no hello of a replica")
            continue
        received = await connection.receive_into(chunk)
        if not received:
            raise BrokenConnection(f"{connection.peer}: closed before its hello")
        unread += chunk[:received]
    body = bytes(unread[SIZE.size : SIZE.size + size])
    del unread[: SIZE.size + size]
    return body


async def within(clock: Clock, seconds: float, work: Callable[[], Awaitable[T]], what: str) -> T:
    """The result of `work`, or BrokenConnection if it takes longer."""
    with clock.within(seconds):
        return await work()
    raise BrokenConnection(f"{what}: no answer within {seconds:g} s")
