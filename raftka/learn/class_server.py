"""`raftka learn --class`: a teacher's page, a link for each exercise, counted predictions.

    /?token=T               the teacher's page; /engine and /class belong to it, and need the token
    /c/CODE/LESSON          a student's page: the lesson up to the first question that is not opened
    /c/CODE/LESSON/seat     its WebSocket: {"vote": ANSWER, "question": N}; it receives its own
                            state, and opened answers
    /c/CODE/engine/DIGEST   what makes a student's browser run sessions (engine_file.py)

A seat is a cookie that this server has signed: a student that comes back keeps the vote, and the
server remembers only those that have voted. This machine runs nothing for students: their page has
the recording, and after a lesson's last answer, where there is an engine's file, that engine.
"""

from __future__ import annotations

import hmac
import json
import secrets
import socket as sockets
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from typing import Any, Final

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from raftka.learn.classroom import Classroom, Exercise, Refused
from raftka.learn.engine_file import EngineFile
from raftka.learn.export import page
from raftka.learn.server import HEADERS, POLICY, Pages, heard, listen

_COOKIE: Final = "raftka-seat"
_LETTERS: Final = "23456789abcdefghjkmnpqrstuvwxyz"
"""Characters that are not confused when read from a board."""
_CODE_LENGTH: Final = 6
MESSAGE_MAX: Final = 1 << 18
"""The most bytes of a message from a page."""
_VOTE_MAX: Final = 512
_CHUNK: Final = 1 << 16
"""Bytes of an engine that a slow browser has not taken yet, at most."""
_ENGINE_HEADERS: Final = {
    **HEADERS,
    # Python for a browser is WebAssembly in a worker, whose code the page has in its own memory.
    "Content-Security-Policy": POLICY.replace(
        "script-src", "worker-src blob:; script-src 'wasm-unsafe-eval' blob:"
    ),
}
_PAUSE_S: Final = 0.1
"""The least seconds between two messages to a page; events in between share one."""


class NotRecorded(Exception):
    """A lesson's run could not be recorded; the message says why."""


