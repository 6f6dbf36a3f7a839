"""Sessions by requests and answers, without I/O: the protocol of `raftka session` and the page.

    engine = Engine()
    for answer in engine.handle({"id": 1, "op": "open", "session": {"scenario": "lost_leader"}}):
        ...

docs/session.md has the requests. No request harms a session or the engine: the answer to an
impossible one is the reason.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Container, Generator, Iterator, Mapping
from dataclasses import replace
from math import inf
from typing import Any, Final

from raftka.simulations.sessions import rules, verbs
from raftka.simulations.sessions.errors import SessionError
from raftka.simulations.sessions.fields import Fields, unknown
from raftka.simulations.sessions.session import SECONDS_MAX, Action, read_action
from raftka.simulations.sessions.show import (
    Lessons,
    Ready,
    Show,
    no_lessons,
    plan_as_dict,
    ready,
)
from raftka.simulations.sessions.state import state_of
from raftka.tracing.kinds import KINDS

Answer = dict[str, Any]
EVENTS_MAX: Final = 500
"""Events in one answer, at most."""
SESSIONS_MAX: Final = 16
"""Sessions that may be open at once: each holds a whole cluster."""


class _Lines:
    """The events of a run that have not been answered yet."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.wanted = True

    def write(self, text: str) -> None:
        if self.wanted:
            self.lines.append(text)

    def take(self) -> list[Any]:
        taken, self.lines = self.lines, []
        return [json.loads(line) for line in taken]


class _Open:
    """An open session: its run, and its script with the actions performed so far."""

    def __init__(self, found: Ready, kinds: Container[str] | None) -> None:
        self._kinds = kinds
        self.found = found
        self.script = list(found.session.script)
        self.played: set[Action] = set()
        """Actions that were performed, in this past or in an abandoned one."""
        self.lines = _Lines()
        self.show = self._begin()

    def _begin(self) -> Show:
        self.lines.lines.clear()
        return Show(self.found, tuple(self.script), self.lines, kinds=self._kinds)

    @property
    def limit_s(self) -> float:
        until_s = self.found.session.until_s
        return inf if until_s is None else until_s

    def go(self, until_s: float, **how: Any) -> None:
        """As `Show.go`; a refused action is removed from the script."""
        before = self.show.fired
        try:
            self.show.go(min(until_s, self.limit_s), **how)
        except SessionError as error:
            action = getattr(error, "action", None)
            self.script = [each for each in self.script if each is not action]
            raise
        finally:
            self.played.update(self.script[before : self.show.fired])

    def move(self, at_s: float) -> None:
        """Go to a time without events; backwards by running again."""
        if at_s < self.show.now_s or (at_s == self.show.now_s and self._has_acted_at(at_s)):
            self.show.end()
            self.show = self._begin()
        self.lines.wanted = False
        try:
            self.go(at_s)
        finally:
            self.lines.wanted = True
            self.lines.lines.clear()

    def _has_acted_at(self, at_s: float) -> bool:
        return any(each.at_s >= at_s for each in self.script[: self.show.fired])

    def act(self, action: Action) -> None:
        """Add an action; the actions of an abandoned future are dropped."""
        fired = self.show.fired
        kept = self.script[:fired]
        kept += [each for each in self.script[fired:] if each not in self.played]
        if len(kept) != len(self.script):
            self.script = kept
            self.show.reset(tuple(kept))
        place = fired + sum(each.at_s <= action.at_s for each in kept[fired:])
        self.script.insert(place, action)
        self.show.act(action)
        if action.at_s <= self.show.now_s:
            self.go(self.show.now_s, acts_at_end=True)

    def close(self) -> None:
        self.show.end()


