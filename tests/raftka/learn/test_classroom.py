"""`raftka learn --class`: predictions of forty students, who get no answer before it is opened."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    RejectConnection,
    Request,
    TextMessage,
)

from raftka.learn import class_server
from raftka.learn.class_server import reachable
from raftka.learn.classroom import SEATS_MAX, Classroom, Exercise, Refused
from raftka.learn.engine_file import EngineFile
from raftka.learn.recording import record

STUDENTS = 40


@pytest.fixture(scope="module")
def exercise() -> Exercise:
    """It has two questions."""
    return Exercise.of(record("first-vote"))


def with_(exercise: Exercise, *others: str) -> Classroom:
    """A class of a lesson that is recorded, and of others that are not yet."""
    classroom = Classroom([exercise.name, *others])
    classroom.add(exercise)
    return classroom


def secrets_of(exercise: Exercise, opened: int) -> list[str]:
    """Sentences that reveal what follows after so many questions."""
    steps, asked, found = exercise.about["lesson"]["steps"], 0, []
    for step in steps:
        asked += step["kind"] == "ask"
        if step["kind"] == "reveal" and asked > opened:
            found += [words["reveal"][step["key"]] for words in _tables(exercise)]
    if opened < len(exercise.asks):
        found += [words["takeaway"].strip() for words in _tables(exercise)]
    return found


def _tables(exercise: Exercise) -> list[dict[str, Any]]:
    return list(exercise.about["lesson"]["words"].values())


def events_of(run: dict[str, Any]) -> list[dict[str, Any]]:
    lines = gzip.decompress(base64.b64decode(run["events_gz"])).decode().splitlines()
    return [json.loads(line) for line in lines]


def test_what_is_sent_ends_at_the_question_that_is_not_opened(exercise: Exercise) -> None:
    for opened in (0, 1):
        run = exercise.sent(opened)
        steps = run["lesson"]["steps"]
        assert [step["kind"] for step in steps].count("ask") == opened + 1
        assert steps[-1]["kind"] == "ask" and "right" not in steps[-1]
        assert max(event["t"] for event in events_of(run)) <= steps[-1]["t"]
        text = json.dumps(run, ensure_ascii=False)
        assert secrets_of(exercise, opened)
        assert [each for each in secrets_of(exercise, opened) if each in text] == []
        assert (run["hash"], run["violations"], run["inevitable"]) == ("", [], None)
    whole = exercise.sent(2)
    assert len(events_of(whole)) == len(exercise.lines) and whole["hash"]
    assert whole["lesson"]["words"] == exercise.about["lesson"]["words"] | {
        language: {key: table[key] for key in ("title", "story", "takeaway", "ask", "reveal")}
        for language, table in exercise.about["lesson"]["words"].items()
    }


def test_a_seat_has_one_vote_until_the_answer_is_opened(exercise: Exercise) -> None:
    name, classroom = exercise.name, with_(exercise)
    for answer in ("one", "two", "two"):
        classroom.vote(name, "a", 0, answer)
    classroom.vote(name, "b", 0, "three")
    (counted,) = classroom.of_teacher()
    assert counted["counts"] == [{"one": 0, "two": 1, "three": 1}, {"yes": 0, "no": 0}]
    assert classroom.of_student(name, "a") == {"opened": 0, "votes": ["two", None]}
    wrongs: list[tuple[object, object]] = [(1, "yes"), (0, "four"), (0, ["two"]), (None, "two")]
    for question, wrong in (*wrongs, (False, "two")):
        with pytest.raises(Refused):
            classroom.vote(name, "a", question, wrong)
    classroom.open(name, 1)
    assert classroom.opened(name) == 0
    classroom.open(name, 0)
    classroom.open(name, 0)
    assert classroom.opened(name) == 1
    with pytest.raises(Refused, match="closed"):
        classroom.vote(name, "a", 0, "one")
    classroom.vote(name, "a", 1, "no")
    classroom.open(name, 1)
    classroom.open(name, 2)
    assert classroom.opened(name) == 2
    with pytest.raises(Refused, match="closed"):
        classroom.vote(name, "b", 2, "no")


def test_seats_are_bounded(exercise: Exercise) -> None:
    name, classroom = exercise.name, with_(exercise)
    for number in range(SEATS_MAX):
        classroom.arrive(name, "same")
        classroom.vote(name, f"s{number}", 0, "one")
    with pytest.raises(Refused, match="full"):
        classroom.arrive(name, "same")
    with pytest.raises(Refused, match="full"):
        classroom.vote(name, "another", 0, "one")
    classroom.vote(name, "s0", 0, "two")
    classroom.leave(name, "same")
    classroom.arrive(name, "another")
    (counted,) = classroom.of_teacher()
    assert counted["present"] == 2
    assert counted["counts"][0] == {"one": SEATS_MAX - 1, "two": 1, "three": 0}


def test_an_address_that_others_reach() -> None:
    assert reachable("127.0.0.1:80") == "127.0.0.1:80"
    host, _, port = reachable("0.0.0.0:8080").rpartition(":")
    assert host not in ("", "0.0.0.0") and port == "8080"


class Page:
    """A WebSocket and the messages that it received."""

    def __init__(self, stream: trio.SocketStream, socket: WSConnection) -> None:
        self._stream, self._socket = stream, socket
        self._text = ""
        self.raw = ""
        self.closed: int | None = None

    async def send(self, message: object) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self._stream.send_all(self._socket.send(TextMessage(data=text)))

    async def send_bytes(self, data: bytes) -> None:
        await self._stream.send_all(self._socket.send(BytesMessage(data=data)))

    async def hear(self) -> list[dict[str, Any]]:
        """At least one message; none when it is closed."""
        found: list[dict[str, Any]] = []
        while not found and self.closed is None:
            data = await self._stream.receive_some()
            self.raw += data.decode("utf-8", "replace")
            self._socket.receive_data(data or None)
            for event in self._socket.events():
                if isinstance(event, TextMessage):
                    self._text += event.data
                    if event.message_finished:
                        found.append(json.loads(self._text))
                        self._text = ""
                elif isinstance(event, CloseConnection):
                    self.closed = event.code
        return found

    async def until(self, fits: Any) -> dict[str, Any]:
        while True:
            for message in await self.hear():
                if fits(message):
                    return message
            assert self.closed is None


@asynccontextmanager
async def opened(url: str, target: str, cookie: str = "") -> AsyncIterator[Page | None]:
    """None when it is refused."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    async with await trio.open_tcp_stream(parts.hostname, parts.port) as stream:
        socket = WSConnection(ConnectionType.CLIENT)
        headers = [(b"cookie", cookie.encode())] if cookie else []
        await stream.send_all(socket.send(Request(host="x", target=target, extra_headers=headers)))
        while True:
            socket.receive_data(await stream.receive_some() or None)
            for event in socket.events():
                if isinstance(event, RejectConnection):
                    yield None
                    return
                if isinstance(event, AcceptConnection):
                    yield Page(stream, socket)
                    return


