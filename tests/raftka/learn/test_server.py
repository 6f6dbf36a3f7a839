"""`raftka learn` over real sockets: the page and its engine, for clients with the token."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, RejectConnection, Request, TextMessage

from raftka.learn import server

pytestmark = pytest.mark.wire


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """The address that is printed."""
    async with trio.open_nursery() as nursery:
        told: list[str] = []
        data: dict[str, Any] = {"lessons": []}
        run = partial(server.run, data, host="127.0.0.1", port=0, told=told.append)
        url: str = await nursery.start(run)
        assert told == [url]
        yield url
        nursery.cancel_scope.cancel()


async def get(url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    stream = await trio.open_tcp_stream(parts.hostname, parts.port)
    async with stream:
        path = f"{parts.path or '/'}?{parts.query}"
        await stream.send_all(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join([chunk async for chunk in stream])
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


async def asked(url: str, target: str, *lines: str) -> list[dict[str, Any]] | None:
    """The answers over the WebSocket up to the last one; None when it is refused."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    socket = WSConnection(ConnectionType.CLIENT)
    found: list[dict[str, Any]] = []
    text = ""
    async with await trio.open_tcp_stream(parts.hostname, parts.port) as stream:
        await stream.send_all(socket.send(Request(host="x", target=target)))
        while sum("ok" in answer for answer in found) < len(lines):
            socket.receive_data(await stream.receive_some() or None)
            for event in socket.events():
                if isinstance(event, AcceptConnection):
                    for line in lines:
                        await stream.send_all(socket.send(TextMessage(data=line)))
                elif isinstance(event, RejectConnection):
                    return None
                elif isinstance(event, TextMessage):
                    text += event.data
                    if event.message_finished:
                        found.append(json.loads(text))
                        text = ""
    return found


async def test_the_page_and_its_engine_are_for_those_with_the_token() -> None:
    with trio.fail_after(60):
        async with serving() as url:
            status, page = await get(url)
            assert status == 200 and "raftka-data" in page
            token = urlsplit(url).query
            assert f"/engine?{token}" in page
            assert (await get(url.split("?")[0]))[0] == 403
            assert (await get(url + "x"))[0] == 403
            assert await asked(url, "/engine?token=guess", "{}") is None
            session = {"scenario": "lost_leader", "seed": 3, "until_s": 0.3}
            answers = await asked(
                url,
                f"/engine?{token}",
                json.dumps({"id": 1, "op": "verbs"}),
                "nonsense\nin two lines",
                json.dumps({"id": 2, "op": "record", "session": session}),
            )
            assert answers is not None
            assert answers[0]["id"] == 1 and answers[0]["ok"]
            assert answers[1]["error"]["code"] == "no-json"
            assert answers[-1]["id"] == 2 and answers[-1]["run"]["session"]["seed"] == 3
            assert any(answer.get("events") for answer in answers)
