"""The quorum as the rest of the node uses it: the engine's driver, under trio.

One task does all steps of the engine, woken by what comes (messages, links, calls) and by the
engine's own next deadline:

    deliver inbox -> make calls -> tick -> store.sync() in a thread -> send outbox -> tell listener

so nothing leaves before it is durable, and all that gathered during one sync shares the next.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import structlog
import trio

from kraft.raft import rules
from kraft.raft.codec import FRAME_OVERHEAD, encode
from kraft.raft.engine import Committed, Engine, LeaderChanged, SnapshotLoaded
from kraft.raft.links import Hello, Inbox
from kraft.raft.membership import VoterSet
from kraft.raft.network import Links, Target
from kraft.raft.port import (
    NotLeader,
    ProposalVoid,
    QuorumDescription,
    QuorumListener,
    QuorumSettings,
    ReplicaKey,
    Voter,
    VoterEndpoint,
)
from kraft.raft.progress import BATCH_BYTES
from kraft.raft.reconfiguration import Done, NotYet
from kraft.raft.rules import Rule
from kraft.raft.store import Store
from model.errors import ErrorCode, KafkaError
from model.ids import Endpoint
from model.world import Clock, Connection, Dice, Disk, Network

log = structlog.get_logger()

_MESSAGES_A_STEP: Final = 512
_CALLS_A_STEP: Final = 4096
_QUEUED_BYTES_MAX: Final = 64 * 1024 * 1024
_VOTER_CHANGE_TIMEOUT_S: Final = 30.0


class _Call:
    """Somebody waits for the engine to do something and for its outcome."""

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


class Quorum:
    """One replica of the metadata quorum. Implements port.QuorumPort."""

    def __init__(
        self,
        *,
        cluster_id: str,
        node_id: int,
        directory_id: bytes,
        directory: str,
        listener: QuorumListener,
        clock: Clock,
        dice: Dice,
        disk: Disk,
        network: Network,
        can_vote: bool,
        voters: Mapping[int, Endpoint] | None = None,
        bootstrap_servers: Sequence[Endpoint] = (),
        take_snapshot: Callable[[], bytes] | None = None,
        settings: QuorumSettings | None = None,
        link_broken: Callable[[int], None] | None = None,
    ) -> None:
        """`directory` holds the log (<log dir>/__cluster_metadata-0).

        `can_vote`: a controller, which may be a voter; brokers only observe. `voters` are those of
        controller.quorum.voters; without them the voters are what the log says, and
        `bootstrap_servers` is where to find them. `link_broken` is told the id of each node whose
        connection breaks: it may have died.
        """
        self._replica = ReplicaKey(node_id, bytes(directory_id))
        self._directory, self._listener, self._can_vote = directory, listener, can_vote
        self._clock, self._dice, self._disk = clock, dice, disk
        self._settings = settings or QuorumSettings()
        self._take_snapshot = take_snapshot
        self._link_broken = link_broken
        self._static_voters: VoterSet | None = None
        if voters:
            named = [
                Voter(i, endpoints=(VoterEndpoint("", *where),)) for i, where in voters.items()
            ]
            self._static_voters = VoterSet(named)
        self._bootstrap = tuple(bootstrap_servers)
        self._rules_off = rules.off()
        self._engine: Engine | None = None
        self._woken = trio.Event()
        self._started = trio.Event()
        self._timer_scope = trio.CancelScope()
        self._deadline = math.inf
        self._calls: deque[_Call] = deque()
        self._open_calls: dict[_Call, None] = {}
        self._queued_bytes = 0
        self._drained = trio.Event()
        self._inbox = Inbox(self._wake)
        self._links = Links(
            Hello(cluster_id, self._replica),
            clock=clock,
            dice=dice,
            network=network,
            inbox=self._inbox,
            frame_bytes_max=self._settings.max_entry_bytes + BATCH_BYTES + FRAME_OVERHEAD,
        )

    # What is known without waiting.

    @property
    def leader(self) -> tuple[int | None, int]:
        """(leader id or None, epoch) as this node knows them."""
        if self._engine is None:
            return None, 0
        return self._engine.leader_id, self._engine.term

    @property
    def last_committed(self) -> int:
        return self._engine.commit_index if self._engine is not None else 0

    @property
    def log_end_offset(self) -> int:
        """The offset on which the next proposal would land, if this node leads."""
        return self._engine.log.last_index + 1 if self._engine is not None else 1

    def describe(self) -> QuorumDescription:
        if self._engine is None:
            return QuorumDescription(None, 0, 1, (), ())
        return self._engine.describe(self._clock.monotonic(), self._clock.wall_ms())

    # What waits for the quorum.

    async def propose(self, payload: bytes, epoch: int, expected_offset: int | None = None) -> int:
        """Commit `payload`; its offset, once the listener has been told of it.

        Raises NotLeader unless this node leads, and goes on leading, in `epoch`; ProposalVoid when
        it would not land on `expected_offset`; KafkaError MESSAGE_TOO_LARGE.
        """
        if len(payload) > self._settings.max_entry_bytes:
            raise KafkaError(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"a metadata batch of {len(payload)} bytes is larger than the "
                f"{self._settings.max_entry_bytes} that one may have",
            )
        while self._queued_bytes > _QUEUED_BYTES_MAX:
            await self._drained.wait()
        engine = self._leading()
        return await self._call(
            partial(engine.propose, payload, epoch, expected_offset), len(payload)
        )

    async def read_barrier(self) -> int:
        """Wait until this node has applied all that was committed before now, still leading.

        Raises NotLeader.
        """
        return await self._call(self._leading().read_barrier)

    async def add_voter(
        self, voter_id: int, directory_id: bytes, endpoints: Sequence[VoterEndpoint]
    ) -> None:
        """Give an observer that has caught up a vote (KIP-853). Returns once it is committed.

        Raises NotLeader; KafkaError DUPLICATE_VOTER, UNSUPPORTED_VERSION when the voters are
        static, REQUEST_TIMED_OUT when it cannot be done soon, saying why.
        """
        voter = Voter(voter_id, bytes(directory_id), tuple(endpoints))
        await self._change_voters(lambda engine, done: engine.add_voter(voter, done))

    async def remove_voter(self, voter_id: int, directory_id: bytes) -> None:
        """Take a vote away; the node goes on as an observer.

        Raises as `add_voter`, with VOTER_NOT_FOUND, and INVALID_REQUEST for the last voter.
        """
        key = ReplicaKey(voter_id, bytes(directory_id))
        await self._change_voters(lambda engine, done: engine.remove_voter(key, done))

    async def resign(self) -> None:
        """Hand leadership over, if it is here: for a controlled shutdown."""

        def work(done: Done) -> None:
            assert self._engine is not None
            self._engine.resign()
            done(0, None)

        if self._engine is not None:
            await self._call(work)

    async def _change_voters(self, change: Callable[[Engine, Done], None]) -> None:
        deadline = self._clock.monotonic() + _VOTER_CHANGE_TIMEOUT_S
        while True:
            engine = self._leading()
            try:
                await self._call(partial(change, engine))
                return
            except NotYet as reason:
                if self._clock.monotonic() >= deadline:
                    raise KafkaError(ErrorCode.REQUEST_TIMED_OUT, str(reason)) from reason
            await self._clock.sleep(self._settings.heartbeat_s / 4)

    def _leading(self) -> Engine:
        if self._engine is None or not self._engine.is_leader:
            raise NotLeader(*self.leader)
        return self._engine

    async def _call(self, work: Callable[[Done], Any], size: int = 0) -> int:
        call = _Call(work, size)
        self._open_calls[call] = None
        self._queued_bytes += size
        self._calls.append(call)
        self._wake()
        try:
            return await call.outcome()
        finally:
            self._open_calls.pop(call, None)

    # Running.

    async def accept(self, connection: Connection, first_bytes: bytes) -> None:
        """Serve a connection whose first bytes, from the preamble on, have been read already."""
        await self._started.wait()
        await self._links.accept(connection, first_bytes)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take part until cancelled. Started once the listener has all that is known here.

        Raises CorruptJournal for a log that cannot be trusted, OSError when it cannot be written,
        and whatever the listener raises: the node must not go on after any of them.
        """
        failure: Exception | None = None
        try:
            await self._load()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._links.run)
                nursery.start_soon(self._keep_time)
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
                call.finish(0, NotLeader(None, self.leader[1]))
            if self._engine is not None:
                self._engine.store.close()

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
        self._engine = Engine(
            self._replica,
            store,
            can_vote=self._can_vote,
            static_voters=self._static_voters,
            settings=settings,
            dice=self._dice,
            now=self._clock.monotonic(),
            rules_off=self._rules_off,
        )
        self._engine.tick()
        self._wake()

    async def _drive(self) -> None:
        engine = self._engine
        assert engine is not None
        while True:
            await self._woken.wait()
            self._woken = trio.Event()
            engine.at(self._clock.monotonic())
            self._take_inbox(engine)
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
            self._send_outbox(engine)
            if engine.snapshot_is_due and self._take_snapshot is not None:
                await self._write_snapshot(engine, self._take_snapshot())
            self._links.want(self._targets(engine))
            self._set_timer(engine.next_deadline())
            if self._inbox or self._calls:
                self._wake()

    def _take_inbox(self, engine: Engine) -> None:
        for _ in range(_MESSAGES_A_STEP):
            if not self._inbox:
                break
            link, item = self._inbox.take()
            if item is False:
                engine.link_down(link.replica)
                if self._link_broken is not None:
                    self._link_broken(link.replica.id)
            elif link.closed.is_set():
                continue
            elif item is True:
                if not engine.link_up(link.replica):
                    log.warning(f"quorum: another replica goes by the name of {link.replica.id}")
                    link.close()
            elif isinstance(item, dict):
                engine.deliver(link.replica, item)

    def _make_calls(self, engine: Engine) -> None:
        for _ in range(min(len(self._calls), _CALLS_A_STEP)):
            call = self._calls.popleft()
            self._queued_bytes -= call.size
            try:
                call.work(call.finish)
            except (NotLeader, NotYet, ProposalVoid, KafkaError) as refusal:
                call.finish(0, refusal)
        if not self._calls:
            self._drained.set()
            self._drained = trio.Event()

    def _send_outbox(self, engine: Engine) -> None:
        frames: dict[ReplicaKey, list[bytes]] = {}
        for replica, message in engine.take_outbox():
            frames.setdefault(replica, []).append(encode(message))
        for replica, waiting in frames.items():
            link = self._links.get(replica)
            if link is not None and not link.closed.is_set():
                link.send(waiting)

    def _tell_listener(self) -> None:
        engine = self._engine
        assert engine is not None
        for line in engine.take_news():
            log.info(f"quorum: node {self._replica.id} {line}")
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

    def _targets(self, engine: Engine) -> list[Target]:
        """Voters, and while none of them is known to lead, the bootstrap servers too."""
        targets = [
            Target(voter.id, voter.endpoints[0].host, voter.endpoints[0].port)
            for voter in engine.voters.current
            if voter.endpoints and voter.id != self._replica.id
        ]
        if engine.leader_id is None or not targets:
            known = {(target.host, target.port) for target in targets}
            targets += [Target(None, *where) for where in self._bootstrap if where not in known]
        return targets

    # Waking up.

    def _wake(self) -> None:
        self._woken.set()

    def _set_timer(self, deadline: float) -> None:
        """The timer finds out by itself when the deadline moved away, as it mostly does."""
        sooner = deadline < self._deadline
        self._deadline = deadline
        if sooner:
            self._timer_scope.cancel()

    async def _keep_time(self) -> None:
        while True:
            with trio.CancelScope() as self._timer_scope:
                left = self._deadline - self._clock.monotonic()
                if left > 0:
                    await self._clock.sleep(min(left, 3600.0))
                else:
                    self._deadline = math.inf
                    self._wake()
                    await trio.sleep_forever()
