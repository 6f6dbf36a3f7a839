"""Real TCP behind the network port: non-blocking sockets with trio.

Sockets are used directly, not through trio.SocketStream: a request that has already arrived and an
answer that fits the kernel's buffer then cost one system call each and no checkpoint, which saves a
third of the CPU per small request.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import trio

from raftka.model.ports import (
    BrokenConnection,
    Buffer,
    Connection,
    FileRegion,
    Listener,
    NoAnswer,
    Piece,
    Poller,
)

_IOV_MAX = 1024
_SENDFILE_FROM = 32 * 1024
"""Below this size a pread into the other buffers is cheaper than a sendfile."""

_MORE = getattr(socket, "MSG_MORE", 0)
"""More data follows at once: do not start a packet yet. Linux has it."""

_UNWAITED_READS = 8
"""Consecutive reads without giving other connections a turn."""

_SOCKET_ERRORS = (OSError, ValueError)


class TcpConnection:
    """One connected socket."""

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self.peer = peer
        self._socket = sock
        self._more_expected = 0
        self._low_water = 1
        self._closed = False
        self._is_watched = False

    @property
    def addresses(self) -> tuple[str, str]:
        """host:port of this side and of the other, from the system."""
        ends = (self._socket.getsockname(), self._socket.getpeername())
        here, there = (f"{address[0]}:{address[1]}" for address in ends)
        return here, there

    async def receive_into(self, buffer: bytearray | memoryview, at_least: int = 1) -> int:
        # A read that filled its buffer probably left bytes in the kernel; otherwise an attempt to
        # read before waiting would mostly be a wasted system call.
        while True:
            if not self._more_expected:
                if at_least != self._low_water:
                    self._wake_at(at_least)
                await self._wait(trio.lowlevel.wait_readable)
            try:
                size = self._socket.recv_into(buffer)
            except BlockingIOError:
                self._more_expected = 0
                continue
            except OSError as error:
                raise self._broken(error) from error
            if size < len(buffer):
                self._more_expected = 0
            elif self._more_expected:
                self._more_expected -= 1
            else:
                self._more_expected = _UNWAITED_READS
            return size

    def receive_now(self, buffer: bytearray | memoryview) -> int | None:
        if self._closed:
            raise trio.ClosedResourceError(f"the connection to {self.peer} is closed on this side")
        try:
            return self._socket.recv_into(buffer)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._broken(error) from error

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        if len(pieces) == 1 and not isinstance(only := pieces[0], FileRegion):
            # Nearly every answer except a fetch's: one buffer, accepted completely.
            try:
                sent = self._socket.send(only)
            except BlockingIOError:
                return pieces
            except OSError as error:
                raise self._broken(error) from error
            return [] if sent == len(only) else [memoryview(only)[sent:]]
        remaining = pieces
        while remaining:
            try:
                rest = self._send_some(remaining)
            except BlockingIOError:
                return remaining
            except OSError as error:
                raise self._broken(error) from error
            if rest is remaining:
                return remaining
            remaining = rest
        return remaining

    async def send(self, pieces: Sequence[Piece]) -> None:
        remaining = self.send_now(list(pieces))
        while remaining:
            await self._wait(trio.lowlevel.wait_writable)
            remaining = self.send_now(remaining)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._is_watched:
            # The poller detects its end, and its owner then closes it.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        else:
            self._let_go()

    @property
    def descriptor(self) -> int:
        """The socket's."""
        return self._socket.fileno()

    @property
    def is_watched(self) -> bool:
        """Whether a TcpPoller has the descriptor, which it must release before it is closed."""
        return self._is_watched

    @is_watched.setter
    def is_watched(self, value: bool) -> None:
        self._is_watched = value
        if self._closed and not value:
            self._let_go()

    def _let_go(self) -> None:
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()

    def _wake_at(self, size: int) -> None:
        """Have the kernel report the socket as readable from so many bytes on, or at its end."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
        except OSError as error:
            raise self._broken(error) from error
        self._low_water = size

    async def _wait(self, wait: object) -> None:
        if self._closed:
            raise trio.ClosedResourceError(f"the connection to {self.peer} is closed on this side")
        try:
            await wait(self._socket)  # type: ignore[operator]
        except _SOCKET_ERRORS as error:
            raise trio.ClosedResourceError(str(error)) from error

    def _send_some(self, pieces: list[Piece]) -> list[Piece]:
        """One system call; returns the rest, or the same list if the kernel's buffer is full."""
        first = pieces[0]
        if isinstance(first, FileRegion) and first.size >= _SENDFILE_FROM:
            sent = os.sendfile(self._socket.fileno(), first.file.fileno(), first.offset, first.size)
            if sent == 0:
                raise OSError(errno.EIO, f"{first.file.path} is shorter than the region to send")
            if sent == first.size:
                return pieces[1:]
            rest = FileRegion(first.file, first.offset + sent, first.size - sent)
            return [rest, *pieces[1:]]
        buffers = _gather(pieces)
        taken = len(buffers)
        # Data before a sendfile waits for it, or the head of an answer would wake the peer by
        # itself.
        flags = _MORE if taken < len(pieces) else 0
        sent = self._socket.sendmsg(buffers, (), flags)
        return _drop(buffers, sent) + pieces[taken:]

    def _broken(self, error: OSError) -> BrokenConnection:
        return BrokenConnection(f"{self.peer}: {error.strerror or error}")


