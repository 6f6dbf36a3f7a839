"""The engine's driver under trio: one task that does all of its steps.

It is woken by what comes (messages, links, calls) and by the engine's own next deadline:

    deliver inbox -> make calls -> tick -> store.sync() in a thread -> send outbox

(to a heartbeat there is only an answer, so that a step of nothing else is the first and the last)

so nothing leaves before it is durable, and all that gathered during one sync shares the next.
The listener is notified right after each tick, before anything else of the node can run.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import trio

from raftka.kraft.raft.codec import FRAME_OVERHEAD, encode
from raftka.kraft.raft.engine import Committed, Engine, LeaderChanged, SnapshotLoaded
from raftka.kraft.raft.link import Hello, Inbox
from raftka.kraft.raft.links import Links, Target
from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import (
    NotLeader,
    ProposalVoid,
    QuorumListener,
    QuorumSettings,
    QuorumWatch,
    ReplicaKey,
)
from raftka.kraft.raft.progress import BATCH_BYTES
from raftka.kraft.raft.reconfiguration import Done, NotYet
from raftka.kraft.raft.repeats import Repeats
from raftka.kraft.raft.store import Store
from raftka.kraft.raft.unrest import Unrest
from raftka.model.errors import KafkaError
from raftka.model.ids import Endpoint, uuid_text
from raftka.model.logs import get_logger
from raftka.model.ports import Clock, Connection, Dice, Disk, Network
from raftka.model.rules import Rule, RulesOff

log = get_logger(__name__)

_MESSAGES_A_STEP: Final = 512
_CALLS_A_STEP: Final = 4096
_STOOD_STILL_S: Final = 0.5
"""A step that is later than this was delayed by more than other work."""
_LONGEST_REST_S: Final = 0.5
_QUEUED_BYTES_MAX: Final = 64 * 1024 * 1024


class _Call:
    """A caller's work for the engine, and its result."""

    __slots__ = ("_done", "error", "offset", "size", "work")

    def __init__(self, work: Callable[[Done], Any], size: int) -> None:
        self.work, self.size = work, size
        self.offset = 0
        self.error: Exception | None = None
        self._done = trio.Event()

    def finish(self, offset: int, error: Exception | None) -> None:
        self.offset, self.error = offset, error
        self._done.set()

    async def outcome(self) -> int:
        await self._done.wait()
        if self.error is not None:
            raise self.error
        return self.offset


