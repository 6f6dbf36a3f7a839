"""What happened, as a sequence of events that is the same whenever the seed is.

Every event goes into a rolling hash; two runs are the same exactly when their hashes are. The last
events are kept for the story that a violation tells, and all of them go to a file when there is
one, as JSON lines in the format that docs/trace.md describes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, deque
from typing import Any, TextIO

import trio

TAIL = 4000
"""Events that are kept for the story."""

Event = dict[str, Any]


class Trace:
    """The events of one run."""

    def __init__(self, sink: TextIO | None = None) -> None:
        self._sink = sink
        self._hash = hashlib.blake2b(digest_size=8)
        self._last_id = 0
        self.tail: deque[Event] = deque(maxlen=TAIL)
        self.counts: Counter[str] = Counter()
        self.messages = 0

    @property
    def last_s(self) -> float:
        """When the last event was."""
        return float(self.tail[-1]["t"]) if self.tail else 0.0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    @property
    def events(self) -> int:
        """How many there were, messages included."""
        return self._last_id

    def event(
        self, kind: str, *, node: str | None = None, cause: int | None = None, **fields: Any
    ) -> int:
        """Something happened on `node`, because of the event `cause`; the event's id."""
        self._last_id += 1
        event: Event = {"id": self._last_id, "t": round(trio.current_time(), 6), "kind": kind}
        if node is not None:
            event["node"] = node
        if cause is not None:
            event["cause"] = cause
        event.update(fields)
        line = json.dumps(event, default=str, separators=(",", ":"))
        self._hash.update(line.encode())
        self.counts[kind] += 1
        self.tail.append(event)
        if self._sink is not None:
            self._sink.write(line + "\n")
        return self._last_id

    def message(self, source: str, target: str, size: int) -> None:
        """Bytes arrived. There are many of these, so they are kept in a file only."""
        self._last_id += 1
        self.messages += 1
        self._hash.update(f"{trio.current_time():.9f}{source}{target}{size}".encode())
        if self._sink is not None:
            event = {"id": self._last_id, "t": round(trio.current_time(), 6), "kind": "message"}
            event |= {"node": target, "from": source, "bytes": size}
            self._sink.write(json.dumps(event, separators=(",", ":")) + "\n")
