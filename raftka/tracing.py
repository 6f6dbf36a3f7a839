"""The trace of a real node, in the simulator's format: docs/trace.md.

`raftka.trace.file` names the file. What the cluster as a whole decides is written by every node as
it learns of it; `t` counts from this node's start.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from broker.node import Node
    from kraft.delta import MetadataDelta
    from kraft.image import MetadataImage, PartitionImage

Event = tuple[str, dict[str, Any]]
"""Kind and fields."""


def partition_event(
    topic: str, index: int, before: PartitionImage | None, after: PartitionImage
) -> Event | None:
    """What a change of a partition is called; None when nothing to tell has changed."""
    fields: dict[str, Any] = {"partition": f"{topic}-{index}", "leader": after.leader}
    led = None if before is None else (before.leader, before.leader_epoch)
    if before is None or led != (after.leader, after.leader_epoch):
        fields |= {"epoch": after.leader_epoch, "isr": list(after.isr), "elr": list(after.elr)}
        return "leader-elected", {**fields, "reason": after.reason}
    if (before.isr, before.elr, before.replicas) == (after.isr, after.elr, after.replicas):
        return None
    fields |= {"isr": list(after.isr), "elr": list(after.elr), "replicas": list(after.replicas)}
    return "isr-changed", {**fields, "partition_epoch": after.partition_epoch}


def broker_event(before: MetadataImage, image: MetadataImage, broker_id: int) -> Event | None:
    """What a change of a broker's registration is called."""
    old, new = before.brokers.get(broker_id), image.brokers.get(broker_id)
    if new is None:
        return "broker-unregistered", {"broker": broker_id}
    if old is None or old.epoch != new.epoch:
        return "broker-registered", {"broker": broker_id, "epoch": new.epoch}
    if old.fenced != new.fenced:
        kind = "broker-fenced" if new.fenced else "broker-unfenced"
        return kind, {"broker": broker_id, "epoch": new.epoch}
    return None


class TraceFile:
    """Appends events to a file, each on a line of its own."""

    def __init__(self, file: TextIO, host: str, monotonic: Callable[[], float]) -> None:
        self._file = file
        self._host = host
        self._monotonic = monotonic
        self._started = monotonic()
        self._last_id = 0
        self._image: MetadataImage | None = None

    def event(
        self, kind: str, *, node: str | None = None, cause: int | None = None, **fields: Any
    ) -> int:
        """Write one event; its id."""
        self._last_id += 1
        event: dict[str, Any] = {
            "id": self._last_id,
            "t": round(self._monotonic() - self._started, 6),
            "kind": kind,
        }
        if node is not None:
            event["node"] = node
        if cause is not None:
            event["cause"] = cause
        event.update(fields)
        self._file.write(json.dumps(event, default=str, separators=(",", ":")) + "\n")
        self._file.flush()
        return self._last_id

    def line(self, _: object, method: str, event: MutableMapping[str, Any]) -> Any:
        """A structlog processor: a line of the log passes by."""
        details = {name: value for name, value in event.items() if name not in _TAKEN}
        words = str(event.get("event", ""))
        self.event("log", node=self._host, level=method, words=words, **details)
        return event

    def follow(self, node: Node) -> None:
        """Write the changes of the metadata from now on."""

        def published(image: MetadataImage, delta: MetadataDelta) -> None:
            before, self._image = self._image, image
            if before is None:
                return
            cause = None
            if image.epoch != before.epoch:
                leader = f"n{node.active_controller_id}"
                cause = self.event("controller-elected", node=leader, epoch=image.epoch)
            for kind, fields in _changes(before, image, delta):
                self.event(kind, cause=cause, **fields)

        node.loader.add(published)


_TAKEN = frozenset({"event", "id", "t", "kind", "node", "cause", "level", "words", "exc_info"})


def _changes(before: MetadataImage, image: MetadataImage, delta: MetadataDelta) -> Iterator[Event]:
    for broker_id in delta.changed_brokers:
        if found := broker_event(before, image, broker_id):
            yield found
    for name, indexes in delta.changed_partitions.items():
        for index in indexes:
            after = image.partition(name, index)
            if after is not None and (
                found := partition_event(name, index, before.partition(name, index), after)
            ):
                yield found


def trace_to(path: str, host: str, monotonic: Callable[[], float]) -> TraceFile:
    """Begin a trace that also takes every line of the log. Raises OSError."""
    import structlog

    trace = TraceFile(open(path, "a", encoding="utf-8"), host, monotonic)  # noqa: SIM115
    structlog.get_config()["processors"].insert(0, trace.line)
    trace.event("start", node=host)
    return trace
