"""Requests of a page that has an engine: those of sessions (docs/session.md), and five more.

    {"id":1,"op":"record","session":{...}}  runs a session to its end: its events, then {"run": ...}
    {"id":2,"op":"measure","session":{...}} the same, answered with three figures
    {"id":3,"op":"lessons"}                 the lessons that ship, by number, name and title
    {"id":4,"op":"story","session":{...}}   its violation: the story, and the point of no return
    {"id":5,"op":"inevitable","session":{...}}  until when its loss could have been prevented

Pure: the caller transports the lines (a WebSocket, a worker with Pyodide).
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from raftka.learn import explaining, lessons
from raftka.learn.lessons import WrongLesson
from raftka.learn.recording import Recording, brought_by, measured, of_session
from raftka.learn.telling import NotInTrace
from raftka.simulations.sessions.engine import EVENTS_MAX, Engine
from raftka.simulations.sessions.errors import SessionError
from raftka.version_command import commit

Answer = dict[str, Any]
LINE_MAX: Final = 4 << 20


class Teacher:
    """Answers a page."""

    def __init__(self) -> None:
        self._engine = Engine(commit=commit(), lessons=brought_by())

    def lines(self, line: str) -> Iterator[str]:
        """The answers to one line, each one line of JSON."""
        try:
            if len(line) > LINE_MAX:
                raise ValueError(f"a request has at most {LINE_MAX} characters")
            request = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield json.dumps(_refusal(None, "no-json", f"a request is one JSON object: {error}"))
            return
        for answer in self.handle(request):
            yield json.dumps(answer, separators=(",", ":"))

    def handle(self, request: object) -> Iterator[Answer]:
        """The answers to one request; the last one has `ok`."""
        op = request.get("op") if isinstance(request, Mapping) else None
        if not isinstance(request, Mapping) or not isinstance(op, str) or op not in self._own:
            yield from self._engine.handle(request)
            return
        id_ = request.get("id")
        if not isinstance(id_, str | int | float | None):
            id_ = None
        try:
            for answer in self._own[op](self, request):
                yield {"id": id_, **answer}
        except SessionError as error:
            yield {"id": id_, "ok": False, "error": error.as_dict()}
        except (WrongLesson, NotInTrace) as error:
            yield _refusal(id_, "wrong-lesson", str(error))
        except Exception:
            # A defect of a lesson or of the simulator must not end the engine.
            yield _refusal(id_, "internal", traceback.format_exc())

    def close(self) -> None:
        """Ends all sessions."""
        self._engine.close()

    def _record(self, request: Mapping[str, Any]) -> Iterator[Answer]:
        found: list[Mapping[str, Any]] = []
        recording = self._run(request, found)
        for first in range(0, len(found), EVENTS_MAX):
            yield {"events": found[first : first + EVENTS_MAX]}
        yield {"ok": True, "run": recording.about()}

    def _measure(self, request: Mapping[str, Any]) -> Iterator[Answer]:
        yield {"ok": True, **measured(self._session(request))}

    def _story(self, request: Mapping[str, Any]) -> Iterator[Answer]:
        yield {"ok": True, "violations": explaining.story(self._session(request), brought_by())}

    def _inevitable(self, request: Mapping[str, Any]) -> Iterator[Answer]:
        found = explaining.inevitable(self._session(request), brought_by())
        yield {"ok": True, "inevitable": found}

    def _run(self, request: Mapping[str, Any], found: list[Mapping[str, Any]]) -> Recording:
        return of_session(self._session(request), told=found.extend)

    @staticmethod
    def _session(request: Mapping[str, Any]) -> Mapping[str, Any]:
        session = request.get("session")
        if not isinstance(session, Mapping):
            raise SessionError("bad-request", f"{request['op']} needs the field 'session'")
        if "lesson" in session and "seed" not in session:
            return {**session, "seed": lessons.SEED}
        return session

    def _lessons(self, request: Mapping[str, Any]) -> Iterator[Answer]:
        yield {"ok": True, "lessons": titles()}

    _own: Final = {
        "record": _record,
        "measure": _measure,
        "lessons": _lessons,
        "story": _story,
        "inevitable": _inevitable,
    }


def titles() -> Sequence[Mapping[str, Any]]:
    """The lessons that ship, as a page lists them."""
    return [
        {"name": name, "number": number, "title": lessons.load(name).title()}
        for number, name in enumerate(lessons.names(), 1)
    ]


def _refusal(id_: object, code: str, message: str) -> Answer:
    return {"id": id_, "ok": False, "error": {"code": code, "message": message}}
