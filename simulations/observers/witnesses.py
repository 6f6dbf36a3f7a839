"""Who watches what brokers tell and what lies on their disks: wire taps, file checks, snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import trio

from raftka.kraft.raft.snapshots import MAGIC, CorruptSnapshot, Snapshot
from raftka.simulations.checkers.answers import AnswerChecker
from raftka.simulations.checkers.files import FileChecker
from raftka.simulations.checkers.groups import GroupChecker
from raftka.simulations.checkers.identities import ProducerIds
from raftka.simulations.checkers.lookups import LookUps
from raftka.simulations.checkers.offsets import CommittedOffsets
from raftka.simulations.checkers.retention import RetentionChecker
from raftka.simulations.machines.cluster import Machine
from raftka.simulations.machines.network import Tap
from raftka.simulations.observers.kafka_wire import Conversation, OnRequest, Watched
from raftka.simulations.observers.partition_log import Key
from raftka.simulations.observers.voters import voters_of
from raftka.simulations.violation import About

if TYPE_CHECKING:
    from raftka.simulations.world import World

_OFFSETS_TOPIC: Final = "__consumer_offsets"
_LATER_S: Final = 0.005


class Witnesses:
    """The checkers of answers, groups and files, and what each of them is told."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._watched = Watched()
        world.ledger.listen(self._watched)
        self.answers = AnswerChecker(
            self._watched,
            world.metadata,
            world.logs,
            world.report,
            life_of=self._life_of,
            is_excused=self._may_lack,
            claimed=world.agreement.claimed,
            note=world.note,
            later=lambda check: world.fabric.at(trio.current_time() + _LATER_S, check),
            min_isr=world.min_isr,
            may_begin_at=lambda key: world.replicas.truth(key).start,
        )
        self.retention = RetentionChecker(
            world.metadata,
            world.logs,
            world.replicas,
            world.report,
            wall_ms=lambda host: world.cluster.machines[int(host[1:])].latest_wall_ms(),
            min_isr=world.min_isr,
            may_begin_at=self._may_begin_at,
        )
        self.lookups = LookUps(
            self._watched, world.metadata, world.logs, world.replicas, self.answers, world.report
        )
        self.groups = GroupChecker(
            self._watched, world.report, is_excused=lambda group: self._groups_may_be_lost()
        )
        self.offsets = CommittedOffsets(
            self._watched,
            world.report,
            is_excused=lambda group: self._groups_may_be_lost(),
            log_end=self._offsets_end,
            check_stored=self._check_stored,
        )
        self.producer_ids = ProducerIds(self._watched, world.report)
        self.files = FileChecker(world.logs, world.report)
        world.logs.on_corrupt = lambda mirror, batches: world.report(
            "corrupt-batch-written",
            f"{mirror.host} writes a batch of {mirror.name} from offset {batches[0].base_offset} on"
            " whose CRC is not what its header says",
            about=About(mirror.key, batches[0].base_offset, node=mirror.host),
        )

    @property
    def checks(self) -> int:
        checkers = (
            self.answers,
            self.lookups,
            self.retention,
            self.groups,
            self.offsets,
            self.producer_ids,
            self.files,
        )
        return sum(each.checks for each in checkers)

    def conversation(self, client: str, server: str) -> Conversation:
        """Watch a new connection."""
        return Conversation(client, server, self._watched)

    @contextmanager
    def hearing(self, api: str, told: OnRequest) -> Iterator[None]:
        """Tell a fault of the requests of an API while this lasts, as each is sent."""
        self._watched.request(api, told)
        try:
            yield
        finally:
            self._watched.leave(api, told)

    def forget(self, topic: str) -> None:
        """It was deleted: one of its name that is made anew has nothing to do with it."""
        self._world.replicas.forget(topic)
        self._world.history.forget(topic)
        self._world.agreement.forget(topic)
        for checker in (self.answers, self.offsets, self.retention):
            checker.forget(topic)

    def _may_begin_at(self, key: Key, offset: int) -> None:
        """Records before `offset` may be gone from now on, on purpose."""
        self._world.replicas.may_begin_at(key, offset)
        self._world.history.may_begin_at(key, offset)

    def look(self) -> None:
        """Compare what brokers that run have on their disks."""
        for machine in self._world.machines(brokers=True):
            if not machine.suspect and self._world.is_current(machine.node_id):
                self.files.check_running(machine.host, machine.medium.files)

    def stopped(self, machine: Machine) -> None:
        """A broker that served has ended with a clean shutdown."""
        # After a power loss the indexes of segments that nobody reads may be as it left them.
        if not machine.suspect and not machine.medium.was_interrupted:
            self.files.check_stopped(machine.host, machine.medium.files)

    def _life_of(self, host: str) -> int | None:
        """The number of the process that serves on a host, when it is registered."""
        node_id = int(host[1:])
        machine = self._world.cluster.machines.get(node_id)
        if machine is None or machine.process is None or not self._world.is_current(node_id):
            return None
        return machine.process.number

    def _may_lack(self, key: Key, broker_id: int) -> bool:
        replicas = self._world.replicas
        truth = replicas.truth(key)
        return broker_id in truth.losers | truth.unclean or replicas.promises_nothing(key)

    def _groups_may_be_lost(self) -> bool:
        truths = self._world.replicas.truths
        return any(truths[key].excused_at >= 0 for key in truths if key[0] == _OFFSETS_TOPIC)

    # The logs of __consumer_offsets.

    def _offsets_log(self, group: str) -> Key | None:
        topic = self._world.image.topics.get(_OFFSETS_TOPIC)
        if topic is None:
            return None
        return _OFFSETS_TOPIC, abs(_java_hash(group)) % len(topic.partitions)

    def _offsets_end(self, group: str, host: str) -> int:
        key = self._offsets_log(group)
        mirror = self._world.logs.replica(host, key) if key is not None else None
        return mirror.end_offset if mirror is not None else 0

    def _check_stored(self, group: str, host: str, end: int) -> None:
        """A commit is acknowledged when a record was added to the coordinator's log behind `end`,
        and is committed."""
        key = self._offsets_log(group)
        partition = self._world.image.partition(*key) if key is not None else None
        if key is None or partition is None or f"n{partition.leader}" != host:
            return
        if self._offsets_end(group, host) <= end:
            self._world.report(
                "commit-not-stored",
                f"{host} acknowledged offsets of group {group}, and has added nothing to its log of"
                f" {_OFFSETS_TOPIC}-{key[1]}, which ends at {end}",
            )
        what = f"acknowledged offsets of group {group} that are at {end} or beyond"
        self.answers.check_committed(key, partition, host, end + 1, what)


