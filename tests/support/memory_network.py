"""A network inside one process: what one side sends, the other receives, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import trio

from raftka.model.ports import (
    Alarm,
    BrokenConnection,
    Buffer,
    Connection,
    FileRegion,
    Listener,
    Piece,
    Poller,
)
from raftka.net.clock import TrioAlarm

Server = Callable[[Connection], Awaitable[None]]


class MemoryConnection:
    """One side; `other` is its peer's."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.other: MemoryConnection
        self.closed = False
        self._incoming = bytearray()
        self._ended = False
        self._news = trio.Event()

    async def receive_into(self, buffer: bytearray | memoryview, at_least: int = 1) -> int:
        while not self._incoming and not self._ended and not self.closed:
            await self._news.wait()
        await trio.lowlevel.checkpoint()
        if self.closed:
            raise trio.ClosedResourceError
        size = min(len(buffer), len(self._incoming))
        memoryview(buffer)[:size] = self._incoming[:size]
        del self._incoming[:size]
        if not self._incoming and not self._ended:
            self._news = trio.Event()
        return size

    def receive_now(self, buffer: bytearray | memoryview) -> int | None:
        raise NotImplementedError("each connection has a task of its own")

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        if self.closed:
            raise trio.ClosedResourceError
        if self._ended or self.other.closed:
            raise BrokenConnection(f"{self.peer}: reset")
        for piece in pieces:
            assert not isinstance(piece, FileRegion)
            self.other._take(piece)
        return []

    async def send(self, pieces: Sequence[Piece]) -> None:
        self.send_now(list(pieces))
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._news.set()
            self.other.end()

    def end(self) -> None:
        """The other side is gone."""
        self._ended = True
        self._news.set()

    def _take(self, data: Buffer) -> None:
        self._incoming += data
        self._news.set()


class MemoryNetwork:
    """Servers by host and port; a port without one refuses."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._servers: dict[tuple[str, int], Server] = {}
        self._open: dict[tuple[str, int], list[MemoryConnection]] = {}

    def serve(self, host: str, port: int, server: Server) -> None:
        self._servers[host, port] = server

    def kill(self, host: str, port: int) -> None:
        """The process behind the port dies: its connections break, new ones are refused."""
        self._servers.pop((host, port), None)
        for connection in self._open.pop((host, port), []):
            connection.close()

    async def connect(self, host: str, port: int, *, timeout_s: float = 10.0) -> Connection:
        await trio.lowlevel.checkpoint()
        server = self._servers.get((host, port))
        if server is None:
            raise BrokenConnection(f"{host}:{port}: Connection refused")
        client, accepted = MemoryConnection(f"{host}:{port}"), MemoryConnection("client")
        client.other, accepted.other = accepted, client
        self._open.setdefault((host, port), []).append(accepted)
        self._nursery.start_soon(self._run, server, accepted)
        return client

    async def listen(self, host: str, port: int, *, backlog: int = 1024) -> Listener:
        raise NotImplementedError("scripted servers are registered with `serve`")

    def poller(self) -> Poller | None:
        return None

    async def _run(self, server: Server, connection: MemoryConnection) -> None:
        try:
            await server(connection)
        except (BrokenConnection, trio.ClosedResourceError):
            return
        finally:
            connection.close()


class VirtualClock:
    """trio's own time, which a test's mock clock moves."""

    def monotonic(self) -> float:
        return trio.current_time()

    def wall_ms(self) -> int:
        return 1_700_000_000_000 + int(trio.current_time() * 1000)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(max(0.0, seconds))

    def within(self, seconds: float) -> trio.CancelScope:
        return trio.move_on_after(max(0.0, seconds))

    def alarm(self) -> Alarm:
        return TrioAlarm(self.monotonic)
