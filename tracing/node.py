"""The trace of a real node, in the simulator's format: docs/trace.md.

`raftka.trace.file` names the file. A node records events at its own ports, and the cluster's
decisions when it learns of them; `t` counts from this node's start.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from raftka.broker.quorum_setup import controller_endpoints
from raftka.model import logs, timers
from raftka.model.logs import Line, get_logger
from raftka.model.ports import Connection, Disk, Network
from raftka.model.settings import Config
from raftka.net.transport import TcpConnection
from raftka.tracing.lines import event_of, line_of
from raftka.tracing.metadata import changes
from raftka.tracing.observer import Observer
from raftka.tracing.places import explained
from raftka.tracing.safely import Safely
from raftka.tracing.wire import Ends

log = get_logger(__name__)

if TYPE_CHECKING:
    from raftka.broker.node import Node
    from raftka.kraft.delta import MetadataDelta
    from raftka.kraft.image import MetadataImage

_TAIL_BYTES = 1 << 20
_TAKEN = frozenset({"event", "id", "t", "kind", "node", "cause", "level", "words", "exc_info"})


class TraceFile:
    """Appends events to a file, one per line."""

    def __init__(
        self,
        file: TextIO,
        host: str,
        monotonic: Callable[[], float],
        *,
        peers: Mapping[str, str] | None = None,
        last_id: int = 0,
    ) -> None:
        """`peers` maps host:port to nodes; `last_id` is the last id of an earlier process."""
        self._file = file
        self._host = host
        self._monotonic = monotonic
        self._started = monotonic()
        self._last_id = last_id
        self._peers = dict(peers or {})
        self._image: MetadataImage | None = None
        self._node: Node | None = None
        self._lock = threading.RLock()
        """Files are synced in threads."""
        self.observer = Observer(
            self.event,
            self._name,
            self._high_watermark,
            self._ends,
            sees_all=False,
            lock=self._lock,
        )
        self._line = Safely("log lines", self._lock)
        self._timer = Safely("timers", self._lock)
        self._file_failed = False
        self._newest = 0
        """The newest event other than a log line: the cause of the next log line."""

    def event(
        self, kind: str, *, node: str | None = None, cause: int | None = None, **fields: Any
    ) -> int:
        """Write one event; return its id. The first failure to write is logged."""
        with self._lock:
            self._last_id += 1
            if "code" in fields:
                fields |= explained(fields["code"])
            seconds = self._monotonic() - self._started
            event = event_of(self._last_id, seconds, kind, node, cause, fields)
            if not self._file_failed:
                try:
                    self._file.write(line_of(event) + "\n")
                    self._file.flush()
                except OSError as error:
                    self._file_failed = True
                    log.error(f"the trace ends here, its file cannot be written: {error}")
            if kind != "log":
                self._newest = self._last_id
            return self._last_id

    def timer_fired(self, timer: str, about: str) -> None:
        """Record a timer that fired (model/timers.py)."""
        self._timer(self.observer.timer_fired, self._host, timer, about)

    def line(self, line: Line) -> None:
        """Record a log line (model/logs.py)."""
        self._line(self._logged, line)

    def _logged(self, line: Line) -> None:
        newest = self._newest or None
        details = {name: value for name, value in line.details.items() if name not in _TAKEN}
        self.event(
            "log", node=self._host, cause=newest, level=line.level, words=line.words, **details
        )

    def network(self, inner: Network) -> Network:
        """The node's network port, observed."""
        return self.observer.network(self._host, inner)

    def disk(self, inner: Disk) -> Disk:
        """The node's disk port, observed."""
        return self.observer.disk(self._host, inner)

    def follow(self, node: Node) -> None:
        """Write the changes of the metadata from now on."""
        self._node = node
        elections = self.observer.elections

        def tell(kind: str, host: str | None, fields: dict[str, Any]) -> None:
            now = float(image_offset[0])
            cause = elections.cause_of(kind, host, fields, now)
            event = self.event(kind, node=host, cause=cause, **fields)
            elections.told(kind, host, fields, event, now)

        image_offset = [0]

        def changed(image: MetadataImage, delta: MetadataDelta) -> None:
            before, self._image = self._image, image
            image_offset[0] = image.offset
            if before is None:
                return
            if image.epoch != before.epoch:
                leader = f"n{node.active_controller_id}"
                tell("controller-elected", leader, {"epoch": image.epoch})
            for kind, fields in changes(before, image, delta):
                tell(kind, None, fields)

        safely = Safely("the metadata", self._lock)

        def published(image: MetadataImage, delta: MetadataDelta) -> None:
            safely(changed, image, delta)

        node.loader.add(published)

    def _ends(self, connection: Connection, dialed: bool) -> Ends | None:
        assert isinstance(connection, TcpConnection)
        try:
            here, there = connection.addresses
        except OSError:
            return None  # It broke before the address could be read.
        client, server = (here, there) if dialed else (there, here)
        peer = self._peer(connection.peer) if dialed else there
        return Ends(f"{client}>{server}", self._host, peer)

    def _peer(self, address: str) -> str:
        """The node of an address, as far as the settings or the metadata contain it."""
        if address not in self._peers and self._image is not None:
            for broker in self._image.brokers.values():
                for each in broker.endpoints:
                    self._peers[f"{each.host}:{each.port}"] = f"n{broker.broker_id}"
        return self._peers.get(address, address)

    def _name(self, topic_id: bytes) -> str | None:
        return None if self._image is None else self._image.topic_names.get(topic_id)

    def _high_watermark(self, _: str, partition: str) -> int | None:
        topic, _, index = partition.rpartition("-")
        if self._node is None or not self._node.is_broker:
            return None
        replica = self._node.replicas.get(topic, int(index))
        return None if replica is None else replica.state.high_watermark


def trace_to(path: str, config: Config, monotonic: Callable[[], float]) -> TraceFile:
    """Start a trace that also records every log line. Raises OSError."""
    host = f"n{config.int('node.id')}"
    peers = {
        f"{endpoint[0]}:{endpoint[1]}": f"n{node_id}"
        for node_id, endpoint in controller_endpoints(config).items()
    }
    file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - it ends with the process
    trace = TraceFile(file, host, monotonic, peers=peers, last_id=_last_id(path))
    logs.add_sink(trace.line)
    timers.watch(trace.timer_fired)
    trace.event("start", node=host, unix_s=round(time.time(), 6))
    return trace


def _last_id(path: str) -> int:
    """The newest id in a file that an earlier process of the node has written."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - _TAIL_BYTES))
        lines = file.read().splitlines(keepends=True)
    for line in reversed(lines):
        if line.startswith(b'{"id":') and line.endswith(b"\n"):
            return int(json.loads(line)["id"])
    return 0
