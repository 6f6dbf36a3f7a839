"""The listener for Prometheus: GET /metrics, /clients, /health/live, /health/ready over HTTP/1.1.

h11 does framing and limits. Request bodies are ignored, headers are bounded, an idle connection is
closed after a minute, and the number of connections is limited.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import h11
import trio

from raftka.broker.metrics.families import CONTENT_TYPE
from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection, Clock, Connection, Listener

log = get_logger(__name__)

_IDLE_S: Final = 60.0
_MOST_CONNECTIONS: Final = 64
_READ_BYTES: Final = 16 * 1024
_REASONS: Final = {
    200: b"OK",
    400: b"Bad Request",
    404: b"Not Found",
    405: b"Method Not Allowed",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


class Page(NamedTuple):
    """An HTTP answer."""

    status: int
    content_type: str
    body: Sequence[bytes]
    """In pieces, which are sent one by one."""


class HttpServer:
    """Serves the pages at their paths."""

    def __init__(self, clock: Clock, pages: dict[str, Callable[[], Awaitable[Page]]]) -> None:
        self._clock = clock
        self._pages = pages
        self._open = 0

    async def run(self, listener: Listener) -> None:
        """Accept until cancelled."""
        async with trio.open_nursery() as nursery:
            try:
                while True:
                    connection = await listener.accept()
                    if self._open >= _MOST_CONNECTIONS:
                        connection.close()
                    else:
                        self._open += 1
                        nursery.start_soon(self._serve, connection)
            finally:
                listener.close()

    async def _serve(self, connection: Connection) -> None:
        protocol = h11.Connection(h11.SERVER)
        try:
            while True:
                with self._clock.within(_IDLE_S) as limit:
                    request = await _next_request(protocol, connection)
                if limit.cancelled_caught or request is None:
                    return
                await self._answer(protocol, connection, request)
                if protocol.our_state is not h11.DONE:
                    return  # The client wants no other answer on this connection.
                protocol.start_next_cycle()
        except (BrokenConnection, trio.ClosedResourceError):
            pass  # The client went away.
        except h11.RemoteProtocolError as error:
            log.info(f"closing a connection from {connection.peer} that is no HTTP: {error}")
            await _refuse(protocol, connection, error)
        except Exception:
            log.exception(f"a request from {connection.peer} failed")
        finally:
            self._open -= 1
            connection.close()

    async def _answer(
        self, protocol: h11.Connection, connection: Connection, request: h11.Request
    ) -> None:
        path = request.target.split(b"?")[0].decode("ascii", "replace")
        page = self._pages.get(path)
        if request.method not in (b"GET", b"HEAD"):
            found = _text(405, "Only GET is answered here.\n")
        elif page is None:
            found = _text(404, f"There are {', '.join(self._pages)} here.\n")
        else:
            found = await page()
        await _send(protocol, connection, found, with_body=request.method != b"HEAD")


async def _next_request(protocol: h11.Connection, connection: Connection) -> h11.Request | None:
    """Read the next request to its end; None if the client has finished."""
    request: h11.Request | None = None
    buffer = bytearray(_READ_BYTES)
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            count = await connection.receive_into(buffer)
            protocol.receive_data(bytes(buffer[:count]))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.EndOfMessage):
            return request
        elif not isinstance(event, h11.Data):
            return None


async def _send(
    protocol: h11.Connection, connection: Connection, page: Page, *, with_body: bool = True
) -> None:
    size = sum(map(len, page.body))
    head = h11.Response(
        status_code=page.status,
        reason=_REASONS.get(page.status, b""),
        headers=[("Content-Type", page.content_type), ("Content-Length", str(size))],
    )
    pieces = [protocol.send(head)]
    for piece in page.body if with_body else ():
        pieces += protocol.send_with_data_passthrough(h11.Data(data=piece)) or ()
    pieces.append(protocol.send(h11.EndOfMessage()))
    await connection.send([piece for piece in pieces if piece])


async def _refuse(
    protocol: h11.Connection, connection: Connection, error: h11.RemoteProtocolError
) -> None:
    if protocol.our_state in (h11.IDLE, h11.SEND_RESPONSE):
        try:
            await _send(protocol, connection, _text(error.error_status_hint, f"{error}\n"))
        except (BrokenConnection, trio.ClosedResourceError):
            return  # It is closed already.


def _text(status: int, words: str) -> Page:
    return Page(status, "text/plain; charset=utf-8", [words.encode()])


def metrics_page(text: Callable[[], Awaitable[Sequence[bytes]]]) -> Callable[[], Awaitable[Page]]:
    """/metrics."""

    async def page() -> Page:
        return Page(200, CONTENT_TYPE, await text())

    return page


def health_page(problems: Callable[[], list[str]]) -> Callable[[], Awaitable[Page]]:
    """/health/...: 200 without a problem, else 503 with all of them."""

    async def page() -> Page:
        found = problems()
        body = {"status": "DOWN", "reasons": found} if found else {"status": "UP"}
        return Page(503 if found else 200, "application/json", [json.dumps(body).encode(), b"\n"])

    return page


def json_page(values: Callable[[], object]) -> Callable[[], Awaitable[Page]]:
    """Current values as JSON."""

    async def page() -> Page:
        return Page(200, "application/json", [json.dumps(values()).encode(), b"\n"])

    return page


def pages(
    text: Callable[[], Awaitable[Sequence[bytes]]],
    problems: Callable[[], list[str]],
    clients: Callable[[], object] = list,
) -> dict[str, Callable[[], Awaitable[Page]]]:
    """The pages of a node."""
    return {
        "/metrics": metrics_page(text),
        "/clients": json_page(clients),
        "/health/live": health_page(list),
        "/health/ready": health_page(problems),
    }
