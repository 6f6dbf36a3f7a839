"""TLS by OpenSSL, with memory BIOs in place of sockets: the port's real implementation.

It has its own randomness and reads the machine's clock and files, so a simulation uses another one
(simulations/machines/tls.py).
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from typing import Final, cast

from raftka.model.ports import Buffer, TlsContext, TlsFailure, TlsStream
from raftka.model.tls_settings import TlsSettings
from raftka.net.security.certificates import make_context
from raftka.net.security.names import Subject, distinguished_name

_NOT_TLS: Final = ("wrong version number", "http request", "record layer failure")


class OpenSslStream:
    """One side of one connection."""

    def __init__(self, context: ssl.SSLContext, *, server: bool, host: str | None = None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server, server_hostname=host
        )

    def shake_hands(self) -> bool:
        """Implements the port."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise TlsFailure(reason(error)) from error
        return True

    @property
    def subject(self) -> str | None:
        """Implements the port."""
        found = self._tls.getpeercert()
        if not found or "subject" not in found:
            return None
        return distinguished_name(cast(Subject, found["subject"]))

    def read(self, buffer: bytearray | memoryview) -> int | None:
        """Implements the port."""
        try:
            return cast(int, self._tls.read(len(buffer), cast(bytearray, buffer)))
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return 0
        except ssl.SSLError as error:
            raise TlsFailure(reason(error)) from error

    def write(self, data: Buffer) -> None:
        """Implements the port."""
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise TlsFailure(reason(error)) from error

    def finish(self) -> None:
        """Implements the port; does not wait for the other side's close."""
        with suppress(ssl.SSLError):
            self._tls.unwrap()

    def take(self, data: Buffer) -> None:
        """Implements the port."""
        if len(data):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def give(self) -> bytes:
        """Implements the port."""
        return self._outgoing.read() if self._outgoing.pending else b""


class OpenSslContext:
    """An OpenSSL context behind the port."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def server(self) -> TlsStream:
        """Implements the port."""
        return OpenSslStream(self._context, server=True)

    def client(self, host: str) -> TlsStream:
        """Implements the port."""
        try:
            return OpenSslStream(self._context, server=False, host=host)
        except ValueError as error:
            raise TlsFailure(str(error)) from error


class OpenSsl:
    """OpenSSL and the files of this machine."""

    def context(self, settings: TlsSettings, *, server: bool) -> TlsContext:
        """Implements the port."""
        return OpenSslContext(make_context(settings, server=server))

    def seen(self, settings: TlsSettings) -> object:
        """Implements the port: files by their time, size and inode."""
        found: list[tuple[int, int, int] | None] = []
        for store in (settings.keystore, settings.truststore):
            if store.location is None:
                continue
            try:
                stat = os.stat(store.location)
            except OSError:
                # Creating a context from the file reports the error.
                found.append(None)
            else:
                found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return found


def reason(error: ssl.SSLError) -> str:
    """The error for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message}"
    words = (error.reason or str(error)).replace("_", " ").lower()
    if "alert" in words and ("certificate" in words or "unknown ca" in words):
        return f"the other side does not accept this side's certificate ({words})"
    if words in _NOT_TLS:
        return f"the other side does not speak TLS ({words})"
    return words