def _gather(pieces: list[Piece]) -> list[Buffer]:
    """The leading pieces for one sendmsg; small regions of files are read here."""
    buffers: list[Buffer] = []
    for piece in pieces[:_IOV_MAX]:
        if isinstance(piece, FileRegion):
            if piece.size >= _SENDFILE_FROM:
                break
            data = piece.file.read(piece.size, piece.offset)
            if len(data) != piece.size:
                raise OSError(errno.EIO, f"{piece.file.path} is shorter than the region to send")
            buffers.append(data)
        else:
            buffers.append(piece)
    return buffers


def _drop(buffers: list[Buffer], sent: int) -> list[Piece]:
    for index, buffer in enumerate(buffers):
        size = len(buffer)
        if sent < size:
            return [memoryview(buffer)[sent:], *buffers[index + 1 :]]
        sent -= size
    return []


class TcpListener:
    """One listening socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._closed = False
        self.port: int = sock.getsockname()[1]

    async def accept(self) -> Connection:
        while True:
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._socket)
                continue
            except OSError as error:
                if self._closed:
                    raise trio.ClosedResourceError("the listener is closed") from error
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    # No connection can be accepted until another one closes: do not spin.
                    await trio.sleep(0.1)
                    continue
                if error.errno in (errno.ECONNABORTED, errno.EPROTO):
                    continue
                raise
            # Connections that keep coming must not keep the node from everything else.
            await trio.lowlevel.cancel_shielded_checkpoint()
            return _prepare(sock, f"{address[0]}:{address[1]}")

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()


class TcpPoller:
    """An epoll of its own, which trio waits for like for one socket.

    A task per connection costs as much as the rest of a small request: arming the descriptor, the
    scheduler, and the switch. Here, one wait covers all connections.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[TcpConnection, Any]] = {}
        """By descriptor: the connection, and its owner."""
        self._was_busy = False

    def watch(self, connection: Connection, owner: Any) -> bool:
        if not isinstance(connection, TcpConnection):
            return False
        descriptor = connection.descriptor
        if descriptor < 0:
            raise trio.ClosedResourceError(f"{connection.peer} was closed on this side")
        self._epoll.register(descriptor, select.EPOLLIN)
        self._watched[descriptor] = connection, owner
        connection.is_watched = True
        return True

    def forget(self, connection: Connection) -> None:
        assert isinstance(connection, TcpConnection)
        descriptor = connection.descriptor
        self._epoll.unregister(descriptor)
        del self._watched[descriptor]
        connection.is_watched = False

    async def ready(self) -> list[Any]:
        found = self._epoll.poll(0) if self._was_busy else []
        if found:
            # More arrived during the last turn: do not wait, but give the other tasks a turn.
            await trio.lowlevel.checkpoint()
        while not found:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            found = self._epoll.poll(0)
        self._was_busy = len(found) > 1
        watched = self._watched
        return [watched[descriptor][1] for descriptor, _ in found if descriptor in watched]

    def close(self) -> None:
        self._epoll.close()
        for connection, _ in self._watched.values():
            connection.is_watched = False


class TcpNetwork:
    """The machine's own network."""

    def poller(self) -> Poller | None:
        return TcpPoller() if hasattr(select, "epoll") else None

    async def connect(self, host: str, port: int, *, timeout_s: float = 10.0) -> Connection:
        peer, words, is_silent = f"{host}:{port}", "", False
        with trio.move_on_after(timeout_s) as limit:
            try:
                addresses = await _resolve(host, port)
            except OSError as error:
                raise BrokenConnection(f"{peer}: the name cannot be resolved: {error}") from error
            if not addresses:
                words = "the name has no address"
            for index, (family, address) in enumerate(addresses):
                # A stale record of a name may lead to silence: it leaves time for the others.
                left_s = max(0.0, limit.deadline - trio.current_time())
                with trio.move_on_after(left_s / (len(addresses) - index)) as attempt:
                    try:
                        return await _connect_one(family, address, peer)
                    except OSError as error:
                        words = error.strerror or str(error)
                is_silent |= attempt.cancelled_caught
        if is_silent or limit.cancelled_caught:
            raise NoAnswer(f"{peer}: no answer within {timeout_s:g} s")
        raise BrokenConnection(f"{peer}: {words}")

    async def listen(self, host: str, port: int, *, backlog: int = 1024) -> Listener:
        addresses = await _resolve(host or "0.0.0.0", port)
        family, address = addresses[0]
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # The same port may have an IPv4 listener too.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
            sock.listen(backlog)
        except OSError as error:
            sock.close()
            raise OSError(
                error.errno, f"cannot listen on {host}:{port}: {error.strerror}"
            ) from error
        return TcpListener(sock)


Address = tuple[str, int] | tuple[str, int, int, int]


async def _resolve(host: str, port: int) -> list[tuple[int, Address]]:
    """Addresses to try, IPv4 first. Numbers and localhost need no resolver and no thread."""
    if host == "localhost":
        return [(socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET6, ("::1", port, 0, 0))]
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return [(family, (host, port))]
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return [(entry[0], entry[4]) for entry in found]  # type: ignore[misc]


@contextmanager
def _closing_on_failure(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise


async def _connect_one(family: int, address: Address, peer: str) -> Connection:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with _closing_on_failure(sock):
        # An outgoing connection may have been given the port on which a restarting node of this
        # machine listens: that must not prevent the node from binding it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        code = sock.connect_ex(address)
        if code == errno.EINPROGRESS:
            await trio.lowlevel.wait_writable(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        if sock.getsockname() == sock.getpeername():
            # On loopback a free ephemeral port can connect to itself, without a listener.
            raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        return _prepare(sock, peer)


def _prepare(sock: socket.socket, peer: str) -> TcpConnection:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return TcpConnection(sock, peer)
