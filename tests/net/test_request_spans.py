"""Spans of requests: the sampled share, the stages, and the limit of kept spans."""

from __future__ import annotations

import random
from typing import Any

import trio

from raftka.model.access import NOTHING
from raftka.net.answers import Turn
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol import codec
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.protocol.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from raftka.net.request_spans import Span, Spans
from raftka.net.router import Context, Route
from raftka.net.server import Server
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.network import Fabric


def at_once(context: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
    return HeartbeatResponse()


async def later(context: Context[None], request: ListGroupsRequest) -> ListGroupsResponse:
    await trio.sleep(2)
    return ListGroupsResponse()


ROUTES: list[Route[Any]] = [
    Route(12, "Heartbeat", HeartbeatRequest, 0, 4, NOTHING, at_once),
    Route(16, "ListGroups", ListGroupsRequest, 0, 4, NOTHING, later, is_async=True),
]


async def ask(spans: Spans, *requests: Any, client_id: str = "someone") -> None:
    """Send requests to a server with these spans, one after the other."""
    fabric = Fabric(random.Random(1))
    dispatcher: Dispatcher[None] = Dispatcher(None, {route.api_key: route for route in ROUTES})
    server = Server(
        spans.around(dispatcher, "PLAINTEXT"),
        name="PLAINTEXT",
        turn=Turn(),
        clock=SimClock(),
        max_frame_bytes=1000,
        max_idle_s=600,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fabric.run)
        nursery.start_soon(server.run, await fabric.host("n1").listen("n1", 9092))
        connection = await fabric.host("client").connect("n1", 9092)
        for number, request in enumerate(requests):
            await connection.send(codec.encode_request(request, 4, number, client_id))
            assert await connection.receive_into(bytearray(1000))
        nursery.cancel_scope.cancel()


async def test_a_request_has_a_span_and_one_for_each_stage(autojump_clock: object) -> None:
    spans = Spans(SimClock(), random.Random(2), 1.0)
    await ask(spans, HeartbeatRequest(group_id="g"), ListGroupsRequest())
    found = spans.taken(100)
    assert [each.name for each in found] == [
        *("Heartbeat", "Heartbeat local"),
        *("ListGroups", "ListGroups local", "ListGroups remote"),
    ]
    beat, beat_local, groups, groups_local, remote = found
    assert (groups.began_s, groups.ended_s) == (groups_local.began_s, remote.ended_s)
    assert groups_local.ended_s == remote.began_s
    assert 1.9 < remote.ended_s - remote.began_s < 2.1
    assert beat_local.parent_id == beat.span_id and beat.parent_id is None
    assert {each.trace_id for each in found} == {beat.trace_id, groups.trace_id}
    assert len({each.span_id for each in found}) == 5
    attributes = dict(groups.attributes)
    assert attributes["rpc.method"] == "ListGroups" and attributes["kafka.api.version"] == 4
    assert attributes["client.id"] == "someone" and attributes["kafka.listener"] == "PLAINTEXT"
    assert attributes["enduser.id"] == "User:ANONYMOUS"
    assert attributes["client.address"] == "client", "without its port, as OpenTelemetry has it"
    assert spans.taken(100) == []


async def test_little_is_kept_of_a_long_client_id(autojump_clock: object) -> None:
    spans = Spans(SimClock(), random.Random(2), 1.0)
    await ask(spans, HeartbeatRequest(group_id="g"), client_id="x" * 900)
    assert dict(spans.taken(1)[0].attributes)["client.id"] == "x" * 256


async def test_a_share_of_the_requests_has_spans(autojump_clock: object) -> None:
    spans = Spans(SimClock(), random.Random(3), 0.25)
    await ask(spans, *[HeartbeatRequest(group_id="g")] * 200)
    whole = [each for each in spans.taken(1000) if each.parent_id is None]
    assert 25 < len(whole) < 80
    spans = Spans(SimClock(), random.Random(3), 0.0)
    await ask(spans, *[HeartbeatRequest(group_id="g")] * 20)
    assert spans.taken(1000) == []


def test_what_nobody_takes_is_dropped_and_counted() -> None:
    spans = Spans(SimClock(), random.Random(4), 1.0)
    for number in range(3000):
        spans.add(str(number), (), 1.0, 2.0, 2.0)
    kept: list[Span] = spans.taken(10_000)
    assert len(kept) == 4096 and spans.dropped == 6000 - 4096
    assert kept[-2].name == "2999"