class Driver:
    """Runs one engine; the arguments are those of quorum.Quorum."""

    def __init__(
        self,
        cluster_id: str,
        replica: ReplicaKey,
        directory: str,
        *,
        listener: QuorumListener,
        clock: Clock,
        dice: Dice,
        disk: Disk,
        network: Network,
        can_vote: bool,
        static_voters: VoterSet | None,
        bootstrap_servers: Sequence[Endpoint],
        take_snapshot: Callable[[], bytes] | None,
        settings: QuorumSettings,
        link_broken: Callable[[int], None] | None,
        rules_off: RulesOff,
    ) -> None:
        self.watch: QuorumWatch | None = None
        """Sees all messages."""
        self.engine: Engine | None = None
        """None until the directory was read."""
        self._replica, self._directory, self._listener = replica, directory, listener
        self._clock, self._dice, self._disk = clock, dice, disk
        self._can_vote, self._static_voters = can_vote, static_voters
        self._bootstrap = tuple(bootstrap_servers)
        self._take_snapshot, self._link_broken = take_snapshot, link_broken
        self._settings = settings
        self._rules_off = rules_off
        self._alarm = clock.alarm()
        self._started = trio.Event()
        self._calls: deque[_Call] = deque()
        self._open_calls: dict[_Call, None] = {}
        self._queued_bytes = 0
        self._drained: trio.Event | None = None
        """Set while a caller waits for room."""
        self._linked_for: tuple[VoterSet, bool] | None = None
        self._repeats = Repeats()
        self._unrest = Unrest()
        self._namesakes: set[ReplicaKey] = set()
        self._inbox = Inbox(self._alarm.ring)
        self._links = Links(
            Hello(cluster_id, self._replica),
            clock=clock,
            dice=dice,
            network=network,
            inbox=self._inbox,
            frame_bytes_max=self._settings.max_entry_bytes + BATCH_BYTES + FRAME_OVERHEAD,
        )

    async def room(self) -> None:
        """Wait while too much is queued."""
        while self._queued_bytes > _QUEUED_BYTES_MAX:
            self._drained = self._drained or trio.Event()
            await self._drained.wait()

    async def call(self, work: Callable[[Done], Any], size: int = 0) -> int:
        """Run `work` while the engine is between steps; return its result, or raise its error."""
        call = _Call(work, size)
        self._open_calls[call] = None
        self._queued_bytes += size
        self._calls.append(call)
        self._alarm.ring()
        try:
            return await call.outcome()
        finally:
            self._open_calls.pop(call, None)

    async def accept(self, connection: Connection, first_bytes: bytes) -> None:
        await self._started.wait()
        await self._links.accept(connection, first_bytes)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        failure: Exception | None = None
        try:
            await self._load()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._links.run)
                self._tell_listener()
                self._started.set()
                task_status.started()
                try:
                    await self._drive()
                except Exception as error:  # Raised below, outside of the nursery's group.
                    failure = error
                nursery.cancel_scope.cancel()
            if failure is not None:
                raise failure
        finally:
            self._started.set()
            for call in list(self._open_calls):
                call.finish(0, NotLeader(None, self.engine.term if self.engine is not None else 0))
            if self.engine is not None:
                self.engine.store.close()

    async def _load(self) -> None:
        settings = self._settings
        store = await self._disk.offload(
            lambda: Store(
                self._disk,
                self._directory,
                segment_bytes=settings.segment_bytes,
                retained_bytes=settings.retained_bytes,
            )
        )
        for repair in store.repairs:
            log.warning(f"quorum: {repair}")
        self.engine = Engine(
            self._replica,
            store,
            can_vote=self._can_vote,
            static_voters=self._static_voters,
            settings=settings,
            dice=self._dice,
            now=self._clock.monotonic(),
            rules_off=self._rules_off,
        )
        self.engine.tick()

    async def _drive(self) -> None:
        engine = self.engine
        assert engine is not None
        due = -math.inf  # The loaded state may need a tick.
        while True:
            engine.at(self._clock.monotonic())
            matters = self._take_inbox(engine)
            if matters or self._calls or engine.now >= due:
                await self._step(engine)
            self._send_outbox(engine)
            if engine.snapshot_is_due and self._take_snapshot is not None:
                await self._write_snapshot(engine, self._take_snapshot())
            if self._inbox or self._calls:
                self._alarm.ring()
            due = engine.next_deadline()  # Heartbeats at most postpone it.
            if self.watch is None:
                await self._alarm.wait(due)
            else:
                await self._rest(due, self.watch)

    async def _rest(self, due: float, watch: QuorumWatch) -> None:
        """Wait, but check the clock regularly, to detect that the process was suspended."""
        began = self._clock.monotonic()
        until = min(due, began + _LONGEST_REST_S)
        await self._alarm.wait(until)
        now = self._clock.monotonic()
        if now - until > _STOOD_STILL_S:
            watch.stood_still(now - began, now - until)

    async def _step(self, engine: Engine) -> None:
        """Run a step up to the point at which its messages may be sent."""
        self._make_calls(engine)
        engine.tick()
        self._tell_listener()
        if Rule.SYNC_BEFORE_SEND in self._rules_off:
            self._send_outbox(engine)
        while engine.store.dirty:
            await self._disk.offload(engine.store.sync)
            if engine.wants_tick:
                engine.at(self._clock.monotonic())
                engine.tick()
                self._tell_listener()
        self._want_links(engine)
        if engine.take_stale_links():
            self._links.renew(self._settings.fetch_timeout_s)

    def _take_inbox(self, engine: Engine) -> bool:
        """Deliver the inbox; return whether a tick is needed beyond the answers."""
        matters = False
        for _ in range(_MESSAGES_A_STEP):
            if not self._inbox:
                break
            link, item = self._inbox.take()
            if isinstance(item, dict):
                if self.watch is not None:
                    self.watch.message(link.replica.id, item, False)
                matters = engine.deliver(link.replica, item) or matters
                continue
            matters = True
            if not item:
                engine.link_down(link.replica)
                if self.watch is not None and not link.given_up:
                    self.watch.link_broken(link.replica.id)
                if self._link_broken is not None and not link.given_up:
                    self._link_broken(link.replica.id)
            elif not engine.link_up(link.replica):
                self._complain_of_namesake(link.replica)
                link.close()
        return matters

    def _complain_of_namesake(self, replica: ReplicaKey) -> None:
        if replica not in self._namesakes:
            self._namesakes.add(replica)
            log.warning(
                f"quorum: node {replica.id} in directory {uuid_text(replica.directory_id)} is not "
                "let in: another replica with that node id is linked"
            )

    def _make_calls(self, engine: Engine) -> None:
        for _ in range(min(len(self._calls), _CALLS_A_STEP)):
            call = self._calls.popleft()
            self._queued_bytes -= call.size
            try:
                call.work(call.finish)
            except (NotLeader, NotYet, ProposalVoid, KafkaError) as refusal:
                call.finish(0, refusal)
        if self._drained is not None and not self._calls:
            self._drained.set()
            self._drained = None

    def _send_outbox(self, engine: Engine) -> None:
        frames: dict[ReplicaKey, list[bytes]] = {}
        for replica, message in engine.take_outbox():
            if self.watch is not None:
                self.watch.message(replica.id, message, True)
            frames.setdefault(replica, []).append(encode(message))
        for replica, waiting in frames.items():
            link = self._links.get(replica)
            if link is not None and not link.closed.is_set():
                link.send(waiting)

    def _tell_listener(self) -> None:
        engine = self.engine
        assert engine is not None
        for line in engine.take_news():
            said = self._repeats.said(line, self._clock.monotonic())
            if said is not None:
                log.info(f"quorum: node {self._replica.id} {said}")
        if risen := self._unrest.noticed(engine.term, self._clock.monotonic()):
            log.warning(
                f"quorum: node {self._replica.id}: {risen}, and no leader lasts;"
                f" {engine.why_no_leader_lasts()}"
            )
        while engine.events:
            event = engine.events.popleft()
            if isinstance(event, Committed):
                self._listener.handle_commit(*event)
            elif isinstance(event, SnapshotLoaded):
                self._listener.handle_snapshot(*event)
            elif isinstance(event, LeaderChanged):
                self._listener.handle_leader_change(*event)

    async def _write_snapshot(self, engine: Engine, payload: bytes) -> None:
        snapshot = engine.snapshot_of(payload)
        await self._disk.offload(partial(engine.store.write_snapshot, snapshot))
        engine.at(self._clock.monotonic())
        engine.adopt_snapshot(snapshot)
        await self._disk.offload(engine.store.sync)
        log.info(
            f"quorum: node {self._replica.id} wrote a snapshot of {len(payload)} bytes "
            f"up to offset {snapshot.index} of epoch {snapshot.term}"
        )

    def _log_voters(self, before: VoterSet, after: VoterSet) -> None:
        """Log added and removed voters, on every node."""
        old, new = ({(v.id, v.directory_id): v for v in voters} for voters in (before, after))
        changes = [("was added to", new[key]) for key in new.keys() - old.keys()]
        changes += [("was removed from", old[key]) for key in old.keys() - new.keys()]
        for what, voter in sorted(changes, key=lambda change: (change[1].id, change[0])):
            log.info(
                f"quorum: controller {voter.id} {what} the voters",
                directory=uuid_text(voter.directory_id),
                voters=[each.id for each in after],
            )

    def _want_links(self, engine: Engine) -> None:
        """Keep links to all voters, and until a leader is known, to the bootstrap servers too."""
        basis = (engine.voters.current, engine.leader_id is None)
        if basis == self._linked_for:
            return
        if self._linked_for is not None:
            self._log_voters(self._linked_for[0], basis[0])
        self._linked_for = basis
        targets = [
            Target(voter.id, voter.endpoints[0].host, voter.endpoints[0].port)
            for voter in engine.voters.current
            if voter.endpoints and voter.id != self._replica.id
        ]
        if engine.leader_id is None:
            known = {(target.host, target.port) for target in targets}
            targets += [Target(None, *where) for where in self._bootstrap if where not in known]
        self._links.want(targets)
