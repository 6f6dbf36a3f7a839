"""Real clients outside the run, whose bytes enter the simulated network at recorded times.

A broker's listener for them is BRIDGE (`Plan.bridge_port`), which advertises an address on this
machine. Each send of a client is an action of the session's script, so that the same session gives
the same run without any client; answers go to `heard`, or are dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from raftka.model.ports import BrokenConnection, Connection
from raftka.simulations.machines.life import Life
from raftka.simulations.machines.network import Fabric

HOST: Final = "client0"
"""The host of all these clients, for the network and for traces."""
CONNECTIONS_MAX: Final = 1000
_CHUNK: Final = 1 << 16

Heard = Callable[[int, bytes], None]
"""Receives a connection's answers; empty bytes at its end."""


class Outside:
    """All connections into one run from outside, by number."""

    def __init__(self, fabric: Fabric) -> None:
        self._network = fabric.host(HOST, Life())
        self.connections: dict[int, _Connection] = {}
        self.heard: Heard = lambda number, data: None

    def take(
        self, nursery: trio.Nursery, number: int, host: str, port: int, data: bytes, *, end: bool
    ) -> None:
        """Send bytes on a connection, which the first ones open; `end` closes it after them."""
        found = self.connections.get(number)
        if found is None:
            found = self.connections[number] = _Connection(number, self)
            nursery.start_soon(found.run, self._network.connect, host, port)
        found.take(data, end=end)


class _Connection:
    """One connection: the bytes to send, and their sender."""

    def __init__(self, number: int, outside: Outside) -> None:
        self.number = number
        self.has_ended = False
        self._outside = outside
        self._waiting: deque[bytes] = deque()
        self._ends = False
        self._stirred = trio.Event()

    def take(self, data: bytes, *, end: bool) -> None:
        """Bytes to send."""
        if data:
            self._waiting.append(data)
        self._ends = self._ends or end
        self._stirred.set()

    async def run(self, connect: Callable[..., object], host: str, port: int) -> None:
        """Serve the connection until either side ends it."""
        try:
            connection: Connection = await connect(host, port)  # type: ignore[misc]
        except BrokenConnection:
            self._end()
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, connection, nursery.cancel_scope)
                await self._write(connection)
                nursery.cancel_scope.cancel()
        finally:
            connection.close()
            self._end()

    def _end(self) -> None:
        if not self.has_ended:
            self.has_ended = True
            self._outside.heard(self.number, b"")

    async def _write(self, connection: Connection) -> None:
        while True:
            while self._waiting:
                try:
                    await connection.send([self._waiting.popleft()])
                except BrokenConnection:
                    return
            if self._ends:
                return
            self._stirred = trio.Event()
            await self._stirred.wait()

    async def _read(self, connection: Connection, scope: trio.CancelScope) -> None:
        buffer = bytearray(_CHUNK)
        while True:
            try:
                size = await connection.receive_into(buffer)
            except BrokenConnection:
                size = 0
            if not size:
                scope.cancel()
                return
            self._outside.heard(self.number, bytes(buffer[:size]))
