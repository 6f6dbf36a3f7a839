"""Records timers as events: set, postponed, fired.

The waiting task reports that a timer fires (model/timers.py). Setting and postponing is inferred
from messages: an election timer's from a leader's messages, a lease's from voters' answers, a
session's from heartbeats, a replica lag's from its fetches. Several postponements are one event, so
that they do not flood the trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

_PUSHES_A_EVENT: Final = 20
"""One event per this many resets of a timer."""


class Write(Protocol):
    """Writes one event; returns its id."""

    def __call__(
        self, kind: str, *, node: str | None = None, cause: int | None = None, **fields: Any
    ) -> int: ...


class Timers:
    """The timers of all processes that one trace observes."""

    def __init__(self, write: Write, silencers: Callable[[str, str], list[int]]) -> None:
        """`silencers` returns why a node cannot hear another: faults, cuts, stops."""
        self._write = write
        self._silencers = silencers
        self._pushed: dict[tuple[str, str, str], list[int]] = {}
        """By node, timer and subject: [postponements since the last event, the newest cause]."""
        self._of: dict[tuple[str, str], str] = {}
        """The host that a node's timer waits for: a quorum's leader, a request's peer."""
        self.about: dict[tuple[str, str], int] = {}
        """The newest firing, by node and subject."""
        self.newest: dict[tuple[str, str], int] = {}
        """The newest firing, by node and timer."""

    def pushed(self, node: str, timer: str, about: str, cause: int, waits_for: str = "") -> None:
        """A message arrived that sets or postpones a timer."""
        if waits_for:
            self._of[node, timer] = waits_for
        known = self._pushed.get((node, timer, about))
        if known is None:
            self._pushed[node, timer, about] = [0, cause]
            self._tell("timer-set", node, timer, about, cause)
            return
        known[0] += 1
        known[1] = cause
        if known[0] >= _PUSHES_A_EVENT:
            self._tell("timer-pushed-back", node, timer, about, cause, times=known[0])
            known[0] = 0

    def fired(self, node: str, timer: str, about: str, begun: int | None) -> int:
        """A timer has fired; return the event's id. `begun`: the event of the process's start."""
        known = self._pushed.pop((node, timer, about), None)
        if known is not None and known[0]:
            self._tell("timer-pushed-back", node, timer, about, known[1], times=known[0])
        cause = begun if known is None else known[1]
        missed = about if timer == "session" else self._of.get((node, timer), "")
        if timer == "request":
            missed = about
        after = self._silencers(node, missed)
        extra: dict[str, Any] = {"after": after} if after else {}
        event = self._tell("timer-fired", node, timer, about, cause, **extra)
        self.newest[node, timer] = self.about[node, about] = event
        return event

    def newest_of(self, timer: str) -> int | None:
        """The newest firing of a timer on any node."""
        found = [event for (_, name), event in self.newest.items() if name == timer]
        return max(found, default=None)

    def forget(self, node: str) -> None:
        """A process has stopped, and its timers with it."""
        for key in [key for key in self._pushed if key[0] == node]:
            del self._pushed[key]

    def _tell(
        self, kind: str, node: str, timer: str, about: str, cause: int | None, **fields: Any
    ) -> int:
        if about:
            fields["about"] = about
        return self._write(kind, node=node, cause=cause, timer=timer, **fields)