async def get(url: str, cookie: str = "") -> tuple[int, str, str]:
    """Status, body, and the cookie that is set."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    async with await trio.open_tcp_stream(parts.hostname, parts.port) as stream:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        more = f"Cookie: {cookie}\r\n" if cookie else ""
        await stream.send_all(
            f"GET {path} HTTP/1.1\r\nHost: x\r\n{more}Connection: close\r\n\r\n".encode()
        )
        answer = b"".join([chunk async for chunk in stream])
    head, _, body = answer.partition(b"\r\n\r\n")
    found = re.search(r"set-cookie: ([^;]+)", head.decode(), re.IGNORECASE)
    return int(head.split()[1]), body.decode(), "" if found is None else found[1]


@asynccontextmanager
async def serving(
    classroom: Classroom, engine: EngineFile | None = None
) -> AsyncIterator[tuple[str, str]]:
    async with trio.open_nursery() as nursery:
        data: dict[str, Any] = {"lessons": []}
        run = partial(
            class_server.run,
            data,
            classroom,
            host="127.0.0.1",
            port=0,
            told=lambda *_: None,
            engine=engine,
        )
        yield await nursery.start(run)
        nursery.cancel_scope.cancel()


def run_in(page: str) -> dict[str, Any]:
    data = re.search(r'<script id="raftka-data" type="application/json">(.*?)</script>', page)
    assert data is not None
    (run,) = json.loads(data[1])["runs"]
    assert isinstance(run, dict)
    return run


def said(secrets: list[str], text: str) -> list[str]:
    """The words that occur in a text of JSON."""
    return [each for each in secrets if json.dumps(each)[1:-1] in text]


@dataclass
class Day:
    """A class in which forty students sit."""

    exercise: Exercise
    teacher: str
    students: str
    voted: int = 0
    everybody: trio.Event = field(default_factory=trio.Event)
    """All of them have predicted."""
    runs: list[dict[str, Any]] = field(default_factory=list)
    """The messages that they got when the answer was opened."""

    async def student(self, number: int) -> None:
        """Vote, be cut off, come back, and see what is opened."""
        status, page, cookie = await get(f"{self.students}{self.exercise.name}")
        assert status == 200 and cookie
        target = urlsplit(f"{self.students}{self.exercise.name}").path + "/seat"
        mine = ("one", "two")[number % 2]
        async with opened(self.students, target, cookie) as seat:
            assert seat is not None
            (first,) = await seat.hear()
            assert (first["opened"], first["votes"]) == (0, [None, None])
            self._has_no_answer(page, seat.raw, first["run"])
            await seat.send({"question": 0, "vote": mine})
            await seat.until(lambda each: each["votes"][0] is not None)
        async with opened(self.students, target, cookie) as seat:
            assert seat is not None
            (back,) = await seat.hear()
            assert back["votes"][0] == mine
            if number < 10:
                await seat.send({"question": 0, "vote": "three"})
                await seat.until(lambda each: each["votes"][0] == "three")
            self.voted += 1
            if self.voted == STUDENTS:
                self.everybody.set()
            told = await seat.until(lambda each: each["opened"] == 1 and "run" in each)
            self.runs.append(told["run"])
            assert said(secrets_of(self.exercise, 1), seat.raw) == []
            await seat.send({"question": 0, "vote": "one"})
            refused = await seat.until(lambda each: "refused" in each)
            assert refused["refused"] == "closed"

    def _has_no_answer(self, page: str, raw: str, sent: dict[str, Any]) -> None:
        """Not in the page, nor in the bytes of its connection."""
        assert urlsplit(self.teacher).query not in page
        assert "/class?" not in page and "/engine?" not in page
        for run in (run_in(page), sent):
            limit_s = run["lesson"]["steps"][-1]["t"]
            assert max(event["t"] for event in events_of(run)) <= limit_s
            assert '"right"' not in json.dumps(run)
        assert said(secrets_of(self.exercise, 0), page + raw) == []


@pytest.mark.wire
async def test_forty_students_predict_and_see_no_answer_before_it_is_opened(
    exercise: Exercise,
) -> None:
    with trio.fail_after(120):
        async with serving(with_(exercise)) as (teacher, students), trio.open_nursery() as nursery:
            day = Day(exercise, teacher, students)
            for number in range(STUDENTS):
                nursery.start_soon(day.student, number)
            async with opened(teacher, f"/class?{urlsplit(teacher).query}") as desk:
                assert desk is not None
                await day.everybody.wait()
                counts = {"one": 15, "two": 15, "three": 10}
                told = await desk.until(lambda each: each["exercises"][0]["counts"][0] == counts)
                assert told["exercises"][0]["present"] == STUDENTS
                await desk.send({"open": exercise.name, "question": 0})
                await desk.until(lambda each: each["exercises"][0]["opened"] == 1)
                assert not re.search(r"[0-9a-f]{16}", desk.raw), "a seat is told"
        assert len(day.runs) == STUDENTS
        rights = {run["lesson"]["steps"][0]["right"] for run in day.runs}
        assert rights == {exercise.asks[0]["right"]}


@pytest.mark.wire
async def test_nobody_else_gets_in_and_nonsense_harms_nothing(exercise: Exercise) -> None:
    name = exercise.name
    with trio.fail_after(60):
        async with serving(with_(exercise)) as (teacher, students):
            base, token = teacher.split("/?")[0], urlsplit(teacher).query
            target = urlsplit(f"{students}{name}").path + "/seat"
            assert (await get(f"{base}/c/guess/{name}"))[0] == 404
            assert (await get(f"{students}kill"))[0] == 404
            assert (await get(f"{base}/"))[0] == 403
            _, _, cookie = await get(f"{students}{name}")
            assert (await get(f"{base}/?token=x", cookie))[0] == 403
            assert (await get(f"{students}{name}", cookie))[2] == "", "the seat is kept"
            forged = "raftka-seat=0123456789abcdef." + "0" * 64
            for wrong in ("", forged, "raftka-seat=x", cookie[:-1]):
                async with opened(students, target, wrong) as seat:
                    assert seat is None
            code = urlsplit(students).path.split("/")[2]
            for path in ("/class", f"/class?token={code}", f"/engine?token={code}"):
                async with opened(base, path, cookie) as desk:
                    assert desk is None
            async with opened(students, target, cookie) as seat:
                assert seat is not None
                await seat.hear()
                for nonsense in (
                    "[",
                    "[]",
                    json.dumps({"open": name, "question": 0}),
                    "7",
                    "[" * 400,
                ):
                    await seat.send(nonsense)
                    refused = await seat.until(lambda each: "refused" in each)
                    assert refused["refused"] in ("no-answer", "closed")
                    assert refused["opened"] == 0
                await seat.send(json.dumps({"vote": "x" * 600, "question": 0}))
                while seat.closed is None:
                    await seat.hear()
                assert seat.closed == 1009
            async with opened(teacher, f"/class?{token}") as desk:
                assert desk is not None
                (told,) = await desk.hear()
                for nonsense in ("{", '{"open":1}', '{"open":"kill","question":0}', "null"):
                    await desk.send(nonsense)
                await desk.send({"open": name, "question": 0})
                told = await desk.until(lambda each: each["exercises"][0]["opened"] == 1)
                assert told["exercises"][0]["counts"][0] == {"one": 0, "two": 0, "three": 0}


@pytest.mark.wire
async def test_bytes_in_place_of_text_close_that_page_only(exercise: Exercise) -> None:
    name = exercise.name
    with trio.fail_after(60):
        async with serving(with_(exercise)) as (teacher, students):
            _, _, cookie = await get(f"{students}{name}")
            target = urlsplit(f"{students}{name}").path + "/seat"
            token = urlsplit(teacher).query
            async with opened(students, target, cookie) as other:
                assert other is not None
                await other.hear()
                for path in (target, f"/class?{token}", f"/engine?{token}"):
                    async with opened(students, path, cookie) as page:
                        assert page is not None
                        await page.send_bytes(b"\xff")
                        while page.closed is None:
                            await page.hear()
                        assert page.closed == 1003, path
                await other.send({"question": 0, "vote": "two"})
                await other.until(lambda each: each["votes"][0] == "two")