class Engine:
    """Sessions, each under a name that `open` or `fork` gave it."""

    def __init__(
        self,
        *,
        commit: str = "unknown",
        lessons: Lessons = no_lessons,
        kinds: Container[str] | None = None,
    ) -> None:
        """`kinds`: answers have only these events, for who counts them, and runs have no hash."""
        self._kinds = kinds
        self._commit = commit
        self._lessons = lessons
        self._sessions: dict[str, _Open] = {}
        self._last = 0
        self._ops: dict[str, Callable[[Fields], Iterator[Answer]]] = {
            "open": self._open,
            "run": self._run,
            "do": self._do,
            "at": self._at,
            "fork": self._fork,
            "state": self._state,
            "close": self._close,
            "rules": self._rules,
            "verbs": self._verbs,
        }

    def handle(self, request: object) -> Generator[Answer, None, None]:
        """The answers to one request; the last one has `ok`. Each answer is computed when the
        reader asks for it, so that a slow or vanished reader delays only its own run.
        """
        id_ = request.get("id") if isinstance(request, Mapping) else None
        if not isinstance(id_, str | int | float | None) or id_ in (inf, -inf):
            id_ = None  # JSON has the number 1e999, but not the infinity that it becomes.
        try:
            fields = Fields(request, "a request", "bad-request")
            op = fields.text("op")
            if op not in self._ops:
                raise SessionError("unknown-op", unknown("op", op, self._ops))
            for answer in self._ops[op](fields):
                yield {"id": id_, **answer}
        except SessionError as error:
            yield {"id": id_, "ok": False, "error": error.as_dict()}
        except Exception:
            # A defect of the simulator must not end the other sessions.
            yield {
                "id": id_,
                "ok": False,
                "error": {"code": "internal", "message": traceback.format_exc()},
            }

    def close(self) -> None:
        """End all sessions."""
        for name in list(self._sessions):
            self._sessions.pop(name).close()

    # Requests.

    def _open(self, fields: Fields) -> Iterator[Answer]:
        fields.only(("id", "op", "session"))
        if "session" not in fields.values:
            raise fields.error("open needs the field 'session'")
        found = ready(fields.values["session"], self._lessons)
        name = self._add(found)
        yield {
            "ok": True,
            "session": name,
            "now_s": 0.0,
            "commit": self._commit,
            "plan": plan_as_dict(found.plan),
            "nodes": [f"n{node.node_id}" for node in found.plan.nodes],
            "script": self._script(self._sessions[name]),
        }

    def _add(self, found: Ready) -> str:
        if len(self._sessions) >= SESSIONS_MAX:
            raise SessionError(
                "too-many-sessions", f"{SESSIONS_MAX} sessions are open: close one first"
            )
        opened = _Open(found, self._kinds)
        opened.go(0.0)
        self._last += 1
        name = f"s{self._last}"
        self._sessions[name] = opened
        return name

    def _run(self, fields: Fields) -> Iterator[Answer]:
        fields.only(("id", "op", "session", "until_s", "until_kind", "steps"))
        opened = self._named(fields)
        until_s = fields.number("until_s", 0.0, SECONDS_MAX) if fields.has("until_s") else inf
        kind = fields.text("until_kind") if fields.has("until_kind") else None
        if kind is not None and kind not in KINDS:
            raise fields.error(unknown("kind of event", kind, KINDS))
        steps = fields.integer("steps", 1, 1_000_000) if fields.has("steps") else None
        if until_s < opened.show.now_s:
            raise SessionError(
                "in-the-past",
                f"the session is at {opened.show.now_s:.6g} s already: go back with at",
            )
        stops = _Stops(opened.lines, kind, steps)
        while not opened.show.has_ended and not stops.found:
            stops.begin()
            refused: SessionError | None = None
            try:
                opened.go(until_s, is_enough=stops.is_enough)
            except SessionError as error:
                refused = error
            held_full = stops.full
            yield from self._events(opened)
            if refused is not None:
                raise refused
            if not held_full and not stops.found:
                break
        yield from self._events(opened)
        yield {"ok": True, **self._where(opened)}

    def _events(self, opened: _Open) -> Iterator[Answer]:
        events = opened.lines.take()
        for first in range(0, len(events), EVENTS_MAX):
            yield {"events": events[first : first + EVENTS_MAX]}

    def _do(self, fields: Fields) -> Iterator[Answer]:
        fields.only(("id", "op", "session", "action"))
        opened = self._named(fields)
        show, found = opened.show, opened.found
        if show.has_ended:
            raise _over(opened)
        action = read_action(
            fields.values.get("action"),
            "the action",
            found.nodes,
            found.session.until_s,
            default_s=show.now_s,
        )
        if action.at_s < show.now_s:
            raise SessionError(
                "in-the-past",
                f"the session is at {show.now_s:.6g} s already: go back with at, and act then",
            )
        opened.act(action)
        yield {"ok": True, "script": self._script(opened)}

    def _at(self, fields: Fields) -> Iterator[Answer]:
        fields.only(("id", "op", "session", "at_s"))
        opened = self._named(fields)
        opened.move(fields.number("at_s", 0.0, SECONDS_MAX))
        script = self._script(opened)[: opened.show.fired]
        yield {"ok": True, **self._where(opened), "script": script}

    def _fork(self, fields: Fields) -> Iterator[Answer]:
        fields.only(("id", "op", "session", "at_s", "session_changes"))
        opened = self._named(fields)
        at_s = fields.number("at_s", 0.0, SECONDS_MAX, opened.show.now_s)
        changes = dict(Fields(fields.values.get("session_changes") or {}, "session_changes").values)
        session = replace(opened.found.session, script=tuple(opened.script)).as_dict()
        if any(name in changes for name in ("scenario", "plan", "lesson")):
            for name in ("scenario", "plan", "lesson"):
                session.pop(name, None)
        if isinstance(changes.get("settings"), dict):
            changes["settings"] = {**session.get("settings", {}), **changes["settings"]}
        found = ready({**session, **changes}, self._lessons)
        name = self._add(found)
        fork = self._sessions[name]
        if "script" not in changes:
            pairs = zip(fork.script, opened.script, strict=True)
            fork.played = {new for new, old in pairs if old in opened.played}
        try:
            fork.move(at_s)
        except SessionError as error:
            raise SessionError(error.code, f"{error} (the fork, {name}, stands there)") from error
        yield {"ok": True, "session": name, **self._where(fork), "script": self._script(fork)}

    def _state(self, fields: Fields) -> Iterator[Answer]:
        fields.only(("id", "op", "session"))
        opened = self._named(fields)
        if opened.show.has_ended:
            raise _over(opened)
        yield {"ok": True, "now_s": opened.show.now_s, **opened.show.ask(state_of)}

    def _close(self, fields: Fields) -> Iterator[Answer]:
        fields.only(("id", "op", "session"))
        self._named(fields).close()
        del self._sessions[fields.text("session")]
        yield {"ok": True}

    def _rules(self, fields: Fields) -> Iterator[Answer]:
        fields.only(("id", "op"))
        yield {"ok": True, "rules": list(rules.listed())}

    def _verbs(self, fields: Fields) -> Iterator[Answer]:
        fields.only(("id", "op"))
        yield {"ok": True, "verbs": verbs.listed()}

    # Fields that answers have in common.

    def _named(self, fields: Fields) -> _Open:
        name = fields.text("session")
        if name not in self._sessions:
            raise SessionError("unknown-session", unknown("session", name, self._sessions))
        return self._sessions[name]

    def _where(self, opened: _Open) -> Answer:
        show = opened.show
        violation = show.violation
        at_end = show.now_s >= opened.limit_s
        return {
            "now_s": show.now_s,
            "hash": show.hash,
            "ended": show.has_ended or at_end,
            "violations": [] if violation is None else [violation.as_dict()],
        }

    def _script(self, opened: _Open) -> list[dict[str, Any]]:
        return [action.as_dict() for action in opened.script]


def _over(opened: _Open) -> SessionError:
    return SessionError(
        "ended", f"the run has ended at {opened.show.now_s:.6g} s: go back with at first"
    )


class _Stops:
    """Where a run stops before its time: after an event of a kind, after a number of steps, or when
    an answer has enough events.
    """

    def __init__(self, lines: _Lines, kind: str | None, steps: int | None) -> None:
        self._lines = lines
        self._mark = None if kind is None else f'"kind":"{kind}"'
        self._steps = steps
        self._seen = 0
        self.found = False
        """Whether that event has come, or the last step."""
        self.full = False

    def begin(self) -> None:
        self._seen, self.full = len(self._lines.lines), False

    def is_enough(self) -> bool:
        """Whether to stop now; a step is a time at which something is traced."""
        lines = self._lines.lines
        if len(lines) > self._seen:
            new, self._seen = lines[self._seen :], len(lines)
            if self._steps is not None:
                self._steps -= 1
                self.found |= self._steps <= 0
            if self._mark is not None:
                self.found |= any(self._mark in line[:80] for line in new)
        self.full = len(lines) >= EVENTS_MAX
        return self.found or self.full