class ClassServer:
    """The pages of one class."""

    def __init__(
        self,
        data: Mapping[str, Any],
        pages: Pages,
        classroom: Classroom,
        engine: EngineFile | None = None,
    ) -> None:
        self.code: Final = "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH))
        self._data = data
        self._pages = pages
        self._classroom = classroom
        self._engine = engine
        self._secret = secrets.token_bytes(32)
        self._change = trio.Event()
        """The next change: each waiting task checks again."""
        self._recording = trio.Lock()

    def app(self) -> Starlette:
        """What is served."""
        return Starlette(
            routes=[
                *self._pages.routes(),
                WebSocketRoute("/class", self._teach),
                Route("/c/{code}/engine/{digest}", self._send_engine),
                Route("/c/{code}/{name}", self._show),
                WebSocketRoute("/c/{code}/{name}/seat", self._sit),
            ]
        )

    def _changed(self) -> None:
        self._change.set()
        self._change = trio.Event()

    async def prepare(self) -> None:
        """Prepare every exercise, one after the other. Raises NotRecorded."""
        for name in self._classroom.names:
            await self._ready(name)

    async def _ready(self, name: str) -> None:
        async with self._recording:
            if not self._classroom.has(name):
                self._classroom.add(await _exercise(name))
                self._changed()

    # The teacher.

    async def _teach(self, socket: WebSocket) -> None:
        if not self._pages.is_known(socket.query_params.get("token")):
            await socket.close(1008)
            return
        await socket.accept()

        def take(message: object) -> None:
            name = message.get("open") if isinstance(message, dict) else None
            if isinstance(message, dict) and isinstance(name, str) and self._classroom.has(name):
                self._classroom.open(name, message.get("question"))
                self._changed()

        await self._both_ways(
            socket, take, lambda: json.dumps({"exercises": self._classroom.of_teacher()})
        )

    # Students.

    def _is_exercise(self, params: Mapping[str, Any]) -> bool:
        return self._is_code(params) and params["name"] in self._classroom.names

    def _is_code(self, params: Mapping[str, Any]) -> bool:
        return hmac.compare_digest(str(params["code"]).encode(), self.code.encode())

    async def _show(self, request: Request) -> Response:
        if not self._is_exercise(request.path_params):
            return PlainTextResponse("There is no such exercise here.\n", status_code=404)
        name = request.path_params["name"]
        await self._ready(name)
        data = {
            "runs": [json.loads(self._classroom.packed(name))],
            "seat": f"/c/{self.code}/{name}/seat",
        }
        if "lang" in self._data:
            data["lang"] = self._data["lang"]
        headers = HEADERS if self._engine is None else _ENGINE_HEADERS
        answer = HTMLResponse(page(data), headers=headers)
        if self._seat_of(request.cookies) is None:
            answer.set_cookie(
                _COOKIE, self._new_seat(), path=f"/c/{self.code}", httponly=True, samesite="lax"
            )
        return answer

    def _engine_of(self) -> str | None:
        """Where a student's page gets its engine, once no lesson has anything left to open."""
        if self._engine is None or not self._all_is_open():
            return None
        return f"/c/{self.code}/engine/{self._engine.digest}"

    def _all_is_open(self) -> bool:
        """The engine can run every lesson to its end, so that one closed lesson holds it back."""
        lessons = self._classroom
        return all(lessons.has(each) and lessons.is_whole(each) for each in lessons.names)

    async def _send_engine(self, request: Request) -> Response:
        engine = self._engine
        is_here = engine is not None and request.path_params["digest"] == engine.digest
        if engine is None or not is_here or not self._is_code(request.path_params):
            return PlainTextResponse("There is no such engine here.\n", status_code=404)
        if not self._all_is_open():
            return PlainTextResponse("The teacher has not opened the answers.\n", status_code=403)
        headers = {
            **HEADERS,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, max-age=86400, immutable",
        }
        return _Chunked(engine.html, media_type="text/plain", headers=headers)

    def _new_seat(self) -> str:
        name = secrets.token_hex(8)
        return f"{name}.{self._signed(name)}"

    def _signed(self, name: str) -> str:
        return hmac.new(self._secret, name.encode(), sha256).hexdigest()

    def _seat_of(self, cookies: Mapping[str, str]) -> str | None:
        name, _, signature = cookies.get(_COOKIE, "").partition(".")
        is_ours = hmac.compare_digest(signature.encode(), self._signed(name).encode())
        return name if is_ours else None

    async def _sit(self, socket: WebSocket) -> None:
        seat = self._seat_of(socket.cookies)
        if seat is None or not self._is_exercise(socket.path_params):
            await socket.close(1008)
            return
        name = socket.path_params["name"]
        await self._ready(name)
        await socket.accept()
        try:
            self._classroom.arrive(name, seat)
        except Refused as refused:
            await socket.send_text(json.dumps({"refused": str(refused)}))
            await socket.close(1013)
            return
        self._changed()
        refusals: list[str] = []
        sent = -1

        def take(message: object) -> None:
            if not isinstance(message, dict):
                raise Refused("no-answer")
            self._classroom.vote(name, seat, message.get("question"), message.get("vote"))
            self._changed()

        def news() -> str:
            nonlocal sent
            told: dict[str, Any] = self._classroom.of_student(name, seat)
            if (engine := self._engine_of()) is not None:
                told["engine"] = engine
            if refusals:
                told["refused"] = refusals[-1]
                refusals.clear()
            text = json.dumps(told)
            opened = self._classroom.opened(name)
            if opened != sent:
                # The page itself may be older than this connection.
                sent = opened
                text = f'{text[:-1]},"run":{self._classroom.packed(name)}}}'
            return text

        try:
            await self._both_ways(socket, take, news, refusals, _VOTE_MAX)
        finally:
            self._classroom.leave(name, seat)
            self._changed()

    async def _both_ways(
        self,
        socket: WebSocket,
        take: Callable[[object], None],
        news: Callable[[], str],
        refusals: list[str] | None = None,
        most: int = MESSAGE_MAX,
    ) -> None:
        """Receive messages, and send changes, until the page is closed."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell, socket, news)
            try:
                while True:
                    text = await heard(socket)
                    if len(text) > most:
                        await socket.close(1009)
                        break
                    try:
                        take(_parsed(text))
                    except Refused as refused:
                        if refusals is not None:
                            refusals.append(str(refused))
                            self._changed()
            except WebSocketDisconnect:
                pass  # The page was closed.
            nursery.cancel_scope.cancel()

    async def _tell(self, socket: WebSocket, news: Callable[[], str]) -> None:
        before = ""
        while True:
            change = self._change  # Changes during this send wake the task, too.
            text = news()
            if text != before or '"refused"' in text:
                before = text
                await socket.send_text(text)
                await trio.sleep(_PAUSE_S)
            await change.wait()


class _Chunked(Response):
    """A long body that is handed to the connection piece by piece, as fast as the browser takes it:
    forty browsers hold none of it twice."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        for at in range(0, len(self.body), _CHUNK):
            piece = self.body[at : at + _CHUNK]
            more = at + _CHUNK < len(self.body)
            await send({"type": "http.response.body", "body": piece, "more_body": more})


