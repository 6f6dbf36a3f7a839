"""TLS over the connection port: a stream over any other stream.

Data is encrypted piece by piece; ciphertext that the inner stream does not accept at once is kept
and sent first the next time, since it cannot be encrypted a second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from raftka.model.access import ANONYMOUS, Principal
from raftka.model.ports import (
    AuthenticationFailed,
    BrokenConnection,
    Clock,
    Connection,
    FileRegion,
    Piece,
    TlsContext,
    TlsFailure,
    TlsStream,
)
from raftka.net.router import CloseConnection
from raftka.net.security.names import NameRules

_CHUNK: Final = 256 * 1024
_RECEIVE: Final = 64 * 1024
_HANDSHAKE_S: Final = 10.0
"""The timeout of a client's handshake."""
_AT_ONCE: Final = 256
_AT_ONCE_OF_ONE_ADDRESS: Final = 32
"""Concurrent handshakes of one address: each costs the server much more than the client."""


class TlsConnection:
    """One side of a TLS stream over `inner`; the handshake comes first."""

    def __init__(self, inner: Connection, stream: TlsStream) -> None:
        self.peer = inner.peer
        self._inner = inner
        self._tls = stream
        self._buffer = bytearray(_RECEIVE)
        self._unsent: list[Piece] = []
        """Ciphertext that the inner stream has not accepted yet."""
        self._agreed = False
        """Whether the handshake has finished, and this side has not closed."""
        self._is_sending = False
        """Whether the inner stream may have a partial record; also after an interrupted send."""

    async def shake_hands(self) -> None:
        """Raises TlsFailure, BrokenConnection."""
        while True:
            try:
                self._agreed = self._tls.shake_hands()
            except TlsFailure:
                # Send the alert with the reason, if possible.
                await self._flush()
                raise
            await self._flush()
            if self._agreed:
                return
            if not await self._receive():
                raise BrokenConnection(f"{self.peer}: it went away during the TLS handshake")

    @property
    def subject(self) -> str | None:
        """The distinguished name in the peer's certificate; None if it sent none."""
        return self._tls.subject

    async def receive_into(self, buffer: bytearray | memoryview, at_least: int = 1) -> int:
        while (size := self._decrypted(buffer)) is None:
            self._answer()
            if not await self._receive():
                return 0
        return size

    def receive_now(self, buffer: bytearray | memoryview) -> int | None:
        while (size := self._decrypted(buffer)) is None:
            received = self._inner.receive_now(self._buffer)
            if received is None:
                return None
            self._take(received)
            if not received:
                return 0
        return size

    def _decrypted(self, buffer: bytearray | memoryview) -> int | None:
        """Data that is available; None if more must be received first, 0 at the end."""
        try:
            return self._tls.read(buffer)
        except TlsFailure as error:
            raise BrokenConnection(f"{self.peer}: TLS: {error}") from error

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        if self._unsent:
            self._unsent = self._inner.send_now(self._unsent)
            if self._unsent:
                return pieces
        chunks = _chunks(pieces)
        for chunk in chunks:
            self._encrypt(chunk)
            self._unsent = self._inner.send_now([self._tls.give()])
            if self._unsent:
                # An empty piece makes the caller return for the ciphertext.
                return list(chunks) or [b""]
        return []

    async def send(self, pieces: Sequence[Piece]) -> None:
        for chunk in _chunks(pieces):
            await self._flush()
            self._encrypt(chunk)
        await self._flush()

    def close(self) -> None:
        if self._agreed:
            self._agreed = False
            if not self._unsent and not self._is_sending:
                # The close alert proves to the other side that the stream was not truncated. Send
                # it only if that is possible at once: a peer that reads nothing must not delay
                # closing.
                self._tls.finish()
                with suppress(BrokenConnection):
                    self._inner.send_now([self._tls.give()])
        self._inner.close()

    def _encrypt(self, chunk: bytes | bytearray | memoryview) -> None:
        try:
            if len(chunk):
                self._tls.write(chunk)
        except TlsFailure as error:
            raise BrokenConnection(f"{self.peer}: TLS: {error}") from error

    async def _flush(self) -> None:
        """Send all ciphertext, in the sending task."""
        self._collect()
        while self._unsent:
            unsent, self._unsent = self._unsent, []
            self._is_sending = True
            await self._inner.send(unsent)
            self._is_sending = False

    def _answer(self) -> None:
        """Send the protocol's own answers, for example to a key update, in the receiving task.

        It never waits: if the sending task is in the middle of a record, it sends them after it. A
        key update of this side may wait for the next record to send (RFC 8446, section 4.6.3).
        """
        self._collect()
        if self._unsent and not self._is_sending:
            self._unsent = self._inner.send_now(self._unsent)

    def _collect(self) -> None:
        if data := self._tls.give():
            self._unsent.append(data)

    async def _receive(self) -> int:
        size = await self._inner.receive_into(self._buffer)
        self._take(size)
        return size

    def _take(self, size: int) -> None:
        """So many bytes were received; none at the end of the stream."""
        self._tls.take(memoryview(self._buffer)[:size])


def _chunks(pieces: Sequence[Piece]) -> Iterator[bytes | bytearray | memoryview]:
    """The bytes of pieces, with files split into parts that fit into memory."""
    for piece in pieces:
        if isinstance(piece, FileRegion):
            offset, left = piece.offset, piece.size
            while left:
                data = piece.file.read(min(left, _CHUNK), offset)
                if not data:
                    raise BrokenConnection(f"{piece.file.path} is shorter than what was to be sent")
                yield data
                offset, left = offset + len(data), left - len(data)
        else:
            yield piece


async def connect(connection: Connection, context: TlsContext, host: str) -> TlsConnection:
    """The client's side. Raises AuthenticationFailed, BrokenConnection."""
    try:
        secured = TlsConnection(connection, context.client(host))
        await secured.shake_hands()
    except TlsFailure as error:
        raise AuthenticationFailed(f"{connection.peer}: TLS: {error}") from error
    return secured


class TlsListener:
    """Performs the handshakes of one listener's clients, with a limit of concurrent ones."""

    def __init__(self, context: Callable[[], TlsContext], rules: NameRules, clock: Clock) -> None:
        """`context` returns the current context; certificates may be replaced."""
        self._context = context
        self._rules = rules
        self._clock = clock
        self._under_way: Counter[str] = Counter()

    async def secure(self, connection: Connection) -> tuple[Connection, Principal]:
        """The encrypted stream and the peer's principal.

        Raises CloseConnection, BrokenConnection.
        """
        address = connection.peer.rpartition(":")[0]
        if (
            self._under_way.total() >= _AT_ONCE
            or self._under_way[address] >= _AT_ONCE_OF_ONE_ADDRESS
        ):
            raise CloseConnection("too many TLS handshakes are under way; try again in a moment")
        self._under_way[address] += 1
        try:
            secured = TlsConnection(connection, self._context().server())
            with self._clock.within(_HANDSHAKE_S) as limit:
                await secured.shake_hands()
            if limit.cancelled_caught:
                raise CloseConnection(f"no TLS handshake within {_HANDSHAKE_S:g} s")
        except TlsFailure as error:
            raise CloseConnection(f"the TLS handshake failed: {error}") from error
        finally:
            self._under_way[address] -= 1
            if not self._under_way[address]:
                del self._under_way[address]
        subject = secured.subject
        if subject is None:
            return secured, ANONYMOUS
        try:
            return secured, Principal("User", self._rules.name_of(subject))
        except ValueError as error:
            raise CloseConnection(str(error)) from error
