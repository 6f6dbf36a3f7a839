"""The listener: pages, input that is not HTTP, silent clients, too many clients."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import h11
import trio

from raftka.broker.metrics.http import HttpServer, pages
from raftka.model.ports import BrokenConnection, Connection
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.determinism import run
from raftka.simulations.machines.network import Fabric

PORT = 9404


async def read_all(connection: Connection) -> bytes:
    """Everything until the other side closes, or is silent for a second."""
    found, buffer = b"", bytearray(65536)
    with trio.move_on_after(1.0), suppress(BrokenConnection):
        while count := await connection.receive_into(buffer):
            found += bytes(buffer[:count])
    return found


def with_server(
    test: Callable[[Callable[[], Awaitable[Connection]]], Awaitable[None]],
    problems: list[str] | None = None,
) -> None:
    async def text() -> list[bytes]:
        return [b"up", b" 1\n"]

    async def main() -> None:
        fabric = Fabric(random.Random(1))
        server = HttpServer(SimClock(), pages(text, lambda: problems or []))
        host = fabric.host("n1")
        listener = await host.listen("n1", PORT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fabric.run)
            nursery.start_soon(server.run, listener)
            client = fabric.host("client")
            await test(lambda: client.connect("n1", PORT, timeout_s=1.0))
            nursery.cancel_scope.cancel()

    run(main, seed=1)


async def get(connection: Connection, path: str, method: str = "GET") -> tuple[int, bytes]:
    await connection.send([f"{method} {path} HTTP/1.1\r\nHost: n1\r\n\r\n".encode()])
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target=path, headers=[("Host", "n1")]))
    client.send(h11.EndOfMessage())
    body, status, buffer = b"", 0, bytearray(65536)
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(bytes(buffer[: await connection.receive_into(buffer)]))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            return status, body


def test_pages_over_one_connection() -> None:
    async def test(connect: Callable[[], Awaitable[Connection]]) -> None:
        connection = await connect()
        assert await get(connection, "/metrics") == (200, b"up 1\n")
        assert await get(connection, "/metrics?x=1", "HEAD") == (200, b"")
        assert await get(connection, "/health/live") == (200, b'{"status": "UP"}\n')
        assert (await get(connection, "/etc/passwd"))[0] == 404
        assert (await get(connection, "/metrics", "DELETE"))[0] == 405

    with_server(test)


def test_a_node_that_is_not_ready_says_why() -> None:
    async def test(connect: Callable[[], Awaitable[Connection]]) -> None:
        connection = await connect()
        status, body = await get(connection, "/health/ready")
        assert status == 503
        assert b"the broker is fenced" in body
        assert (await get(connection, "/health/live"))[0] == 200

    with_server(test, ["the broker is fenced"])


def test_what_is_no_http_is_refused_and_others_are_served() -> None:
    async def test(connect: Callable[[], Awaitable[Connection]]) -> None:
        for rubbish in (b"rubbish\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", bytes(20_000)):
            connection = await connect()
            await connection.send([rubbish])
            assert b"200" not in await read_all(connection)
        endless = await connect()
        await endless.send([b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000])
        refusal = await read_all(endless)  # The reset that follows unread bytes may overtake it.
        assert refusal == b"" or refusal.startswith(b"HTTP/1.1 431")
        assert (await get(await connect(), "/metrics"))[0] == 200

    with_server(test)


def test_who_says_nothing_is_let_go_and_a_crowd_is_not_let_in() -> None:
    async def test(connect: Callable[[], Awaitable[Connection]]) -> None:
        silent = [await connect() for _ in range(64)]
        await trio.sleep(0.1)
        assert await read_all(await connect()) == b""
        await trio.sleep(61)
        for connection in silent:
            assert await read_all(connection) == b""
        assert (await get(await connect(), "/metrics"))[0] == 200

    with_server(test)
