"""The server: answers in the order of requests, and junk that ends its own connection only."""

from __future__ import annotations

import contextlib
import random
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from raftka.model.access import NOTHING, PER_RESOURCE
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection, Connection
from raftka.net.answers import Turn
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol import codec
from raftka.net.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.router import Context, Pending, Router
from raftka.net.server import Server
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.network import Fabric

Handler = Callable[[Context[None], Any], Any]


@pytest.fixture(params=["one task for all", "a task for each"], autouse=True)
def way(request: pytest.FixtureRequest) -> str:
    """The two ways to serve connections; every test holds for both."""
    WAY.append(request.param)
    return str(request.param)


WAY: list[str] = []
"""The way of the running test is the last item."""


def router(handler: Handler, *, concurrent: bool = False) -> Router[None]:
    """Heartbeat by the handler, and ApiVersions."""
    made: Router[None] = Router()
    made.handles(HeartbeatRequest, versions=(0, 4), access=PER_RESOURCE, concurrent=concurrent)(
        handler
    )

    @made.handles(
        ApiVersionsRequest,
        versions=(0, 4),
        access=NOTHING,
        other_versions=lambda _: ApiVersionsResponse(error_code=ErrorCode.UNSUPPORTED_VERSION),
    )
    def api_versions(context: Context[None], request: ApiVersionsRequest) -> ApiVersionsResponse:
        return ApiVersionsResponse()

    return made


@asynccontextmanager
async def serving(
    handler: Handler, *, concurrent: bool = False, seed: int = 1
) -> AsyncIterator[tuple[Fabric, Connection]]:
    """A server with one API (Heartbeat) and ApiVersions, and a connection to it."""
    fabric = Fabric(random.Random(seed))
    routes = router(handler, concurrent=concurrent).routes("broker")
    host = fabric.host("b")
    server = Server(
        Dispatcher(None, routes), name="PLAINTEXT", turn=Turn(), clock=SimClock(),
        max_frame_bytes=100_000, max_idle_s=600,
        poller=host.poller() if WAY[-1] == "one task for all" else None,
    )  # fmt: skip
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fabric.run)
        nursery.start_soon(server.run, await host.listen("b", 9092))
        yield fabric, await fabric.host("a").connect("b", 9092)
        nursery.cancel_scope.cancel()


def ask(correlation_id: int, member: str = "m") -> bytes:
    request = HeartbeatRequest(group_id="g", generation_id=1, member_id=member)
    return b"".join(codec.encode_request(request, 4, correlation_id, "test"))  # type: ignore[arg-type]


async def answers(connection: Connection, count: int) -> list[tuple[int, int]]:
    """(correlation id, error code) of the next answers."""
    data = bytearray()
    found: list[tuple[int, int]] = []
    while len(found) < count:
        buffer = bytearray(4096)
        got = await connection.receive_into(buffer)
        if not got:
            break
        data += buffer[:got]
        while len(data) >= 4 and len(data) >= 4 + (size := struct.unpack_from(">i", data)[0]):
            correlation_id, message = codec.decode_response(
                HeartbeatResponse, 4, memoryview(bytes(data[4 : 4 + size]))
            )
            found.append((correlation_id, message.error_code))
            del data[: 4 + size]
    return found


async def test_answers_keep_the_order_of_requests(autojump_clock: object) -> None:
    waiting: list[Pending] = []

    def handler(context: Context[None], request: HeartbeatRequest) -> object:
        if request.member_id == "later":
            waiting.append(Pending())
            return waiting[-1]
        return HeartbeatResponse(error_code=0)

    async with serving(handler) as (_, connection):
        await connection.send([ask(1, "later") + ask(2) + ask(3, "later") + ask(4)])
        await trio.sleep(1)
        waiting[1].resolve(HeartbeatResponse(error_code=33))
        await trio.sleep(1)
        waiting[0].resolve(HeartbeatResponse(error_code=11))
        assert await answers(connection, 4) == [(1, 11), (2, 0), (3, 33), (4, 0)]


