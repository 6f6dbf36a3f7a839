"""The quorum's interface for the rest of the node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import trio

from raftka.kraft.raft.description import describe
from raftka.kraft.raft.driver import Driver
from raftka.kraft.raft.engine import Engine
from raftka.kraft.raft.inspect import LoggedEntry, logged_entry
from raftka.kraft.raft.latency import CommitLatency
from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import (
    NotLeader,
    QuorumDescription,
    QuorumListener,
    QuorumSettings,
    QuorumWatch,
    ReplicaKey,
    Voter,
    VoterEndpoint,
)
from raftka.kraft.raft.reconfiguration import Done, NotYet
from raftka.kraft.raft.seams import CANDIDATE
from raftka.kraft.raft.snapshots import payload_at
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_BROKER, Endpoint
from raftka.model.ports import Clock, Connection, Dice, Disk, File, Network
from raftka.model.rules import ALL_HOLD, RulesOff

_VOTER_CHANGE_TIMEOUT_S: Final = 30.0


class SnapshotFile(NamedTuple):
    """A snapshot on disk; `payload_at` is the position of its records."""

    offset: int
    epoch: int
    file: File
    payload_at: int


class CommittedEntries(NamedTuple):
    """A range of committed entries, and its last offset."""

    entries: list[LoggedEntry]
    last: int


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
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        """`directory` holds the log (<log dir>/__cluster_metadata-0).

        `can_vote`: a controller, which may be a voter; brokers are observers. `voters` are those of
        controller.quorum.voters; without them the log defines the voters, and `bootstrap_servers`
        helps to find them. `link_broken` is called with the id of each node whose connection
        breaks: it may have failed.
        """
        static_voters = None
        if voters:
            static_voters = VoterSet(
                Voter(i, endpoints=(VoterEndpoint("", *where),)) for i, where in voters.items()
            )
        self._clock = clock
        self.commit_latency = CommitLatency()
        """Of proposals that this node made as leader."""
        self._settings = settings or QuorumSettings()
        self._driver = Driver(
            cluster_id,
            ReplicaKey(node_id, bytes(directory_id)),
            directory,
            listener=listener,
            clock=clock,
            dice=dice,
            disk=disk,
            network=network,
            can_vote=can_vote,
            static_voters=static_voters,
            bootstrap_servers=bootstrap_servers,
            take_snapshot=take_snapshot,
            settings=self._settings,
            link_broken=link_broken,
            rules_off=rules_off,
        )

    def watch(self, watch: QuorumWatch) -> None:
        """Let it observe all messages, and broken links, from now on."""
        self._driver.watch = watch

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take part in the quorum until cancelled. It has started once the listener has everything
        stored here.

        Raises CorruptJournal for a log that cannot be trusted, OSError when it cannot be written,
        and whatever the listener raises: the node must not go on after any of them.
        """
        await self._driver.run(task_status)

    async def accept(self, connection: Connection, first_bytes: bytes) -> None:
        """Serve a connection whose preamble and following bytes were read already."""
        await self._driver.accept(connection, first_bytes)

    # State that is known without waiting.

    @property
    def leader(self) -> tuple[int | None, int]:
        """(leader id or None, epoch) as this node knows them.

        A leader with an expired lease does not count, even while a slow disk delays its
        resignation.
        """
        engine = self._driver.engine
        if engine is None:
            return None, 0
        if engine.is_leader and self._clock.monotonic() > engine.lease_end:
            return None, engine.term
        return engine.leader_id, engine.term

    @property
    def why_elected(self) -> str:
        """Why this node last stood for election, in words."""
        engine = self._driver.engine
        return "" if engine is None else engine.stood_because

    @property
    def state(self) -> str:
        """This node's state in the quorum, by Kafka's name for it (KIP-595)."""
        engine = self._driver.engine
        if engine is None:
            return "unattached"
        if engine.is_leader:
            return "leader"
        if not engine.is_voter:
            return "observer"
        if engine.role == CANDIDATE:
            return "candidate"
        return "follower" if engine.leader_id is not None else "unattached"

    @property
    def vote(self) -> int:
        """The node that this one voted for in its current epoch, or -1."""
        engine = self._driver.engine
        voted = None if engine is None else engine.voted_for
        return voted if isinstance(voted, int) else NO_BROKER

    @property
    def last_committed(self) -> int:
        return self._driver.engine.commit_index if self._driver.engine is not None else 0

    @property
    def log_end_offset(self) -> int:
        """The offset that the next proposal would get if this node leads."""
        return self._driver.engine.log.last_index + 1 if self._driver.engine is not None else 1

    def addresses(self) -> dict[int, Endpoint]:
        """The voters' endpoints, as far as the current voter set has them."""
        engine = self._driver.engine
        voters = engine.voters.current if engine is not None else ()
        return {
            voter.id: Endpoint(voter.endpoints[0].host, voter.endpoints[0].port)
            for voter in voters
            if voter.endpoints
        }

    def describe(self) -> QuorumDescription:
        if self._driver.engine is None:
            return QuorumDescription(None, 0, 1, (), ())
        return describe(self._driver.engine, self._clock.monotonic(), self._clock.wall_ms())

    @property
    def has_whole_log(self) -> bool:
        """Whether all entries since the first are kept, even those that a snapshot contains."""
        engine = self._driver.engine
        return engine is None or engine.log.base_index == 0

    def open_snapshot(self) -> SnapshotFile | None:
        """The newest durable snapshot, which the caller must close; None if there is none.

        Raises CorruptSnapshot.
        """
        engine = self._driver.engine
        if engine is None or engine.store.snapshot is None:
            return None
        if (file := engine.store.open_snapshot()) is None:
            return None
        snapshot = engine.store.snapshot
        try:
            return SnapshotFile(snapshot.index, snapshot.term, file, payload_at(file))
        except BaseException:
            file.close()
            raise

    def committed_after(self, offset: int, max_bytes: int) -> CommittedEntries | None:
        """Committed entries after an offset: at least one, and more within the limit of bytes; None
        if the log starts later."""
        engine = self._driver.engine
        if engine is None:
            return CommittedEntries([], offset)
        if offset < engine.log.base_index:
            return None
        found = []
        committed = engine.commit_index
        while offset < committed and max_bytes > 0:
            ((command, index, term),) = engine.log.entries(offset + 1, offset + 2)
            found.append(logged_entry(command, index, term, committed))
            max_bytes -= len(command)
            offset = index
        return CommittedEntries(found, offset)

    def want_snapshot(self) -> None:
        """Replace the log with a snapshot, as soon as the current step is over. Does nothing if no
        snapshots are taken, or before `run`."""
        if self._driver.engine is not None:
            self._driver.engine.want_snapshot()

    # Operations that wait for the quorum.

    async def propose(self, payload: bytes, epoch: int, expected_offset: int | None = None) -> int:
        """Commit `payload`; return its offset, once the listener has handled it.

        Raises NotLeader unless this node leads, and keeps leading, in `epoch`; ProposalVoid if it
        would not get `expected_offset`; KafkaError MESSAGE_TOO_LARGE.
        """
        if len(payload) > self._settings.max_entry_bytes:
            raise KafkaError(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"a metadata batch of {len(payload)} bytes is larger than the "
                f"{self._settings.max_entry_bytes} that one may have",
            )
        await self._driver.room()
        engine, began_s = self._leading(), self._clock.monotonic()
        offset = await self._driver.call(
            partial(engine.propose, payload, epoch, expected_offset), len(payload)
        )
        self.commit_latency.record(began_s, self._clock.monotonic())
        return offset

    async def read_barrier(self) -> int:
        """Wait until this node has applied everything committed before now, and still leads.

        Raises NotLeader.
        """
        return await self._driver.call(self._leading().read_barrier)

    async def add_voter(
        self, voter_id: int, directory_id: bytes, endpoints: Sequence[VoterEndpoint]
    ) -> None:
        """Make a caught-up observer a voter (KIP-853). Returns once that is committed.

        Raises NotLeader; KafkaError DUPLICATE_VOTER, UNSUPPORTED_VERSION if the voters are static,
        REQUEST_TIMED_OUT with the reason if it cannot be done soon.
        """
        voter = Voter(voter_id, bytes(directory_id), tuple(endpoints))
        await self._change_voters(lambda engine, done: engine.add_voter(voter, done))

    async def remove_voter(self, voter_id: int, directory_id: bytes) -> None:
        """Make a voter an observer.

        Raises as `add_voter` does, with VOTER_NOT_FOUND, and INVALID_REQUEST for the last voter.
        """
        key = ReplicaKey(voter_id, bytes(directory_id))
        await self._change_voters(lambda engine, done: engine.remove_voter(key, done))

    async def resign(self) -> None:
        """Hand over leadership, if this node has it, for a controlled shutdown."""

        def work(done: Done) -> None:
            assert self._driver.engine is not None
            self._driver.engine.resign()
            done(0, None)

        if self._driver.engine is not None:
            await self._driver.call(work)

    async def _change_voters(self, change: Callable[[Engine, Done], None]) -> None:
        deadline = self._clock.monotonic() + _VOTER_CHANGE_TIMEOUT_S
        while True:
            engine = self._leading()
            try:
                await self._driver.call(partial(change, engine))
                return
            except NotYet as reason:
                if self._clock.monotonic() >= deadline:
                    raise KafkaError(ErrorCode.REQUEST_TIMED_OUT, str(reason)) from reason
            await self._clock.sleep(self._settings.heartbeat_s / 4)

    def _leading(self) -> Engine:
        if self._driver.engine is None or not self._driver.engine.is_leader:
            raise NotLeader(*self.leader)
        return self._driver.engine
