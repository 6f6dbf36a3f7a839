"""The file that a run is written to: the events of the trace, and all that the ports show.

Numbers in the file are the file's own. Those of the trace are the same with and without a file,
since a run may name things after them; here they are translated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from raftka.model.ports import Connection
from raftka.simulations.machines.stream import Stream
from raftka.tracing.lines import event_of, line_of
from raftka.tracing.observer import Observer
from raftka.tracing.wire import Ends

if TYPE_CHECKING:
    from raftka.simulations.trace import Sink
    from raftka.simulations.world import World


class Detail:
    """Everything that is written about one run."""

    def __init__(self, file: Sink) -> None:
        self._file = file
        self._last_id = 0
        self._numbers: dict[int, int] = {}
        """Ids in the file, by those of the trace."""
        self._connections = 0
        self._world: World | None = None
        self.observer = Observer(
            self.write, self._name, self._high_watermark, self._ends, sees_all=True
        )

    def attach(self, world: World) -> None:
        """Where names of topics and replicas are found."""
        self._world = world

    def event(self, event: dict[str, Any]) -> None:
        """An event of the trace."""
        fields = dict(event)
        own, kind, now = fields.pop("id"), fields.pop("kind"), fields.pop("t")
        node, cause = fields.pop("node", None), fields.pop("cause", None)
        elections = self.observer.elections
        if cause is not None:
            cause = self._numbers[cause]
        else:
            cause = elections.cause_of(kind, node, fields, now)
        number = self._numbers[own] = self.write(kind, node=node, cause=cause, **fields)
        elections.told(kind, node, fields, number, now)

    def ordered(self, client: str, cause: int) -> None:
        """A client is made for an operation or a fault: what it asks for follows from that."""
        self.observer.ordered(client, self._numbers[cause])

    def outcome(self, operation: int, name: str) -> None:
        """An administrator's operation has been done; one that has not is `refused`."""
        self.write("operation-done", cause=self._numbers[operation], name=name)

    def write(
        self, kind: str, *, node: str | None = None, cause: int | None = None, **fields: Any
    ) -> int:
        """One line; its id."""
        self._last_id += 1
        event = event_of(self._last_id, trio.current_time(), kind, node, cause, fields)
        self._file.write(line_of(event) + "\n")
        return self._last_id

    def _name(self, topic_id: bytes) -> str | None:
        assert self._world is not None
        return self._world.image.topic_names.get(topic_id)

    def _high_watermark(self, node: str, partition: str) -> int | None:
        """The one thing that a trace asks a node for; no checker knows of it."""
        assert self._world is not None
        topic, _, index = partition.rpartition("-")
        for machine in self._world.cluster.machines.values():
            if machine.host == node and machine.is_broker and machine.process is not None:
                if machine.process.node is None:
                    return None
                replica = machine.process.node.replicas.get(topic, int(index))
                return None if replica is None else int(replica.state.high_watermark)
        return None

    def _ends(self, connection: Connection, dialed: bool) -> Ends:
        assert isinstance(connection, Stream)
        stream = connection
        if dialed:
            self._connections += 1
            stream.name = stream.other.name = f"{stream.local}>{stream.peer}#{self._connections}"
        return Ends(stream.name, stream.local, stream.remote)
