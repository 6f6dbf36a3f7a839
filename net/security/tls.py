"""TLS over the connection port: a stream over a stream, whatever is below (OpenSSL's memory BIOs).

What is sent is encrypted piece by piece; what the stream below does not take at once stays here as
ciphertext and goes first the next time, since it cannot be encrypted a second time.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, cast

from raftka.model.access import ANONYMOUS, Principal
from raftka.model.ports import (
    AuthenticationFailed,
    BrokenConnection,
    Clock,
    Connection,
    FileRegion,
    Piece,
)
from raftka.net.router import CloseConnection
from raftka.net.security.names import NameRules, Subject, distinguished_name

_CHUNK: Final = 256 * 1024
_RECEIVE: Final = 64 * 1024
_HANDSHAKE_S: Final = 10.0
"""How long a client may take to agree on keys."""
_AT_ONCE: Final = 256
_AT_ONCE_OF_ONE_ADDRESS: Final = 32
"""Handshakes under way: each costs the server much more than the client."""

MakeContext = Callable[[], ssl.SSLContext]


class TlsConnection:
    """One side of a TLS stream over `inner`; both sides shake hands first."""

    def __init__(
        self, inner: Connection, context: ssl.SSLContext, *, server: bool, host: str | None = None
    ) -> None:
        self.peer = inner.peer
        self._inner = inner
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server, server_hostname=host
        )
        self._buffer = bytearray(_RECEIVE)
        self._unsent: list[Piece] = []
        """Ciphertext that the stream below has not taken yet."""

    async def shake_hands(self) -> None:
        """Raises ssl.SSLError, BrokenConnection."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                # The alert that says why goes out, if it can.
                await self._flush()
                raise
            else:
                await self._flush()
                return
            await self._flush()
            if not await self._receive():
                raise BrokenConnection(f"{self.peer}: it went away during the TLS handshake")

    @property
    def subject(self) -> str | None:
        """The distinguished name in the peer's certificate; None when it showed none."""
        found = self._tls.getpeercert()
        if not found or "subject" not in found:
            return None
        return distinguished_name(cast(Subject, found["subject"]))

    async def receive_into(self, buffer: bytearray | memoryview, at_least: int = 1) -> int:
        while (size := self._decrypted(buffer)) is None:
            # Answers of the protocol's own, as to a new key.
            await self._flush()
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
        """What is there already; None when more has to come first, 0 at the end."""
        try:
            return cast(int, self._tls.read(len(buffer), cast(bytearray, buffer)))
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return 0
        except ssl.SSLError as error:
            raise BrokenConnection(f"{self.peer}: TLS: {reason(error)}") from error

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        if self._unsent:
            self._unsent = self._inner.send_now(self._unsent)
            if self._unsent:
                return pieces
        chunks = _chunks(pieces)
        for chunk in chunks:
            self._encrypt(chunk)
            self._unsent = self._inner.send_now([self._outgoing.read()])
            if self._unsent:
                # An empty piece has the caller come back for the ciphertext.
                return list(chunks) or [b""]
        return []

    async def send(self, pieces: Sequence[Piece]) -> None:
        for chunk in _chunks(pieces):
            await self._flush()
            self._encrypt(chunk)
        await self._flush()

    def close(self) -> None:
        self._inner.close()

    def _encrypt(self, chunk: bytes | bytearray | memoryview) -> None:
        try:
            if len(chunk):
                self._tls.write(chunk)
        except ssl.SSLError as error:
            raise BrokenConnection(f"{self.peer}: TLS: {reason(error)}") from error

    async def _flush(self) -> None:
        if self._outgoing.pending:
            self._unsent.append(self._outgoing.read())
        unsent, self._unsent = self._unsent, []
        if unsent:
            await self._inner.send(unsent)

    async def _receive(self) -> int:
        size = await self._inner.receive_into(self._buffer)
        self._take(size)
        return size

    def _take(self, size: int) -> None:
        """So many bytes have come; none at the end of the stream."""
        if size:
            self._incoming.write(memoryview(self._buffer)[:size])
        else:
            self._incoming.write_eof()


def _chunks(pieces: Sequence[Piece]) -> Iterator[bytes | bytearray | memoryview]:
    """The bytes of pieces, files in stretches that fit into memory."""
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


def reason(error: ssl.SSLError) -> str:
    """What went wrong, in words for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message}"
    words = (error.reason or str(error)).replace("_", " ").lower()
    if "alert" in words and ("certificate" in words or "unknown ca" in words):
        return f"the other side does not accept this side's certificate ({words})"
    if words in (
        "wrong version number",
        "http request",
        "record layer failure",
    ):
        return f"the other side does not speak TLS ({words})"
    return words


async def connect(connection: Connection, context: ssl.SSLContext, host: str) -> TlsConnection:
    """The client's side. Raises AuthenticationFailed, BrokenConnection."""
    secured = TlsConnection(connection, context, server=False, host=host)
    try:
        await secured.shake_hands()
    except (ssl.SSLError, ssl.CertificateError, ValueError) as error:
        words = reason(error) if isinstance(error, ssl.SSLError) else str(error)
        raise AuthenticationFailed(f"{connection.peer}: TLS: {words}") from error
    return secured


class TlsListener:
    """Shakes hands with the clients of one listener, with so many at a time."""

    def __init__(self, context: MakeContext, rules: NameRules, clock: Clock) -> None:
        """`context` gives the one that is to be used now; certificates may be replaced."""
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
            secured = TlsConnection(connection, self._context(), server=True)
            with self._clock.within(_HANDSHAKE_S) as limit:
                await secured.shake_hands()
            if limit.cancelled_caught:
                raise CloseConnection(f"no TLS handshake within {_HANDSHAKE_S:g} s")
        except ssl.SSLError as error:
            raise CloseConnection(f"the TLS handshake failed: {reason(error)}") from error
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
