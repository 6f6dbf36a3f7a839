"""Replicas of the quorum in simulated time: network, disks, processes, and their faults.

No trio and no real I/O: a heap of events. Each replica is driven as by driver.py, with the duration
of a sync between a step and its messages, so that a crash can come anywhere.
"""

from __future__ import annotations

import heapq
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgpack

from raftka.kraft.raft.codec import SIZE, Message, decode, encode
from raftka.kraft.raft.engine import Engine
from raftka.kraft.raft.journal import Journal
from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import QuorumSettings, ReplicaKey
from raftka.kraft.raft.snapshots import Snapshot
from raftka.kraft.raft.store import Store
from raftka.model.rules import Rule
from raftka.simulations.machines.disk import SimDisk
from raftka.simulations.machines.life import Killed
from raftka.simulations.machines.medium import Medium
from tests.kraft.raft.fuzz_checks import Checker, Promise, StateMachine, Violation, tick

DIRECTORY = "/data/__cluster_metadata-0"
Item = tuple[str, Any]


class DyingDisk(SimDisk):
    """The process dies at one of its own operations."""

    operations_left = -1

    def check_alive(self) -> None:
        self.operations_left -= 1
        if self.operations_left == 0:
            self.kill()
        super().check_alive()


@dataclass(eq=False)
class Replica:
    """A machine with its disk, and the process on it while it is up."""

    key: ReplicaKey
    can_vote: bool
    medium: Medium
    clock_offset: float
    clock_rate: float
    engine: Engine | None = None
    disk: DyingDisk | None = None
    machine: StateMachine = field(default_factory=StateMachine)
    promise: Promise = field(default_factory=Promise)
    inbox: deque[Item] = field(default_factory=deque)
    life: int = 0
    busy: bool = False
    is_new: bool = False
    woken_at: float = -1.0
    term_seen: int = 0
    commit_seen: int = 0
    on_disk: Journal | None = None
    """While it is down: the contents of its disk."""

    def __str__(self) -> str:
        return f"node {self.key.id}"

    def clock(self, now: float) -> float:
        return self.clock_offset + now * self.clock_rate

    def holds(self, index: int, term: int) -> bool:
        """Whether the entry is durable here, itself or in a snapshot."""
        log = self.engine.log if self.engine is not None else self.on_disk
        if log is None:
            return False
        return index <= log.base_index or (
            log.term_at(index) == term and index <= log.durable_index
        )


@dataclass(eq=False)
class Wire:
    """One connection. What is sent before a reset and not delivered is lost, on both sides."""

    ends: tuple[Replica, Replica]
    alive: bool = True
    on_the_way: dict[Replica, deque[tuple[float, bytes]]] = field(default_factory=dict)


