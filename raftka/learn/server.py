"""`raftka learn` serves the page, and answers it over one WebSocket. The extra raftka[learn].

Each page has an engine of its own, a process (worker.py) that ends with its connection. A reader
that does not read holds its own run up. The token in the URL keeps others on the machine out.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from raftka.learn.attached import Attached
from raftka.learn.bridging import Bridging
from raftka.learn.export import page
from raftka.learn.teacher import LINE_MAX

_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
    " connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'"
)
_NO_TOKEN: Final = "This page needs the token: open the address that raftka learn has printed.\n"


def app(
    data: Mapping[str, Any],
    token: str,
    attached: Attached | None = None,
    bridging: Bridging | None = None,
) -> Starlette:
    """The page at /, its engine at /engine; both need the token. Where nodes are attached, they
    take the engine's place."""

    def is_known(given: str | None) -> bool:
        return given is not None and secrets.compare_digest(given.encode(), token.encode())

    async def show(request: Request) -> Response:
        if not is_known(request.query_params.get("token")):
            return PlainTextResponse(_NO_TOKEN, status_code=403)
        sockets = {"socket": f"/engine?token={token}"}
        if bridging is not None:
            sockets["bridge_socket"] = f"/bridge?token={token}"
        html = page({**data, **sockets})
        return HTMLResponse(
            html,
            headers={
                "Content-Security-Policy": _POLICY,
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
            },
        )

    async def engine(socket: WebSocket) -> None:
        if not is_known(socket.query_params.get("token")):
            await socket.close(1008)
            return
        await socket.accept()
        if attached is not None:
            await _look(socket, attached)
            return
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(_worker)
            nursery.start_soon(_requests, socket, process, nursery.cancel_scope)
            await _answers(socket, process)
            nursery.cancel_scope.cancel()

    async def bridge(socket: WebSocket) -> None:
        if bridging is None or not is_known(socket.query_params.get("token")):
            await socket.close(1008)
            return
        await socket.accept()
        try:
            while True:
                await socket.send_text(await bridging.ask(await socket.receive_text()))
        except WebSocketDisconnect:
            return

    return Starlette(
        routes=[
            Route("/", show),
            WebSocketRoute("/engine", engine),
            WebSocketRoute("/bridge", bridge),
        ]
    )


async def _look(socket: WebSocket, attached: Attached) -> None:
    """Answer a page about the nodes that are attached, until it is closed."""
    try:
        while True:
            try:
                request = json.loads(await socket.receive_text())
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
            line = await socket.receive_text()
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
    token = secrets.token_urlsafe(12)
    config = Config()
    config.bind = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
    config.websocket_max_message_size = LINE_MAX
    config.accesslog = config.errorlog = None
    async with AsyncExitStack() as stack:
        if attached is not None:
            await stack.enter_async_context(attached)
        nursery = await stack.enter_async_context(trio.open_nursery())
        if bridging is not None:
            await nursery.start(bridging.run)
        application = app(data, token, attached, bridging)
        bound: list[str] = await nursery.start(_serve, application, config)
        where = bound[0].removeprefix("http://")
        url = f"http://{where}/?token={token}"
        told(url)
        task_status.started(url)


async def _serve(
    application: Starlette,
    config: Config,
    *,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    await serve(application, config, task_status=task_status)  # type: ignore[arg-type]
