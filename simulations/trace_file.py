"""The file of a run: the events of the trace, and everything that passes through the ports.

Ids in the file are the file's own. Those of the trace are the same with and without a file, since a
run may derive names from them; here they are translated.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from math import floor
from typing import Any, Final, Protocol

import trio

from raftka.model.ports import Connection, Network
from raftka.simulations.machines.life import current_node
from raftka.simulations.machines.stream import Stream
from raftka.simulations.machines.tls_records import clear
from raftka.tracing.lines import event_of, line_of
from raftka.tracing.observer import Observer
from raftka.tracing.places import explained
from raftka.tracing.wire import Ends, Runs

_FAILURES: Final = ("send-failed", "send-refused", "consumer-failed")


class Sink(Protocol):
    """Takes every line that a run writes: a file, or a story's chronicle."""

    def write(self, text: str, /) -> object: ...


class Detail:
    """The events of one run for the file."""

    def __init__(self, file: Sink, kinds: Container[str] | None = None) -> None:
        """`kinds`: only events of these are written, for a reader that counts them; None: all."""
        self._file = file
        self._kinds = kinds
        self._last_id = 0
        self._numbers: dict[int, int] = {}
        """Ids in the file, by ids in the trace."""
        self._newest: dict[str, int] = {}
        """The newest event of each host, which its next log line follows."""
        self._connections = 0
        self.topic_name: Callable[[bytes], str | None] = lambda topic_id: None
        """The name of a topic by its id, from the metadata that is committed."""
        self.high_watermark: Callable[[str, str], int | None] = lambda node, partition: None
        """The only fact that a trace reads from a node itself; no checker sees it."""
        self.looks: Callable[[], dict[str, int]] = dict
        """How often each checker has compared something so far."""
        self.rules: Callable[[], dict[str, int]] = dict
        """The same by rule: the names of the violations that were checked for."""
        self._looked: dict[str, int] = {}
        self._rules_looked_at: dict[str, int] = {}
        self._next_look_s = 1.0
        self.observer = Observer(
            self.write,
            lambda topic_id: self.topic_name(topic_id),
            lambda node, partition: self.high_watermark(node, partition),
            self._ends,
            sees_all=True,
        )

    @property
    def is_whole(self) -> bool:
        """Whether it writes every kind; otherwise nobody decodes what passes the wires, and causes
        are incomplete."""
        return self._kinds is None

    def network(self, host: str, inner: Network, runs: Runs | None = None) -> Network:
        """A process's network port, observed where messages are written; `runs` is as
        TracedNetwork has it."""
        return self.observer.network(host, inner, clear, runs) if self.is_whole else inner

    def event(self, event: dict[str, Any]) -> None:
        """An event of the trace."""
        fields = dict(event)
        own, kind, now = fields.pop("id"), fields.pop("kind"), fields.pop("t")
        node, cause = fields.pop("node", None), fields.pop("cause", None)
        elections = self.observer.elections
        if cause is not None:
            cause = self._numbers[cause]
        elif kind in _FAILURES and node is not None:
            cause = self.observer.clients.failure(kind, node)
        elif kind == "log":
            cause = self._newest.get(node or "", self._newest.get(""))
        else:
            cause = elections.cause_of(kind, node, fields, now)
        number = self._numbers[own] = self.write(kind, node=node, cause=cause, **fields)
        elections.told(kind, node, fields, number, now)

    def timer_fired(self, timer: str, about: str) -> None:
        """A timer has expired, on the node or client that runs now."""
        self.observer.timer_fired(current_node.get(), timer, about)

    def ordered(self, client: str, cause: int) -> None:
        """A client is created for an operation or a fault, the cause of its requests."""
        self.observer.ordered(client, self._numbers[cause])

    def asked(self, client: str, name: str) -> None:
        """A client is created without a cause: its chain of causes begins here."""
        event = self._newest[""] = self.write("operation", operation=name, name=client)
        self.observer.ordered(client, event)

    def outcome(self, operation: int, name: str) -> None:
        """An administrator's operation is done; a failed one is `refused`."""
        self.write("operation-done", cause=self._numbers[operation], name=name)

    def write(
        self, kind: str, *, node: str | None = None, cause: int | None = None, **fields: Any
    ) -> int:
        """One line; its id."""
        if self._kinds is not None and kind not in self._kinds:
            self._last_id += 1
            return self._last_id
        if (now := trio.current_time()) >= self._next_look_s:
            self._next_look_s = floor(now) + 1.0
            self._tell_looks()
        self._last_id += 1
        if "code" in fields:
            fields |= explained(fields["code"])
        event = event_of(self._last_id, now, kind, node, cause, fields)
        self._file.write(line_of(event) + "\n")
        if node is not None and kind != "log":
            self._newest[node] = self._last_id
        return self._last_id

    def _tell_looks(self) -> None:
        """The checkers' comparisons since the last time, at most once per virtual second."""
        counts = _more(self._looked, looked := self.looks())
        rules = _more(self._rules_looked_at, rules_looked_at := self.rules())
        self._looked, self._rules_looked_at = looked, rules_looked_at
        if counts:
            self.write("checked", counts=counts, rules=rules)

    def _ends(self, connection: Connection, dialed: bool) -> Ends:
        assert isinstance(connection, Stream)
        stream = connection
        if dialed:
            self._connections += 1
            stream.name = stream.other.name = f"{stream.local}>{stream.peer}#{self._connections}"
        return Ends(stream.name, stream.local, stream.remote)


def _more(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """The increases of those counters that have grown."""
    new = {name: count - before.get(name, 0) for name, count in now.items()}
    return {name: count for name, count in new.items() if count}
