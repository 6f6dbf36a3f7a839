"""Hostile frames for every API end at most their own connection; all others are undisturbed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import trio

from raftka.model import logs
from raftka.model.access import NOTHING
from raftka.model.ports import BrokenConnection, Connection
from raftka.net.answers import Turn
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol import codec
from raftka.net.protocol.codec import REQUESTS
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.protocol.messages.join_group import JoinGroupResponse
from raftka.net.router import Context, Route
from raftka.net.server import Server
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.network import Fabric
from tests.support.fuzz import KINDS, HostileFrame, hostile_frame, hostile_frames
from tests.support.messages import versions
from tests.support.wire import joined

MAX_FRAME_BYTES = 100_000
FRAMES_EACH = 12
# Half a frame only waits for its rest, and surplus bytes are ignored as in Kafka.
HARMLESS = ("cut_off", "trailing")


def every_route() -> Iterator[Route[None]]:
    """Every API, answered with its response's defaults."""
    for key, request in REQUESTS.items():
        first, last = request.VALID_VERSIONS
        yield Route(key, request.API_NAME, request, first, last, NOTHING, empty_answer)


def empty_answer(context: Context[None], request: Any) -> Any:
    response = request.RESPONSE()
    if isinstance(response, JoinGroupResponse):
        response.protocol_name = ""  # It may be null from version 7 on only.
    return response


async def connect(fabric: Fabric, name: str) -> Connection:
    return await fabric.host(name).connect("server", 9092)


async def ping(connection: Connection, correlation_id: int) -> None:
    """Send a request and receive its answer."""
    request = HeartbeatRequest(group_id="g", member_id="m")
    await connection.send(codec.encode_request(request, 4, correlation_id, "steady"))
    data = bytearray()
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
        buffer = bytearray(1000)
        received = await connection.receive_into(buffer)
        assert received, "the steady connection was closed"
        data += buffer[:received]
    assert codec.decode_response(HeartbeatResponse, 4, data[4:])[0] == correlation_id


async def attack(fabric: Fabric, frame: HostileFrame) -> bool:
    """Send one frame on a connection of its own; returns whether the server closed it."""
    connection = await connect(fabric, "attacker")
    try:
        await connection.send([frame.data])
        with trio.move_on_after(1):
            while True:
                if not await connection.receive_into(bytearray(10_000)):
                    return True
        return False
    except BrokenConnection:
        return True
    finally:
        connection.close()


async def test_hostile_frames_disturb_nobody_else(autojump_clock: object) -> None:
    fabric = Fabric(random.Random(1))
    server = Server(
        Dispatcher(None, {route.api_key: route for route in every_route()}),
        name="PLAINTEXT",
        turn=Turn(),
        clock=SimClock(),
        max_frame_bytes=MAX_FRAME_BYTES,
        max_idle_s=600,
    )
    closed: Counter[str] = Counter()
    dice = random.Random(2)
    with logs.captured() as lines:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fabric.run)
            nursery.start_soon(server.run, await fabric.host("server").listen("server", 9092))
            steady = await connect(fabric, "steady")
            for number, frame in enumerate(hostile_frames(dice, FRAMES_EACH)):
                closed[frame.kind] += await attack(fabric, frame)
                if number % 10 == 0:
                    await ping(steady, number)
            await ping(steady, -1)
            nursery.cancel_scope.cancel()
    assert all(closed[kind] for kind in KINDS if kind not in HARMLESS), closed
    defects = [line for line in lines if line.level == "error"]
    assert defects == []


def test_every_kind_meets_every_api() -> None:
    dice = random.Random(3)
    for key, request in REQUESTS.items():
        for kind in KINDS:
            frame = hostile_frame(dice, key, versions(request)[-1], kind)
            size = int.from_bytes(frame.data[:4], "big", signed=True)
            assert frame.open_ended or size == len(frame.body)


def test_frames_repeat_with_their_seed() -> None:
    one, two = (list(hostile_frames(random.Random(9), 2)) for _ in range(2))
    assert one == two
    assert joined([one[0].data])[4:] == one[0].body
