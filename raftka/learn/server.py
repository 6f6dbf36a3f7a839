"""`raftka learn` serves the page, and answers it over one WebSocket. The extra raftka[learn].

Each page has an engine of its own, a process (worker.py) that ends with its connection. A slow
reader delays its own run only. The token in the URL excludes other users of the machine.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from raftka.learn.attached import Attached
from raftka.learn.bridging import Bridging
from raftka.learn.export import page
from raftka.learn.teacher import LINE_MAX

POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
    " connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'"
)
_NO_TOKEN: Final = "This page needs the token: open the address that raftka learn has printed.\n"


HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""The headers of every page."""


class Pages:
    """The page at /, its engine at /engine; both need the token. Where nodes are attached, they
    take the engine's place."""

    def __init__(
        self,
        data: Mapping[str, Any],
        token: str,
        attached: Attached | None = None,
        bridging: Bridging | None = None,
    ) -> None:
        self.data = dict(data)
        self.token: Final = token
        self._attached = attached
        self._bridging = bridging

    def routes(self) -> list[BaseRoute]:
        """What is served."""
        return [
            Route("/", self._show),
            WebSocketRoute("/engine", self._engine),
            WebSocketRoute("/bridge", self._bridge),
        ]

    def is_known(self, given: str | None) -> bool:
        """Whether this is the token."""
        return given is not None and secrets.compare_digest(given.encode(), self.token.encode())

    async def _show(self, request: Request) -> Response:
        if not self.is_known(request.query_params.get("token")):
            return PlainTextResponse(_NO_TOKEN, status_code=403)
        sockets = {"socket": f"/engine?token={self.token}"}
        if self._bridging is not None:
            sockets["bridge_socket"] = f"/bridge?token={self.token}"
        return HTMLResponse(page({**self.data, **sockets}), headers=HEADERS)

    async def _engine(self, socket: WebSocket) -> None:
        if not self.is_known(socket.query_params.get("token")):
            await socket.close(1008)
            return
        await socket.accept()
        if self._attached is not None:
            await _look(socket, self._attached)
            return
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(_worker)
            nursery.start_soon(_requests, socket, process, nursery.cancel_scope)
            await _answers(socket, process)
            nursery.cancel_scope.cancel()

    async def _bridge(self, socket: WebSocket) -> None:
        bridging = self._bridging
        if bridging is None or not self.is_known(socket.query_params.get("token")):
            await socket.close(1008)
            return
        await socket.accept()
        try:
            while True:
                await socket.send_text(await bridging.ask(await heard(socket)))
        except WebSocketDisconnect:
            return


async def heard(socket: WebSocket) -> str:
    """The next message. Raises WebSocketDisconnect: the page was closed, or sent bytes, which no
    page does: it is closed then."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    text = message.get("text")
    if text is None:
        await socket.close(1003)
        raise WebSocketDisconnect(1003)
    return str(text)


async def _look(socket: WebSocket, attached: Attached) -> None:
    """Answer a page about the nodes that are attached, until it is closed."""
    try:
        while True:
            try:
                request = json.loads(await heard(socket))
            except (ValueError, RecursionError):
                request = None
            answer = await attached.handle(request)
            await socket.send_text(json.dumps(answer, separators=(",", ":")))
    except WebSocketDisconnect:
        return


async def _worker(*, task_status: trio.TaskStatus[trio.Process]) -> None:
    """An engine, until it is cancelled."""
    await trio.run_process(
        [sys.executable, "-m", "raftka.learn.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        check=False,
        deliver_cancel=_kill,
        task_status=task_status,
    )


async def _kill(process: trio.Process) -> None:
    process.kill()


async def _requests(socket: WebSocket, process: trio.Process, scope: trio.CancelScope) -> None:
    assert process.stdin is not None
    try:
        while True:
            line = await heard(socket)
            await process.stdin.send_all(line.replace("\n", " ").encode() + b"\n")
    except (WebSocketDisconnect, trio.BrokenResourceError):
        scope.cancel()  # The page was closed, or the engine has ended.


async def _answers(socket: WebSocket, process: trio.Process) -> None:
    assert process.stdout is not None
    kept = bytearray()
    async for chunk in process.stdout:
        kept += chunk
        *lines, rest = kept.split(b"\n")
        kept = bytearray(rest)
        for line in lines:
            await socket.send_text(line.decode())


async def run(
    data: Mapping[str, Any],
    *,
    host: str,
    port: int,
    told: Callable[[str], None],
    attached: Attached | None = None,
    bridging: Bridging | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; `told` gets the address to open. Raises OSError: the port is taken."""
    async with AsyncExitStack() as stack:
        if attached is not None:
            await stack.enter_async_context(attached)
        nursery = await stack.enter_async_context(trio.open_nursery())
        if bridging is not None:
            await nursery.start(bridging.run)
        pages = Pages(data, secrets.token_urlsafe(12), attached, bridging)
        application = Starlette(routes=pages.routes())
        where: str = await nursery.start(partial(listen, application, host, port, LINE_MAX))
        url = f"http://{where}/?token={pages.token}"
        told(url)
        task_status.started(url)


async def listen(
    application: Starlette,
    host: str,
    port: int,
    message_max: int,
    *,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; the status is `HOST:PORT`. A page's message has at most that many
    bytes. Raises OSError: the port is taken.
    """
    config = Config()
    config.bind = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
    config.websocket_max_message_size = message_max
    config.accesslog = config.errorlog = None
    async with trio.open_nursery() as nursery:
        bound: list[str] = await nursery.start(_serve, application, config)
        task_status.started(bound[0].removeprefix("http://"))


async def _serve(
    application: Starlette,
    config: Config,
    *,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    await serve(application, config, task_status=task_status)  # type: ignore[arg-type]
