"""The events of a run; the same seed gives the same events.

Every event goes into a rolling hash; two runs are equal exactly when their hashes are. The last
events are kept for the story of a violation. If there is a file, `detail` writes all events to it,
and many more from wires and disks, in the format of docs/trace.md; these are in no hash, and
nothing depends on them.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Container
from typing import Any

import trio

from raftka.simulations.trace_file import Detail, Sink
from raftka.tracing.lines import event_of, line_of

TAIL = 4000
"""Events that are kept for the story."""
LAST_EVENTS = 25
"""Events that are shown where a run cannot be repeated."""
_UNHASHED_MAX = 1000
"""Lines that are collected for the hash, for which many at once cost as much as one."""

Event = dict[str, Any]


class Trace:
    """The events of one run."""

    def __init__(self, sink: Sink | None = None, kinds: Container[str] | None = None) -> None:
        """`kinds`: the sink takes only these, and the run has no hash."""
        self.detail = Detail(sink, kinds) if sink is not None else None
        self._has_hash = kinds is None
        self._hash = hashlib.blake2b(digest_size=8)
        self._unhashed: list[str] = []
        self._last_id = 0
        self.tail: deque[Event] = deque(maxlen=TAIL)
        self.counts: Counter[str] = Counter()
        self.messages = 0

    @property
    def last_s(self) -> float:
        """The time of the last event."""
        return float(self.tail[-1]["t"]) if self.tail else 0.0

    @property
    def digest(self) -> str:
        self._add_to_hash()
        return self._hash.hexdigest()

    def _add_to_hash(self) -> None:
        self._hash.update("".join(self._unhashed).encode())
        self._unhashed.clear()

    @property
    def events(self) -> int:
        """The number of events, messages included."""
        return self._last_id

    def last_events(self) -> list[Event]:
        """The important events, for a reader who has only the end."""
        found = [event for event in self.tail if event["kind"] not in ("log", "send-failed")]
        return found[-LAST_EVENTS:]

    def event(
        self, kind: str, *, node: str | None = None, cause: int | None = None, **fields: Any
    ) -> int:
        """Record an event on `node`, caused by the event `cause`; returns its id."""
        self._last_id += 1
        event = event_of(self._last_id, trio.current_time(), kind, node, cause, fields)
        if self._has_hash:
            self._unhashed.append(line_of(event))
            if len(self._unhashed) > _UNHASHED_MAX:
                self._add_to_hash()
        self.counts[kind] += 1
        self.tail.append(event)
        if self.detail is not None:
            self.detail.event(event)
        return self._last_id

    def message(self, source: str, target: str, size: int) -> None:
        """Record the arrival of bytes."""
        self._last_id += 1
        self.messages += 1
        # To the microsecond: the last bit of a logarithm may differ from machine to machine.
        if self._has_hash:
            self._unhashed.append(f"{trio.current_time():.6f}{source}{target}{size}")