def _parsed(text: str) -> object:
    """Raises Refused."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("no-answer") from None


async def _exercise(name: str) -> Exercise:
    """A lesson that ships, run in a process of its own: it must not share this interpreter."""
    line = json.dumps({"id": 1, "op": "record", "session": {"lesson": name}})
    done = await trio.run_process(
        [sys.executable, "-m", "raftka.learn.worker"],
        stdin=line.encode() + b"\n",
        capture_stdout=True,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    answers = [json.loads(each) for each in done.stdout.splitlines()]
    if not answers or not answers[-1].get("ok"):
        why = answers[-1]["error"]["message"] if answers else f"it ended with {done.returncode}"
        raise NotRecorded(f"the lesson {name} could not be run: {why}")
    events = [event for answer in answers for event in answer.get("events", ())]
    return Exercise(
        answers[-1]["run"], [json.dumps(event, separators=(",", ":")) for event in events]
    )


async def run(
    data: Mapping[str, Any],
    classroom: Classroom,
    *,
    host: str,
    port: int,
    told: Callable[[str, str], None],
    engine: EngineFile | None = None,
    task_status: trio.TaskStatus[tuple[str, str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve a class until cancelled; `told` gets the teacher's address, and the students' prefix;
    `engine` is the file that their browsers run sessions with. Raises OSError: the port is taken;
    NotRecorded.
    """
    pages = Pages(data, secrets.token_urlsafe(12))
    server = ClassServer(data, pages, classroom, engine)
    async with trio.open_nursery() as nursery:
        bound: str = await nursery.start(partial(listen, server.app(), host, port, MESSAGE_MAX))
        where = reachable(bound)
        students = f"http://{where}/c/{server.code}/"
        pages.data["classroom"] = {"socket": f"/class?token={pages.token}", "students": students}
        teacher = f"http://{where}/?token={pages.token}"
        told(teacher, students)
        task_status.started((teacher, students))
        await server.prepare()


def reachable(bound: str) -> str:
    """`HOST:PORT` for others: in place of "every address", the one that leads to the network."""
    host, _, port = bound.rpartition(":")
    if host not in ("0.0.0.0", "[::]"):
        return bound
    family = sockets.AF_INET if host == "0.0.0.0" else sockets.AF_INET6
    with sockets.socket(family, sockets.SOCK_DGRAM) as probe:
        try:
            # No packet is sent: the system only chooses a route (to an address for documentation).
            probe.connect(("192.0.2.1" if family == sockets.AF_INET else "2001:db8::1", 9))
            found = str(probe.getsockname()[0])
        except OSError:
            found = sockets.gethostname()  # No network: a name may still resolve to this machine.
    return f"[{found}]:{port}" if ":" in found else f"{found}:{port}"
