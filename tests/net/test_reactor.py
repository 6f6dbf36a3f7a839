"""The reactor over real sockets: turns, fairness, and how connections leave it and come back."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from raftka.model.access import PER_RESOURCE
from raftka.model.ports import Connection, Poller
from raftka.net.answers import Turn
from raftka.net.clock import SystemClock
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol import codec
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.router import Context, Pending, Router
from raftka.net.server import Server
from raftka.net.transport import TcpNetwork

FRAME = len(b"".join(codec.encode_request(HeartbeatRequest(), 4, 1, "test")))  # type: ignore[arg-type]


def ask(correlation_id: int, member: str = "m") -> bytes:
    request = HeartbeatRequest(group_id="g", generation_id=1, member_id=member)
    return b"".join(codec.encode_request(request, 4, correlation_id, "test"))  # type: ignore[arg-type]


class CountingPoller:
    """A poller that counts turns."""

    def __init__(self, inner: Poller) -> None:
        self._inner = inner
        self.turns: list[int] = []
        """How many connections each turn had."""
        self.watch = inner.watch
        self.forget = inner.forget
        self.close = inner.close

    async def ready(self) -> list[Any]:
        found = await self._inner.ready()
        self.turns.append(len(found))
        return found


@asynccontextmanager
async def serving(
    handler: Callable[[Context[None], HeartbeatRequest], Any], *, max_idle_s: float = 600
) -> AsyncIterator[tuple[CountingPoller, Callable[[], Any]]]:
    """A server of Heartbeat, its poller, and its clients."""
    routes: Router[None] = Router()
    routes.handles(HeartbeatRequest, versions=(0, 4), access=PER_RESOURCE)(handler)
    network = TcpNetwork()
    inner = network.poller()
    assert inner is not None
    poller = CountingPoller(inner)
    listener = await network.listen("127.0.0.1", 0)
    server = Server(
        Dispatcher(None, routes.routes("broker")), name="PLAINTEXT", turn=Turn(),
        clock=SystemClock(), max_frame_bytes=1 << 20, max_idle_s=max_idle_s, poller=poller,
    )  # fmt: skip
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run, listener)
            made: list[Connection] = []

            async def connect() -> Connection:
                made.append(await network.connect("127.0.0.1", listener.port))
                return made[-1]

            yield poller, connect
            nursery.cancel_scope.cancel()
    for connection in made:
        connection.close()


async def answers(connection: Connection, count: int) -> list[int]:
    """The correlation ids of the next answers; fewer when the stream ends."""
    found: list[int] = []
    data = bytearray()
    buffer = bytearray(1 << 16)
    while len(found) < count:
        got = await connection.receive_into(buffer)
        if not got:
            break
        data += buffer[:got]
        while len(data) >= 8 and len(data) >= 4 + (size := struct.unpack_from(">i", data)[0]):
            found.append(struct.unpack_from(">i", data, 4)[0])
            del data[: 4 + size]
    return found


def at_once(context: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
    return HeartbeatResponse()


async def test_what_comes_together_is_one_turn() -> None:
    async with serving(at_once) as (poller, connect):
        connections = [await connect() for _ in range(20)]
        await trio.testing.wait_all_tasks_blocked(0.05)
        poller.turns.clear()
        for connection in connections:  # Without a checkpoint, so that all are there at once.
            assert connection.send_now([ask(1) + ask(2)]) == []
        for connection in connections:
            assert await answers(connection, 2) == [1, 2]
        assert poller.turns == [20]


async def test_a_flood_does_not_starve_a_quiet_connection() -> None:
    """While one peer keeps its socket full, the other waits for a turn or two each time."""
    handled = 0

    def counting(context: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
        nonlocal handled
        handled += 1
        return HeartbeatResponse()

    async with serving(counting) as (_, connect):
        flood, quiet = await connect(), await connect()
        async with trio.open_nursery() as nursery:

            async def pour() -> None:
                many = b"".join(ask(number) for number in range(5000))
                while True:
                    await flood.send([many])

            async def drain() -> None:
                while await answers(flood, 1000):
                    pass

            nursery.start_soon(pour)
            nursery.start_soon(drain)
            while handled < 5000:
                await trio.lowlevel.checkpoint()
            waited = []
            for number in range(20):
                before = handled
                await quiet.send([ask(number)])
                assert await answers(quiet, 1) == [number]
                waited.append(handled - before)
            nursery.cancel_scope.cancel()
    # A turn takes one buffer of 128 KB from each.
    in_a_turn = (128 << 10) // FRAME
    assert sorted(waited)[10] <= 2 * in_a_turn
    assert max(waited) <= 5 * in_a_turn


async def test_what_has_to_wait_leaves_and_comes_back() -> None:
    may_go = trio.Event()

    async def slow(context: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
        if request.member_id == "slow":
            await may_go.wait()
        return HeartbeatResponse()

    async with serving(slow) as (_, connect):
        one, other = await connect(), await connect()
        await one.send([ask(1) + ask(2, "slow") + ask(3)])
        assert await answers(one, 1) == [1]
        await one.send([ask(4)])
        await other.send([ask(7)])
        assert await answers(other, 1) == [7]
        may_go.set()
        assert await answers(one, 3) == [2, 3, 4]
        await one.send([ask(5)])
        assert await answers(one, 1) == [5]


async def test_a_peer_with_too_many_requests_that_wait_is_not_read_from() -> None:
    """The others stay in its own kernel; once its answers leave, all are answered in order."""
    waiting: list[Pending] = []
    total = 12_000

    def later(context: Context[None], request: HeartbeatRequest) -> Pending:
        waiting.append(Pending())
        return waiting[-1]

    async with serving(later) as (_, connect):
        connection, other = await connect(), await connect()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.send, [b"".join(map(ask, range(total)))])
            while len(waiting) < 1000:
                await trio.testing.wait_all_tasks_blocked(0.01)
            await other.send([ask(1)])
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert 1000 < len(waiting) < total

            async def answer_all() -> None:
                while True:
                    for pending in waiting:
                        pending.resolve(HeartbeatResponse())
                    waiting.clear()
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(answer_all)
            assert await answers(connection, total) == list(range(total))
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("junk", [struct.pack(">i", -5), struct.pack(">i", 3) + b"abc"])
async def test_a_peer_that_talks_nonsense_is_alone_with_it(junk: bytes) -> None:
    async with serving(at_once) as (_, connect):
        bad, good = await connect(), await connect()
        await bad.send([junk])
        assert await answers(bad, 1) == []
        await good.send([ask(3)])
        assert await answers(good, 1) == [3]


async def test_a_connection_that_is_closed_on_our_side_ends() -> None:
    """The reaper closes it while the poller has its descriptor."""
    async with serving(at_once, max_idle_s=0.05) as (_, connect):
        connection = await connect()
        assert await answers(connection, 1) == []
        again = await connect()
        await again.send([ask(1)])
        assert await answers(again, 1) == [1]
