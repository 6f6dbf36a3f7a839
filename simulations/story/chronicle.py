"""The record of a failing run's second execution: all events, and the copies of a record.

None of this exists in the first run. The second one is the same to the byte, so the subject of its
violation is known from the start.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import Any, Final, NamedTuple

import trio

from raftka.kraft.image import PartitionImage
from raftka.model.errors import KafkaError
from raftka.model.records import Record, iter_records
from raftka.simulations.observers.partition_log import Batch, Key, ReplicaMirror
from raftka.simulations.violation import About
from raftka.simulations.world import World

Event = dict[str, Any]

LINKS: Final = "links"
"""A kind of event that only chronicles have: links between hosts were cut or reopened."""
_TAKES: Final = {
    "wipe": "lost its disk, in whose place there is an empty one",
    "power-loss": "lost power before the record was synced",
    "unsynced-lost": "lost power before the record was synced",
    "corruption": "lost it when the disk changed the file",
    "truncate": "truncated its log",
}
"""Events that remove records from a disk, as verbs with the node as subject."""
_LATE: Final = ("truncate", "append", "quorum-truncate", "quorum-append", "message-sent")
_LOOK_BACK: Final = 60


class Sighting(NamedTuple):
    """The contents of a replica's log at an offset, from a time on."""

    place: int
    """The event's position in the chronicle."""
    at_s: float
    host: str
    offset: int
    batch: Batch | None
    log_end: int
    why: str
    """The reason why the previous contents are gone."""


@dataclass
class NodeScene:
    """A machine's state at the violation."""

    host: str
    roles: str
    life: int
    """The number of the process, 0 when none runs."""
    is_paused: bool
    is_serving: bool
    broken: str
    is_registered: bool
    is_fenced: bool
    term: int
    vote: str
    last_index: int
    commit_index: int


@dataclass
class Scene:
    """The state of everything when the violation was detected."""

    at_s: float
    nodes: list[NodeScene]
    controller: str | None
    term: int
    commit_index: int
    committed: dict[int, tuple[int, str, float]]
    """Entries of the metadata log: (term, who announced it, when)."""
    partitions: dict[str, PartitionImage]
    logs: dict[tuple[str, str], tuple[int, int]]
    """The log start and end offsets of replicas, by host and partition."""
    cuts: frozenset[tuple[str, str]]
    waiting: dict[str, int]
    """The answers that producers wait for."""
    acks: dict[str, int]
    """The acks setting of each producer: 0, 1, or -1 for all."""
    lacking: dict[str, int]
    """The number of acknowledged records that each log of the partition lacks."""


@dataclass
class Chronicle:
    """Takes the lines of a run's trace, and reads the disks at each of them."""

    about: About
    events: list[Event] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    records: dict[tuple[int, int], Record] = field(default_factory=dict)
    """By offset and the batch's CRC."""
    scene: Scene | None = None
    known: dict[int, bytes] = field(default_factory=dict)
    """The values of the records that clients know at the offsets of the violation."""
    _world: World | None = None
    _seen: dict[tuple[str, int], Batch | None] = field(default_factory=dict)
    _cuts: frozenset[tuple[str, str]] = frozenset()

    def attach(self, world: World) -> None:
        """The run begins."""
        self._world = world
        world.fabric.on_links = self._links_changed
        world.on_violation.append(self._ends)

    @property
    def offsets(self) -> list[int]:
        found = (self.about.offset, self.about.elsewhere)
        return [offset for offset in found if offset is not None]

    @cached_property
    def by_id(self) -> dict[int, Event]:
        """The events by their ids; used once all are there."""
        return {event["id"]: event for event in self.events if event["id"]}

    def write(self, text: str, /) -> None:
        """A line of the trace."""
        event = json.loads(text)
        if self.scene is not None:
            self._take_late(event)
            return
        if self.about.partition is not None:
            self._look(self.about.partition, event["t"])
        self.events.append(event)

    def _take_late(self, event: Event) -> None:
        """Take an event after the violation: the one that showed it comes just after it."""
        assert self.scene is not None
        late = event["t"] == round(self.scene.at_s, 6) and event["kind"] in _LATE
        if late and event.get("node") == self.about.node:
            self.events.insert(len(self.events) - 1, event)

    # Links.

    def _links_changed(self) -> None:
        assert self._world is not None
        before, now = self._cuts, frozenset(self._world.fabric.cuts)
        self._cuts = now
        if self.scene is not None or before == now:
            return
        at_s = round(trio.current_time(), 6)
        now_s = takewhile(lambda event: event["t"] == at_s, reversed(self.events))
        last = next((event for event in now_s if event["kind"] == LINKS), None)
        if last is None:
            last = {"id": 0, "t": at_s, "kind": LINKS, "cut": [], "healed": []}
            self.events.append(last)
        last["cut"] += sorted(now - before)
        last["healed"] += sorted(before - now)
        last["now"] = now

    # Disks.

    def _look(self, key: Key, now: float) -> None:
        assert self._world is not None
        for machine in self._world.cluster.machines.values():
            if not machine.is_broker:
                continue
            mirror = self._world.logs.replica(machine.host, key)
            for offset in self.offsets:
                place = (machine.host, offset)
                batch = mirror.find(offset) if mirror is not None else None
                before = self._seen.get(place)
                if _same(batch, before):
                    continue
                self._seen[place] = batch
                after, at_s, why = len(self.events), now, ""
                if before is not None:
                    after, at_s, why = self._why(machine.host, mirror, now)
                end = mirror.end_offset if mirror is not None else 0
                found = Sighting(after, at_s, *place, batch, end, why)
                self.sightings.append(found)
                if batch is not None:
                    self._read(mirror, batch, offset)

    def _why(self, host: str, mirror: ReplicaMirror | None, now: float) -> tuple[int, float, str]:
        """What removed a record, and when: one of the events since the disks were last read."""
        count = len(self.events)
        before = self.events[-1]["t"] if self.events else now
        for place in range(count - 1, max(-1, count - _LOOK_BACK), -1):
            event = self.events[place]
            if event["t"] < before:
                break
            if event.get("node") == host and event["kind"] in _TAKES:
                return place, float(event["t"]), _TAKES[event["kind"]]
        if mirror is None:
            return count, now, "deleted the files of its log"
        if mirror.start_offset > (self.about.offset or 0):
            return count, now, "deleted old records"
        return count, now, "truncated its log"

    def _read(self, mirror: ReplicaMirror | None, batch: Batch, offset: int) -> None:
        """Keep the record's contents while some disk has it."""
        if mirror is None or (offset, batch.crc) in self.records:
            return
        assert self._world is not None
        files = self._world.cluster.machines[int(mirror.host[1:])].medium.files
        for path, _, batches in mirror.segments():
            if batch in batches and path in files:
                data = bytes(files[path].data[batch.position : batch.position + batch.size])
                for record in _records(data):
                    if record.offset == offset:
                        self.records[offset, batch.crc] = record

    # The end.

    def _ends(self) -> None:
        world = self._world
        assert world is not None
        now = trio.current_time()
        if self.about.partition is not None:
            self._look(self.about.partition, now)
            values = world.history.of(self.about.partition).values
            self.known = {offset: values[offset] for offset in self.offsets if offset in values}
        self.scene = scene_of(world, now, self.about.partition)


