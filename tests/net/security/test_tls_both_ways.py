"""A TLS stream that sends and receives at once keeps its records whole and in order."""

from __future__ import annotations

from collections.abc import Sequence

import trio
import trio.testing

from raftka.model.ports import Buffer, Piece, bytes_of
from raftka.net.security.tls import TlsConnection
from tests.support.memory_network import MemoryConnection


class Plain:
    """A TLS stream without secrets: records are "<...>", and each "?" is answered with "[key]"."""

    subject = None

    def __init__(self) -> None:
        self._out, self._in = bytearray(), bytearray()

    def shake_hands(self) -> bool:
        return True

    def read(self, buffer: bytearray | memoryview) -> int | None:
        while self._in.startswith(b"?"):
            del self._in[:1]
            self._out += b"[key]"
        if not self._in:
            return None
        size = len(self._in)
        memoryview(buffer)[:size] = self._in
        self._in.clear()
        return size

    def write(self, data: Buffer) -> None:
        self._out += b"<" + bytes(data) + b">"

    def finish(self) -> None:
        self._out += b"[bye]"

    def take(self, data: Buffer) -> None:
        self._in += bytes(data)

    def give(self) -> bytes:
        data = bytes(self._out)
        self._out.clear()
        return data


class Slow(MemoryConnection):
    """Accepts a byte at once, and otherwise behaves like a socket: one task may wait for room."""

    def __init__(self, peer: str) -> None:
        super().__init__(peer)
        self.has_room = trio.Event()
        self._waits = False

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        data = b"".join(map(bytes_of, pieces))
        if self.has_room.is_set():
            super().send_now([data])
            return []
        super().send_now([data[:1]])
        return [data[1:]] if data[1:] else []

    async def send(self, pieces: Sequence[Piece]) -> None:
        remaining = self.send_now(list(pieces))
        while remaining:
            if self._waits:
                raise trio.BusyResourceError("another task waits for this socket")
            self._waits = True
            await self.has_room.wait()
            self._waits = False
            remaining = self.send_now(remaining)


async def test_an_answer_of_the_protocol_waits_for_the_end_of_a_record() -> None:
    inner, peer = Slow("peer"), MemoryConnection("us")
    inner.other, peer.other = peer, inner
    stream = TlsConnection(inner, Plain())
    buffer, arrived = bytearray(100), bytearray(100)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send, [b"one", b"two"])
        await trio.testing.wait_all_tasks_blocked()
        peer.send_now([b"??hello"])  # Two new keys while a record is half sent.
        assert buffer[: await stream.receive_into(buffer)] == b"hello"
        peer.send_now([b"?"])
        nursery.start_soon(stream.receive_into, buffer)
        await trio.testing.wait_all_tasks_blocked()
        inner.has_room.set()
        await trio.testing.wait_all_tasks_blocked()
        peer.send_now([b"end"])
    size = await peer.receive_into(arrived)
    assert arrived[:size] == b"<one>[key][key][key]<two>"


async def test_an_answer_that_finds_no_room_goes_before_the_next_record() -> None:
    inner, peer = Slow("peer"), MemoryConnection("us")
    inner.other, peer.other = peer, inner
    stream = TlsConnection(inner, Plain())
    buffer, arrived = bytearray(100), bytearray(100)
    peer.send_now([b"?"])
    with trio.move_on_after(0):
        await stream.receive_into(buffer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.receive_into, buffer)
        await trio.testing.wait_all_tasks_blocked()
        inner.has_room.set()
        assert stream.send_now([b"next"]) == []
        peer.send_now([b"end"])
    size = await peer.receive_into(arrived)
    assert arrived[:size] == b"[key]<next>"
