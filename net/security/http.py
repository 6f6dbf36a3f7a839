"""Sends one HTTP request, to an issuer of tokens or a collector of spans, over the network port.

h11 does framing and limits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import h11
import trio

from raftka.model.ports import BrokenConnection, Clock, Connection, Network, TlsContext
from raftka.net.security import tls

_READ_BYTES: Final = 16 * 1024
_PORTS: Final = {"http": 80, "https": 443}


class Url(NamedTuple):
    """The target of a request."""

    scheme: str
    host: str
    port: int
    target: str


def parse_url(url: str) -> Url:
    """Raises ValueError unless it is an http or https URL."""
    found = urlsplit(url)
    if found.scheme not in _PORTS or not found.hostname:
        raise ValueError("it must be http://host/path or https://host/path")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("what is not ASCII in it, and spaces, must be percent-encoded")
    target = (found.path or "/") + (f"?{found.query}" if found.query else "")
    return Url(found.scheme, found.hostname, found.port or _PORTS[found.scheme], target)


class Http:
    """Sends requests over one network, each on a new connection."""

    def __init__(
        self,
        network: Network,
        clock: Clock,
        context: Callable[[], TlsContext],
        *,
        timeout_s: float = 10.0,
        most_bytes: int = 1024 * 1024,
    ) -> None:
        """`context` returns the context for HTTPS, and may raise ValueError and OSError."""
        self._network = network
        self._clock = clock
        self._context = context
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes

    async def ask(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> bytes:
        """The answer to a GET, or to a POST of `body`. Raises BrokenConnection with the reason."""
        where = parse_url(url)
        with self._clock.within(self._timeout_s) as limit:
            connection = await self._network.connect(
                where.host, where.port, timeout_s=self._timeout_s
            )
            try:
                if where.scheme == "https":
                    connection = await tls.connect(connection, self._made(), where.host)
                return await self._exchange(connection, where, headers, body)
            except (h11.RemoteProtocolError, h11.LocalProtocolError) as error:
                raise BrokenConnection(f"{url}: it answers no HTTP: {error}") from error
            except trio.ClosedResourceError as error:
                raise BrokenConnection(f"{url}: the connection was closed") from error
            finally:
                connection.close()
        assert limit.cancelled_caught
        raise BrokenConnection(f"{url}: no answer within {self._timeout_s:g} s")

    def _made(self) -> TlsContext:
        try:
            return self._context()
        except (ValueError, OSError) as error:
            raise BrokenConnection(f"TLS cannot be set up: {error}") from error

    async def _exchange(
        self,
        connection: Connection,
        where: Url,
        headers: Sequence[tuple[str, str]],
        body: bytes | None,
    ) -> bytes:
        protocol = h11.Connection(h11.CLIENT)
        head = [("Host", where.host), ("Accept", "application/json"), ("Connection", "close")]
        if body is not None:
            head.append(("Content-Length", str(len(body))))
        request = h11.Request(
            method="GET" if body is None else "POST",
            target=where.target,
            headers=[*head, *headers],
        )
        pieces = [protocol.send(request)]
        if body is not None:
            pieces.append(protocol.send(h11.Data(data=body)))
        pieces.append(protocol.send(h11.EndOfMessage()))
        await connection.send([piece for piece in pieces if piece])
        return await self._answer(protocol, connection, where)

    async def _answer(self, protocol: h11.Connection, connection: Connection, where: Url) -> bytes:
        found, status = bytearray(), 0
        buffer = bytearray(_READ_BYTES)
        while True:
            event = protocol.next_event()
            if event is h11.NEED_DATA:
                size = await connection.receive_into(buffer)
                protocol.receive_data(bytes(buffer[:size]))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                found += event.data
                if len(found) > self._most_bytes:
                    raise BrokenConnection(f"{where.host}: an answer above {self._most_bytes} B")
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse):
                raise BrokenConnection(f"{where.host}: it went away in its answer")
        if status != 200:
            raise BrokenConnection(f"{where.host}{where.target}: it answers with status {status}")
        return bytes(found)