def _same(one: Batch | None, other: Batch | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.crc, one.epoch) == (other.crc, other.epoch)


def _records(batch: bytes) -> Iterator[Record]:
    try:
        yield from iter_records(batch)
    except KafkaError:
        return  # A damaged batch has no record to show.


def scene_of(world: World, now: float, key: Key | None = None) -> Scene:
    """The state of everything."""
    partitions = {f"{t.name}-{index}": each for t, index, each in world.image.partitions()}
    machines = list(world.cluster.machines.values())
    leaders = world.raft.leaders
    return Scene(
        at_s=now,
        nodes=[_node(world, machine.node_id) for machine in machines],
        controller=world.raft.leader,
        term=max(leaders, default=0),
        commit_index=world.raft.commit_index,
        committed={
            index: (entry.term, entry.leader, entry.at_s)
            for index, entry in world.raft.committed.items()
        },
        partitions=partitions,
        logs={
            (machine.host, mirror.name): (mirror.start_offset, mirror.end_offset)
            for machine in machines
            for mirror in world.logs.on(machine.host)
        },
        cuts=frozenset(world.fabric.cuts),
        waiting={task.plan.name: task.open for task in world.producers if task.open},
        acks={task.plan.name: task.plan.acks for task in world.producers},
        lacking=_lacking(world, key) if key is not None else {},
    )


def _lacking(world: World, key: Key) -> dict[str, int]:
    """Acknowledged records that a log lacks, or whose batch is not the one that clients know."""
    found = {}
    truth = world.replicas.truth(key)
    batches = [truth.batches[base] for base in truth.order]
    acked = world.history.of(key).acked
    for machine in world.cluster.machines.values():
        if (mirror := world.logs.replica(machine.host, key)) is None:
            continue
        missing = [
            batch
            for batch in batches
            if (own := mirror.find(max(batch.base_offset, truth.start))) is None
            or own.crc != batch.crc
        ]
        found[machine.host] = sum(
            offset in acked
            for batch in missing
            for offset in range(max(batch.base_offset, truth.start), batch.last_offset + 1)
        )
    return found


def _node(world: World, node_id: int) -> NodeScene:
    machine = world.cluster.machines[node_id]
    process, broker = machine.process, world.image.brokers.get(node_id)
    mirror = world.raft.mirrors.get(machine.host)
    return NodeScene(
        host=machine.host,
        roles=machine.roles,
        life=process.number if process is not None else 0,
        is_paused=machine.is_paused,
        is_serving=process is not None and process.serves,
        broken=machine.broken,
        is_registered=world.is_current(node_id),
        is_fenced=broker is None or broker.fenced,
        term=mirror.term if mirror is not None else 0,
        vote=f"n{mirror.voted_for}" if mirror is not None and mirror.voted_for > 0 else "-",
        last_index=mirror.last_index if mirror is not None else 0,
        commit_index=mirror.commit_index if mirror is not None else 0,
    )