class Cluster:
    """Everything that runs, and the time."""

    def __init__(
        self,
        dice: Random,
        keys: list[tuple[ReplicaKey, bool]],
        static_voters: VoterSet | None,
        first_voters: VoterSet,
        settings: QuorumSettings,
        rules_off: frozenset[Rule] = frozenset(),
    ) -> None:
        self.rules_off, self.sends_before_sync = rules_off, Rule.SYNC_BEFORE_SEND in rules_off
        self.dice, self.checker = dice, Checker()
        self.static_voters, self.first_voters = static_voters, first_voters
        self.settings = settings
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self.steps = self.trace = 0
        self.delay_s, self.sync_s = 0.002, 0.002
        self.corrupt_chunk_rate = 0.0
        self.sync_error_rate = 0.0
        self.blocked: set[tuple[int, int]] = set()
        self.wires: dict[frozenset[int], Wire] = {}
        self.unanswered: dict[int, str] = {}
        self._calls = 0
        self.replicas = [
            Replica(key, can_vote, Medium(dice), dice.uniform(0, 1000), dice.uniform(0.98, 1.02))
            for key, can_vote in keys
        ]
        for replica in self.replicas:
            self._format(replica)
            self.start(replica)

    def _format(self, replica: Replica) -> None:
        disk = SimDisk(replica.medium)
        disk.make_dirs(DIRECTORY)
        if self.static_voters is None and replica.key in self.first_voters:
            disk.open(f"{DIRECTORY}/empty", create=True).close()
            Store(disk, DIRECTORY).write_snapshot(Snapshot(0, 0, self.first_voters, b""))

    # Time.

    def at(self, moment: float, action: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (max(moment, self.now), self._sequence, action))

    def run_until(self, moment: float) -> None:
        while self._events and self._events[0][0] <= moment:
            self.now, _, action = heapq.heappop(self._events)
            action()
        self.now = moment

    # Processes.

    def start(self, replica: Replica) -> None:
        if replica.engine is not None:
            return
        replica.disk = DyingDisk(replica.medium)
        store = Store(replica.disk, DIRECTORY, segment_bytes=3000, retained_bytes=600)
        self.checker.recovered(replica, store)
        replica.machine, replica.commit_seen, replica.term_seen = StateMachine(), 0, 0
        replica.on_disk, replica.inbox, replica.busy = None, deque(), False
        replica.life, replica.is_new = replica.life + 1, True
        replica.engine = Engine(
            replica.key,
            store,
            can_vote=replica.can_vote,
            static_voters=self.static_voters,
            settings=self.settings,
            dice=self.dice,
            now=replica.clock(self.now),
            rules_off=self.rules_off,
        )
        self._look(replica, replica.engine)
        self.wake(replica, self.now)

    def crash(self, replica: Replica, *, power_loss: bool) -> None:
        """The process dies, in the middle of a sync if it was in one."""
        engine, disk = replica.engine, replica.disk
        if engine is None or disk is None:
            return
        if replica.busy:
            disk.operations_left = self.dice.randrange(1, 12)
            with suppress(Killed):
                engine.store.sync()
        disk.kill()
        replica.engine, replica.disk = None, None
        self.unanswered = {
            call: who for call, who in self.unanswered.items() if who != str(replica)
        }
        if power_loss:
            replica.medium.lose_power()
        if self.dice.random() < 0.3:
            self._die_while_recovering(replica)
        replica.on_disk = Store(SimDisk(replica.medium), DIRECTORY).journal
        for pair in [pair for pair in self.wires if replica.key.id in pair]:
            self.reset(pair)

    def _die_while_recovering(self, replica: Replica) -> None:
        disk = DyingDisk(replica.medium)
        disk.operations_left = self.dice.randrange(1, 20)
        try:
            Store(disk, DIRECTORY)
        except Killed:
            replica.medium.lose_power()

    # Steps, in the order of driver.py.

    def wake(self, replica: Replica, moment: float) -> None:
        if replica.woken_at < self.now or moment < replica.woken_at:
            replica.woken_at = moment
            life = replica.life
            self.at(moment, lambda: self._step(replica, life))

    def put(self, replica: Replica, item: Item) -> None:
        if replica.engine is not None:
            replica.inbox.append(item)
            self.wake(replica, self.now + 0.0001)

    def _step(self, replica: Replica, life: int) -> None:
        engine = replica.engine
        if engine is None or replica.life != life or replica.busy:
            return
        replica.woken_at = -1.0
        self.steps += 1
        engine.at(replica.clock(self.now))
        due = engine.now + 1e-4 >= engine.next_deadline()  # Within a step its clock ticks on.
        matters, replica.is_new = replica.is_new or due, False
        for _ in range(min(len(replica.inbox), self.dice.randrange(1, 9))):
            kind, item = replica.inbox.popleft()
            matters = self._take(replica, engine, kind, item) or matters
        tick(replica, engine, matters)
        self._look(replica, engine)
        if self.sends_before_sync:
            self._send(replica, engine)
        replica.busy = True
        took = self.dice.expovariate(1 / self.sync_s) if engine.store.dirty else 0.0
        self.at(self.now + took, lambda: self._finish_step(replica, life))

    def _take(self, replica: Replica, engine: Engine, kind: str, item: Any) -> bool:
        if kind == "message":
            return engine.deliver(*item)
        if kind in ("up", "down"):
            (engine.link_up if kind == "up" else engine.link_down)(item)
        else:
            item(engine)
        return True

    def _finish_step(self, replica: Replica, life: int) -> None:
        engine = replica.engine
        if engine is None or replica.life != life:
            return
        try:
            if self.sync_error_rate and self.dice.random() < self.sync_error_rate:
                raise OSError("fsync failed")
            while engine.store.dirty:
                engine.store.sync()
                if engine.wants_tick:
                    engine.tick()
                    self._look(replica, engine)
        except OSError:
            self.crash(replica, power_loss=self.dice.random() < 0.5)
            self.at(self.now + self.dice.uniform(0.1, 1), lambda: self.start(replica))
            return
        replica.busy = False
        self._send(replica, engine)
        if engine.snapshot_is_due:
            snapshot = engine.snapshot_of(replica.machine.encode())
            engine.store.write_snapshot(snapshot)
            engine.adopt_snapshot(snapshot)
            engine.store.sync()
        engine.take_news()
        deadline = (engine.next_deadline() - replica.clock_offset) / replica.clock_rate
        if replica.inbox:
            self.wake(replica, self.now + 0.0001)
        elif deadline < 1e9:
            self.wake(replica, max(deadline, self.now) + 0.0001)

    def _look(self, replica: Replica, engine: Engine) -> None:
        self.checker.stepped(replica, self.replicas, self.now)
        while engine.events:
            self.checker.event(replica, engine.events.popleft())

    def _send(self, replica: Replica, engine: Engine) -> None:
        for key, message in engine.take_outbox():
            if engine.store.dirty and not self.sends_before_sync:
                raise Violation(f"{replica} sends before it is durable")
            wire = self.wires.get(frozenset((replica.key.id, key.id)))
            if wire is None or not wire.alive:
                continue
            self.checker.sent(replica, key, message)
            self._transmit(wire, replica, message)

    def _transmit(self, wire: Wire, sender: Replica, message: Message) -> None:
        if "serialized" in message and self.dice.random() < self.corrupt_chunk_rate:
            data, first, last = message["serialized"]
            if data:
                data = data[:-1] + bytes([data[-1] ^ 1])
            message = {**message, "serialized": (data, first, last)}
        frame = encode(message)
        self.trace = zlib.crc32(frame, self.trace)
        way = wire.on_the_way.setdefault(sender, deque())
        ready = self.now + 0.0001 + self.dice.expovariate(1 / self.delay_s)
        way.append((max(ready, way[-1][0] if way else 0.0), frame))
        if len(way) == 1:
            self.at(way[0][0], lambda: self._arrive(wire, sender))

    def _arrive(self, wire: Wire, sender: Replica) -> None:
        way = wire.on_the_way.get(sender)
        if not wire.alive or not way:
            return
        receiver = wire.ends[1] if wire.ends[0] is sender else wire.ends[0]
        if (sender.key.id, receiver.key.id) in self.blocked:
            self.at(self.now + 0.05, lambda: self._arrive(wire, sender))
            return
        _, frame = way.popleft()
        self.put(receiver, ("message", (sender.key, decode(frame[SIZE.size :]))))
        if way:
            self.at(way[0][0], lambda: self._arrive(wire, sender))

    # Wires.

    def pairs(self) -> Iterator[tuple[Replica, Replica]]:
        for position, one in enumerate(self.replicas):
            for other in self.replicas[position + 1 :]:
                if one.can_vote or other.can_vote:
                    yield one, other

    def connect_all(self) -> None:
        """Every replica dials each reachable peer without a connection."""
        for one, other in self.pairs():
            ids = (one.key.id, other.key.id)
            cut = ids in self.blocked or ids[::-1] in self.blocked
            ready = one.engine is not None and other.engine is not None and not cut
            if ready and frozenset(ids) not in self.wires and self.dice.random() < 0.5:
                self.wires[frozenset(ids)] = Wire((one, other))
                for end, peer in ((one, other), (other, one)):
                    self.put(end, ("up", peer.key))

    def reset(self, pair: frozenset[int]) -> None:
        """Each side notices in its own time, and may be dialed again only after that."""
        wire = self.wires.get(pair)
        if wire is None or not wire.alive:
            return
        wire.alive = False
        last = 0.0
        for end, peer in (wire.ends, wire.ends[::-1]):
            notices = self.now + self.dice.expovariate(1 / (2 * self.delay_s))
            last = max(last, notices)
            life = end.life
            self.at(notices, lambda e=end, p=peer, n=life: self._notice(e, p, n))  # type: ignore[misc]
        self.at(last, lambda: self._forget(pair))

    def _forget(self, pair: frozenset[int]) -> None:
        self.wires.pop(pair, None)

    def _notice(self, end: Replica, peer: Replica, life: int) -> None:
        if end.life == life:
            self.put(end, ("down", peer.key))

    # Clients.

    def call(self, replica: Replica, what: str, work: Callable[[Engine, Any], Any]) -> None:
        """Call the engine in its next step; it must always call back."""
        self._calls += 1
        number = self._calls
        life = replica.life

        def done(offset: int, error: Exception | None) -> None:
            self.unanswered.pop(number, None)

        def run(engine: Engine) -> None:
            self.unanswered[number] = str(replica)
            try:
                work(engine, done)
            except Exception as refusal:
                if type(refusal).__name__ not in (
                    "NotLeader",
                    "ProposalVoid",
                    "NotYet",
                    "KafkaError",
                ):
                    raise
                done(0, refusal)

        if replica.engine is not None and replica.life == life:
            self.put(replica, (what, run))

    def propose(self, replica: Replica, *, stale: bool = False) -> None:
        def work(engine: Engine, done: Any) -> None:
            expected = self.dice.choice([None, engine.log.last_index + 1])
            epoch = engine.term
            if stale:
                epoch, expected = self.dice.choice(
                    [(epoch - 1, expected), (epoch, engine.log.last_index + 2)]
                )
            number = self._calls
            payload = msgpack.packb([number, epoch, expected])
            engine.propose(bytes(payload), epoch, expected, done)

        self.call(replica, "propose", work)
