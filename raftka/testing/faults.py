"""Faults that a test imposes on a node: cut links, a slow disk.

The test's process sends the whole set of faults each time that it changes; a node reads it from a
socket that it inherited. Faults sit at the ports by which a node reaches its disk and its peers
(model/ports.py): the node itself is the deployed code. A cut applies at the side that opened the
connection, in both directions, so separating two nodes takes a cut at both.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import trio

from raftka.model.ports import (
    BrokenConnection,
    Buffer,
    Connection,
    Disk,
    File,
    FileLock,
    Listener,
    Network,
    Piece,
    Poller,
    Values,
    Work,
)

T = TypeVar("T")

MESSAGE_BYTES: Final = 64 * 1024
"""More than any message: one that lists the ports of a thousand nodes has 7 KB."""


class Faults:
    """The faults of one node; `obey` must be running for them to change."""

    def __init__(self, control: socket.socket) -> None:
        """`control`: this node's end of a pair of datagram sockets."""
        self.sync_delay_s = 0.0
        """The delay of each sync, in seconds."""
        self._control = control
        self._cut: frozenset[int] = frozenset()
        self._changed: trio.Event | None = None
        control.setblocking(False)
        self._take()

    def disk(self, disk: Disk) -> Disk:
        """The disk as the node sees it."""
        return SlowDisk(disk, self)

    def network(self, network: Network) -> Network:
        """The network as the node sees it."""
        return CutNetwork(network, self)

    def serving(self) -> None:
        """Not used: the test asks the node itself."""

    async def obey(self) -> None:
        """Apply the faults that the test sends, until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._control)
            self._take()

    def is_cut(self, port: int) -> bool:
        """Whether connections to a port of this machine are cut."""
        return port in self._cut

    async def change(self) -> None:
        """Wait until something may have changed."""
        if self._changed is None:
            self._changed = trio.Event()
        await self._changed.wait()

    def notify(self) -> None:
        """Wake every task that waits in `change`."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def _take(self) -> None:
        while True:
            try:
                message = self._control.recv(MESSAGE_BYTES)
            except BlockingIOError:
                return
            if not message:
                return
            wanted = json.loads(message)
            self._cut = frozenset(wanted["cut"])
            self.sync_delay_s = wanted["sync_delay_s"]
            self.notify()
            self._control.send(json.dumps({"number": wanted["number"]}).encode())


class CutNetwork:
    """A network in which connections that this node opens can be cut."""

    def __init__(self, network: Network, faults: Faults) -> None:
        self._network = network
        self._faults = faults

    async def connect(self, host: str, port: int, *, timeout_s: float = 10.0) -> Connection:
        """As the network's own; to a port that is cut off there is no answer in time."""
        with trio.move_on_after(timeout_s):
            while self._faults.is_cut(port):
                await self._faults.change()
            connection = await self._network.connect(host, port, timeout_s=timeout_s)
            return CutConnection(connection, port, self._faults)
        raise BrokenConnection(f"{host}:{port}: no answer within {timeout_s:g} s")

    async def listen(self, host: str, port: int, *, backlog: int = 1024) -> Listener:
        """The network's own."""
        return await self._network.listen(host, port, backlog=backlog)

    def poller(self) -> Poller | None:
        """The network's own: it watches connections that others opened."""
        return self._network.poller()


class CutConnection:
    """A connection to a port; while that is cut off, nothing passes in either direction."""

    def __init__(self, connection: Connection, port: int, faults: Faults) -> None:
        self.peer = connection.peer
        self._connection = connection
        self._port = port
        self._faults = faults
        self._closed = False

    def __getattr__(self, name: str) -> Any:
        """Attributes that only some connections have, such as the addresses of both ends."""
        return getattr(self._connection, name)

    async def receive_into(self, buffer: bytearray | memoryview, at_least: int = 1) -> int:
        """Bytes that reach a cut are lost, and the connection with them once the cut is over.

        Raises BrokenConnection then. Handed over after a `heal`, they would be copied from a leader
        that was killed meanwhile.
        """
        size = await self._connection.receive_into(buffer, at_least)
        if self._faults.is_cut(self._port):
            await self._passable()
            self._connection.close()
            raise BrokenConnection(f"{self.peer}: bytes were lost while the link was cut")
        return size

    def receive_now(self, buffer: bytearray | memoryview) -> int | None:
        """Nothing, while the port is cut off."""
        return None if self._faults.is_cut(self._port) else self._connection.receive_now(buffer)

    async def send(self, pieces: Sequence[Piece]) -> None:
        """Wait for the link, then send."""
        await self._passable()
        await self._connection.send(pieces)

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        """Everything stays unsent while the port is cut off."""
        return pieces if self._faults.is_cut(self._port) else self._connection.send_now(pieces)

    def close(self) -> None:
        """Close it, and wake a task that waits for the link."""
        self._closed = True
        self._connection.close()
        self._faults.notify()

    async def _passable(self) -> None:
        while self._faults.is_cut(self._port):
            if self._closed:
                raise trio.ClosedResourceError(f"the connection to {self.peer} is closed")
            await self._faults.change()


class SlowDisk:
    """A disk whose syncs take longer on request."""

    def __init__(self, disk: Disk, faults: Faults) -> None:
        self._disk = disk
        self._faults = faults

    def open(self, path: str, *, create: bool = False) -> File:
        """Open a file whose syncs take longer."""
        return SlowFile(self._disk.open(path, create=create), self._faults)

    def sync_dir(self, path: str) -> None:
        """Sync a directory, late."""
        time.sleep(self._faults.sync_delay_s)
        self._disk.sync_dir(path)

    # The rest is the disk's own.

    def exists(self, path: str) -> bool:
        return self._disk.exists(path)

    def is_dir(self, path: str) -> bool:
        return self._disk.is_dir(path)

    def list_dir(self, path: str) -> list[str]:
        return self._disk.list_dir(path)

    def make_dirs(self, path: str) -> None:
        self._disk.make_dirs(path)

    def rename(self, source: str, target: str) -> None:
        self._disk.rename(source, target)

    def remove(self, path: str) -> None:
        self._disk.remove(path)

    def remove_tree(self, path: str) -> None:
        self._disk.remove_tree(path)

    def free_bytes(self, path: str) -> tuple[int, int]:
        return self._disk.free_bytes(path)

    def lock(self, path: str) -> FileLock:
        return self._disk.lock(path)

    async def offload(self, function: Callable[[], T]) -> T:
        return await self._disk.offload(function)

    def begin(self, steps: Callable[[Disk, Values], Iterator[Values]], arguments: Values) -> Work:
        return self._disk.begin(steps, arguments)


class SlowFile:
    """A file whose syncs take longer on request."""

    __slots__ = ("_faults", "_file", "path")

    def __init__(self, file: File, faults: Faults) -> None:
        self.path = file.path
        self._file = file
        self._faults = faults

    def sync(self) -> None:
        """Sync, late; callers do so in a thread, where a wait does not hold up the event loop."""
        time.sleep(self._faults.sync_delay_s)
        self._file.sync()

    # The rest is the file's own.

    def size(self) -> int:
        return self._file.size()

    def read(self, size: int, offset: int) -> bytes:
        return self._file.read(size, offset)

    def write(self, buffers: Sequence[Buffer], offset: int) -> int:
        return self._file.write(buffers, offset)

    def truncate(self, size: int) -> None:
        self._file.truncate(size)

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()