def _java_hash(text: str) -> int:
    """What Java's String.hashCode gives for ASCII."""
    code = 0
    for character in text:
        code = (31 * code + ord(character)) & 0xFFFFFFFF
    return code - (1 << 32) if code >> 31 else code


def both(one: Tap, other: Tap) -> Tap:
    """Two taps on one stream."""

    def tap(data: bytes) -> None:
        one(data)
        other(data)

    return tap


class SnapshotFile:
    """Watches a metadata snapshot on its way to the disk."""

    def __init__(self, world: World, host: str) -> None:
        self._world = world
        self._host = host
        self._data = bytearray()

    def wrote(self, offset: int, data: bytes) -> None:
        self._data[offset : offset + len(data)] = data

    def truncated(self, size: int) -> None:
        del self._data[size:]

    def synced(self) -> None:
        if not self._data.startswith(MAGIC):
            return
        try:
            snapshot = Snapshot.decode(self._data)
        except CorruptSnapshot:
            return
        self._world.note("metadata snapshot on disk")
        voters = voters_of(snapshot.voters)
        self._world.raft.snapshot_written(self._host, snapshot.index, voters)
        image = self._world.image
        if snapshot.payload and image.offset == snapshot.index:
            self._world.metadata_checker.snapshot_written(self._host, image, snapshot.payload)

    def replaced(self, data: bytes) -> None:
        self._data[:] = data

    def renamed(self, path: str) -> None:
        """It is complete."""

    def removed(self) -> None:
        """Its contents have moved on."""
