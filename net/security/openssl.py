"""TLS as OpenSSL speaks it, with its memory BIOs in place of sockets: the port's real side.

It draws its own randomness and reads the machine's clock and files, so a simulation has another
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
        """As the port says."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise TlsFailure(reason(error)) from error
        return True

    @property
    def subject(self) -> str | None:
        """As the port says."""
        found = self._tls.getpeercert()
        if not found or "subject" not in found:
            return None
        return distinguished_name(cast(Subject, found["subject"]))

    def read(self, buffer: bytearray | memoryview) -> int | None:
        """As the port says."""
        try:
            return cast(int, self._tls.read(len(buffer), cast(bytearray, buffer)))
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return 0
        except ssl.SSLError as error:
            raise TlsFailure(reason(error)) from error

    def write(self, data: Buffer) -> None:
        """As the port says."""
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise TlsFailure(reason(error)) from error

    def finish(self) -> None:
        """As the port says; no task would wait for the other side's."""
        with suppress(ssl.SSLError):
            self._tls.unwrap()

    def take(self, data: Buffer) -> None:
        """As the port says."""
        if len(data):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def give(self) -> bytes:
        """As the port says."""
        return self._outgoing.read() if self._outgoing.pending else b""


class OpenSslContext:
    """A context of OpenSSL's behind the port."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def server(self) -> TlsStream:
        """As the port says."""
        return OpenSslStream(self._context, server=True)

    def client(self, host: str) -> TlsStream:
        """As the port says."""
        try:
            return OpenSslStream(self._context, server=False, host=host)
        except ValueError as error:
            raise TlsFailure(str(error)) from error


class OpenSsl:
    """The library and the files of this machine."""

    def context(self, settings: TlsSettings, *, server: bool) -> TlsContext:
        """As the port says."""
        return OpenSslContext(make_context(settings, server=server))

    def seen(self, settings: TlsSettings) -> object:
        """As the port says: files by their time, size and number."""
        found: list[tuple[int, int, int] | None] = []
        for store in (settings.keystore, settings.truststore):
            if store.location is None:
                continue
            try:
                stat = os.stat(store.location)
            except OSError:
                # What is wrong with the file, a context that is made of it says.
                found.append(None)
            else:
                found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return found


def reason(error: ssl.SSLError) -> str:
    """What went wrong, in words for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message}"
    words = (error.reason or str(error)).replace("_", " ").lower()
    if "alert" in words and ("certificate" in words or "unknown ca" in words):
        return f"the other side does not accept this side's certificate ({words})"
    if words in _NOT_TLS:
        return f"the other side does not speak TLS ({words})"
    return words