async def test_an_answer_that_cannot_be_encoded_ends_its_own_connection(
    autojump_clock: object,
) -> None:
    pending = Pending()

    def handler(context: Context[None], request: HeartbeatRequest) -> object:
        return pending if request.member_id == "later" else HeartbeatResponse(error_code=0)

    async with serving(handler) as (fabric, connection):
        other = await fabric.host("c").connect("b", 9092)
        await connection.send([ask(1, "later")])
        await trio.sleep(1)
        # The caller that resolves it, perhaps in its own turn, does not notice.
        pending.resolve(HeartbeatResponse(error_code=1 << 20))
        assert await connection.receive_into(bytearray(10)) == 0
        await other.send([ask(2)])
        assert await answers(other, 1) == [(2, 0)]


async def test_a_concurrent_answer_that_fails_ends_its_own_connection(
    autojump_clock: object,
) -> None:
    async def handler(context: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
        await trio.sleep(1)
        return HeartbeatResponse(error_code=0 if request.member_id == "m" else 1 << 20)

    async with serving(handler, concurrent=True) as (fabric, connection):
        other = await fabric.host("c").connect("b", 9092)
        await connection.send([ask(1, "bad")])
        assert await connection.receive_into(bytearray(10)) == 0
        await other.send([ask(2)])
        assert await answers(other, 1) == [(2, 0)]


async def test_an_async_handler_holds_back_its_connection_only(autojump_clock: object) -> None:
    async def handler(context: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
        await trio.sleep(100 if request.member_id == "slow" else 0)
        return HeartbeatResponse(error_code=0)

    async with serving(handler) as (fabric, connection):
        other = await fabric.host("c").connect("b", 9092)
        await connection.send([ask(1, "slow") + ask(2)])
        await other.send([ask(7)])
        with trio.fail_after(10):
            assert await answers(other, 1) == [(7, 0)]
        assert await answers(connection, 2) == [(1, 0), (2, 0)]


@pytest.mark.parametrize("is_async", [False, True])
async def test_what_a_handler_raises_becomes_the_answer(
    is_async: bool, autojump_clock: object, caplog: object
) -> None:
    def handler(context: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
        if request.member_id == "bug":
            raise ZeroDivisionError("a defect")
        raise KafkaError(ErrorCode.ILLEGAL_GENERATION)

    async def async_handler(context: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
        return handler(context, request)

    chosen = async_handler if is_async else handler
    async with serving(
        chosen,
    ) as (_, connection):
        await connection.send([ask(1) + ask(2, "bug")])
        assert await answers(connection, 2) == [
            (1, ErrorCode.ILLEGAL_GENERATION),
            (2, ErrorCode.UNKNOWN_SERVER_ERROR),
        ]


@pytest.mark.parametrize(
    "junk",
    [
        struct.pack(">i", -5),
        struct.pack(">i", 100_001),
        struct.pack(">i", 3) + b"abc",
        struct.pack(">ihhi", 10, 999, 0, 1) + b"\xff\xff",
        struct.pack(">ihhi", 10, HeartbeatRequest.API_KEY, 99, 1) + b"\xff\xff",
        ask(1)[:4] + ask(1)[4:-3] + b"\xff\xff\xff",
    ],
)
async def test_junk_ends_its_own_connection_and_no_other(
    junk: bytes, autojump_clock: object
) -> None:
    async with serving(lambda context, request: HeartbeatResponse()) as (fabric, good):
        bad = await fabric.host("c").connect("b", 9092)
        await bad.send([junk])
        # Bytes that were still on their way make it a reset.
        with contextlib.suppress(BrokenConnection):
            assert await answers(bad, 1) == []
        await good.send([ask(5)])
        assert await answers(good, 1) == [(5, 0)]


async def test_a_newer_api_versions_request_is_answered_in_version_0(
    autojump_clock: object,
) -> None:
    async with serving(lambda context, request: HeartbeatResponse()) as (_, connection):
        frame = struct.pack(">hhi", ApiVersionsRequest.API_KEY, 100, 9) + b"\xff\xff\0"
        await connection.send([struct.pack(">i", len(frame)) + frame])
        buffer = bytearray(1000)
        got = await connection.receive_into(buffer)
        correlation_id, answer = codec.decode_response(
            ApiVersionsResponse, 0, memoryview(bytes(buffer[4:got]))
        )
        assert (correlation_id, answer.error_code) == (9, ErrorCode.UNSUPPORTED_VERSION)


async def test_a_connection_that_nobody_uses_is_closed(autojump_clock: object) -> None:
    async with serving(lambda context, request: HeartbeatResponse()) as (_, connection):
        with trio.fail_after(1300):
            assert await answers(connection, 1) == []
