"""Tracing cannot harm a node: its first error ends the tracing, and is logged."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from random import Random

import pytest
import trio

from raftka.model import logs
from raftka.model.ports import BrokenConnection, Connection, Piece
from raftka.model.records import Record, encode_batch
from raftka.net.protocol import codec
from raftka.net.protocol.messages.api_versions import ApiVersionsRequest
from raftka.simulations.machines.disk import SimDisk
from raftka.simulations.machines.life import Life
from raftka.simulations.machines.medium import Medium
from raftka.simulations.machines.tls_records import ALERT, HANDSHAKE, Writer, clear
from raftka.tracing.files import TracedDisk
from raftka.tracing.node import TraceFile
from raftka.tracing.safely import Safely
from raftka.tracing.wire import Ends, Link, Message, TracedConnection


class Broken:
    """An observer that fails."""

    def __init__(self) -> None:
        self.called = 0

    def message(self, link: Link, message: Message, *, sent: bool) -> None:
        self.called += 1
        raise RuntimeError("a kind that nobody knows")

    def broken(self, link: Link, reason: str) -> None:
        self.called += 1
        raise RuntimeError("and once more")


class Wire:
    """A connection on which everything arrives."""

    peer = "b:9092"

    def __init__(self) -> None:
        self.sent = b""
        self.incoming = b""

    async def receive_into(self, buffer: bytearray | memoryview, at_least: int = 1) -> int:
        await trio.lowlevel.checkpoint()
        if not self.incoming:
            raise BrokenConnection("reset")
        buffer[: len(self.incoming)] = self.incoming
        size, self.incoming = len(self.incoming), b""
        return size

    def receive_now(self, buffer: bytearray | memoryview) -> int | None:
        raise NotImplementedError

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        self.sent += b"".join(bytes(piece) for piece in pieces if not hasattr(piece, "size"))
        return []

    async def send(self, pieces: Sequence[Piece]) -> None:
        self.send_now(list(pieces))
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Nothing to close."""


def request() -> bytes:
    asked = ApiVersionsRequest(client_software_name="x", client_software_version="1")
    pieces = codec.encode_request(asked, 3, 1, "me")
    return b"".join(bytes(piece) for piece in pieces if not hasattr(piece, "size"))


async def test_an_observer_that_fails_does_not_break_the_connection() -> None:
    wire, observer = Wire(), Broken()
    link = Link("n1", Ends("a>b", "n1", "b:9092"), True)
    traced: Connection = TracedConnection(wire, link, observer, Safely("connection a>b"))
    with logs.captured() as lines:
        assert traced.send_now([request()]) == []
        await traced.send([request()])
        wire.incoming = request()
        assert await traced.receive_into(bytearray(100)) == len(request())
        with pytest.raises(BrokenConnection):
            await traced.receive_into(bytearray(100))
        traced.close()
    assert wire.sent == 2 * request()
    assert observer.called == 1, "it is not asked again"
    assert [line.words for line in lines] == [
        "the trace of connection a>b ends here: what writes it has failed"
    ]
    assert lines[0].exception


class Reasons:
    """Keeps why connections ended."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def message(self, link: Link, message: Message, *, sent: bool) -> None:
        raise AssertionError("no message is in an alert")

    def broken(self, link: Link, reason: str) -> None:
        self.reasons.append(reason)


@pytest.mark.parametrize("alert", ["close notify", "unexpected message"])
async def test_a_goodbye_inside_tls_ends_the_connection(alert: str) -> None:
    wire, observer = Wire(), Reasons()
    link = Link("n1", Ends("a>b", "n1", "b:9092"), True)
    traced = TracedConnection(wire, link, observer, Safely("connection a>b"), clear)
    records = Writer()
    wire.incoming = records.record(HANDSHAKE, b"{}") + records.record(ALERT, alert.encode())
    await traced.receive_into(bytearray(200))
    assert observer.reasons == [], "this side has not noticed yet"
    traced.close()
    assert observer.reasons == ["closed by the other side"]


async def test_a_connection_that_this_side_closes_is_closed_here() -> None:
    observer = Reasons()
    link = Link("n1", Ends("a>b", "n1", "b:9092"), True)
    traced = TracedConnection(Wire(), link, observer, Safely("connection a>b"), clear)
    await traced.send([Writer().record(ALERT, b"close notify")])
    traced.close()
    assert observer.reasons == ["closed here"]


def test_an_observer_that_fails_does_not_harm_the_log() -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no room for this")

    disk = TracedDisk(SimDisk(Medium(Random(1)), Life()), fail, fail)
    disk.make_dirs("/data/t-0")
    file = disk.open("/data/t-0/00000000000000000000.log", create=True)
    batch = encode_batch([Record(0, 0, None, b"v", ())])
    with logs.captured() as lines:
        assert file.write([batch], 0) == len(batch)
        file.sync()
        file.truncate(0)
    assert file.size() == 0
    assert [line.words.partition(" ends")[0] for line in lines] == [f"the trace of {file.path}"]


class FullDisk(io.StringIO):
    full = False

    def flush(self) -> None:
        if self.full:
            raise OSError(28, "No space left on device")


def test_a_file_that_cannot_be_written_ends_the_trace_and_is_told_once() -> None:
    file = FullDisk()
    trace = TraceFile(file, "n1", lambda: 1.0)
    line = logs.Line("info", "x", "hello", {"size": {1}})
    trace.line(line)
    file.full = True
    with logs.captured() as lines:
        trace.line(line)
        trace.line(line)
    assert [each.words for each in lines] == [
        "the trace ends here, its file cannot be written: [Errno 28] No space left on device"
    ]
    assert json.loads(file.getvalue().splitlines()[0])["words"] == "hello"
