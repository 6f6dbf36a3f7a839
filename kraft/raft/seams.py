"""pysyncobj 0.3.17 with public names: the only file that uses its private ones.

Module globals are replaced: the clock, the poller, the journal's factory, and pickle, which is made
unreachable. Private attributes get public properties. Private methods become hooks that engine.py
overrides; each hook's default is the library's own, under a `stock_` name.

A contract test checks every name below against the installed library.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any, Final, NoReturn

import pysyncobj.journal
import pysyncobj.pickle
import pysyncobj.syncobj as library
from pysyncobj.config import SyncObjConf
from pysyncobj.node import Node
from pysyncobj.syncobj import SyncObj
from pysyncobj.transport import Transport
from pysyncobj.version import VERSION

from raftka.kraft.raft.codec import Message
from raftka.kraft.raft.journal import Journal, VotedFor
from raftka.kraft.raft.port import ReplicaKey

SUPPORTED_VERSION: Final = "0.3.17"
if VERSION != SUPPORTED_VERSION:
    raise ImportError(
        f"pysyncobj {VERSION} is installed; the quorum rests on private parts of "
        f"{SUPPORTED_VERSION} and on no other version"
    )

FOLLOWER: Final[int] = library._RAFT_STATE.FOLLOWER
CANDIDATE: Final[int] = library._RAFT_STATE.CANDIDATE
LEADER: Final[int] = library._RAFT_STATE.LEADER

REGULAR: Final = b"\x00"
NO_OP: Final = b"\x01"
MEMBERSHIP: Final = b"\x02"
"""The first byte of an entry's command. The library's fourth kind, VERSION, is not used."""

_THEIRS: Final = {
    "previous_index": "prevLogIdx",
    "previous_term": "prevLogTerm",
    "next_index": "next_node_idx",
}
_OURS: Final = {theirs: ours for ours, theirs in _THEIRS.items()}
_THEIR_KINDS: Final = {"acknowledgement": "next_node_idx"}
"""The library's names of message types and fields that have other names everywhere else."""

GLOBALS: Final = ("monotonicTime", "createPoller", "createJournal", "pickle")
ATTRIBUTES: Final = (
    *("raftCurrentTerm", "votedForNodeId", "votesCount", "raftState", "raftLeader"),
    *("raftElectionDeadline", "raftCommitIndex", "raftLastApplied", "newAppendEntriesTime"),
    *("raftNextIndex", "raftMatchIndex", "lastResponseTime", "raftLog", "serializer"),
    *("otherNodes", "readonlyNodes", "connectedNodes"),
)
METHODS: Final = (
    *("onMessageReceived", "sendNextNodeIdx", "connectedToAnyone", "generateRaftTimeout"),
    *("doApplyCommand", "sendAppendEntries", "tryLogCompaction", "loadDumpFile"),
    *("deleteEntriesFrom", "onBecomeLeader", "setCurrentTerm", "setState", "onSetCodeVersion"),
)


class StepClock:
    """The time inside a step of an engine: it advances a little with each reading, because the
    library waits in loops for time to pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


class _NullPoller:
    """The library waits for sockets here; its sockets do not exist."""

    def poll(self, timeout: float) -> None:
        assert timeout == 0, "a step must not wait"


class PickleReached(RuntimeError):
    """A path into pickle was not closed. Data from a peer or a disk must never get here."""


def _no_pickle(*_: object, **__: object) -> NoReturn:
    raise PickleReached("the quorum does not pickle and does not unpickle")


step_clock: Final = StepClock()
library.monotonicTime = step_clock
library.createPoller = lambda kind: _NullPoller()
library.createJournal = lambda journal: journal
for _name in ("load", "loads", "dump", "dumps"):
    setattr(pysyncobj.pickle, _name, _no_pickle)
pysyncobj.journal.loads = pysyncobj.journal.dumps = _no_pickle


class Peer(Node):  # type: ignore[misc]
    """A replica as the library sees it: a voter by its id, any other by its whole key.

    The hash is the same in every process, and so is the order of the library's loops over sets.
    """

    def __init__(self, id: int | ReplicaKey) -> None:
        observer = isinstance(id, ReplicaKey)
        order = (True, *id) if isinstance(id, ReplicaKey) else (False, id, b"")
        super().__init__(id, is_observer=observer, order=order)
        # 30 bits: 32-bit platforms shorten longer hashes, which changes the order of sets.
        self._hash = zlib.crc32(repr(order).encode()) & 0x3FFFFFFF

    @staticmethod
    @lru_cache(maxsize=1024)
    def of(id: int | ReplicaKey) -> Peer:
        """Return the one object for each key: they are keys of frequently used tables."""
        return Peer(id)

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return str(self.id.id if isinstance(self.id, ReplicaKey) else self.id)


class _Outlet(Transport):  # type: ignore[misc]
    """Takes the place of the library's network: passes every message to the engine."""

    def __init__(self, engine: Seams) -> None:
        super().__init__(engine, None, ())
        self._engine = engine

    def send(self, node: Peer, message: Message) -> bool:
        self._engine.emit(node, {_OURS.get(name, name): message[name] for name in message})
        return True


class Seams(SyncObj):  # type: ignore[misc]
    """SyncObj without its own threads, sockets, pickle or clock."""

    _commit_index = 0

    def __init__(self, own: Peer | None, log: Journal, election_s: float, lease_s: float) -> None:
        conf = SyncObjConf(
            autoTick=False,
            journalFile=log,
            dynamicMembershipChange=False,
            raftMinTimeout=election_s,
            raftMaxTimeout=2 * election_s,
            appendEntriesPeriod=election_s / 4,
            leaderFallbackTimeout=lease_s,
            connectionTimeout=2 * election_s,
            appendEntriesUseBatch=True,
            appendEntriesBatchSizeBytes=1 << 40,
            useFork=False,
        )
        super().__init__(own, (), conf, transport=_Outlet(self))
        self._SyncObj__serializer = self

    def __dir__(self) -> list[str]:
        """The library searches all names for replicated methods. There are none."""
        return []

    # Hooks: the engine's decisions. The defaults are the library's own behaviour.

    def emit(self, node: Peer, message: Message) -> None:
        raise NotImplementedError

    def receive(self, node: Peer, message: Message) -> None:
        self.stock_receive(node, message)

    def acknowledge(
        self, node: Peer, *, reset: bool, next_index: int | None, success: bool
    ) -> None:
        raise NotImplementedError

    def may_start_election(self) -> bool:
        return self.stock_may_start_election()

    def election_timeout(self) -> float:
        """Seconds after which a node that hears nothing looks for a new leader."""
        raise NotImplementedError

    def apply(self, command: bytes) -> None:
        raise NotImplementedError

    def replicate(self) -> None:
        self.stock_replicate()

    def truncate_from(self, index: int) -> None:
        raise NotImplementedError

    def admit_commit(self, index: int) -> int:
        """The commit index to use when the library wants to set it to `index`."""
        return index

    def take_chunk(self, chunk: tuple[bytes, bool, bool]) -> bool:
        """Process a piece of a leader's snapshot; return True if it completes the snapshot."""
        raise NotImplementedError

    def next_chunk(self, node: Peer) -> tuple[bytes, bool, bool]:
        raise NotImplementedError

    def cancel_chunks(self, node: Peer) -> None:
        raise NotImplementedError

    def install_snapshot(self) -> None:
        raise NotImplementedError

    def role_changed(self, before: int) -> None:
        """The role has changed from `before`."""

    # The library's own behaviour, for the hooks to build on.

    def stock_receive(self, node: Peer, message: Message) -> None:
        theirs = {_THEIRS.get(name, name): message[name] for name in message}
        theirs["type"] = _THEIR_KINDS.get(message["type"], message["type"])
        super()._SyncObj__onMessageReceived(node, theirs)

    def stock_may_start_election(self) -> bool:
        return bool(super()._SyncObj__connectedToAnyone())

    def stock_replicate(self) -> None:
        super()._SyncObj__sendAppendEntries()

    def become_follower(self) -> None:
        self._SyncObj__setState(FOLLOWER)

    def set_term(self, term: int, voted_for: VotedFor = None) -> None:
        self._SyncObj__setCurrentTerm(term, voted_for)

    def heartbeat_is_due_at(self, moment: float | None = None) -> float:
        """When the library sends the next heartbeat without new entries; `moment` sets it."""
        if moment is not None:
            self._SyncObj__newAppendEntriesTime = moment
        due: float = self._SyncObj__newAppendEntriesTime
        return due

    # State.

    @property
    def term(self) -> int:
        term: int = self._SyncObj__raftCurrentTerm
        return term

    @property
    def voted_for(self) -> VotedFor:
        voted: VotedFor = self._SyncObj__votedForNodeId
        return voted

    @property
    def role(self) -> int:
        role: int = self._SyncObj__raftState
        return role

    @property
    def is_leader(self) -> bool:
        return bool(self._SyncObj__raftState == LEADER)

    @property
    def leader(self) -> Peer | None:
        leader: Peer | None = self._SyncObj__raftLeader
        return leader

    @leader.setter
    def leader(self, leader: Peer | None) -> None:
        self._SyncObj__raftLeader = leader

    @property
    def election_deadline(self) -> float:
        moment: float = self._SyncObj__raftElectionDeadline
        return moment

    @election_deadline.setter
    def election_deadline(self, moment: float) -> None:
        self._SyncObj__raftElectionDeadline = moment

    @property
    def log(self) -> Journal:
        log: Journal = self._SyncObj__raftLog
        return log

    @property
    def commit_index(self) -> int:
        return self._commit_index

    @commit_index.setter
    def commit_index(self, index: int) -> None:
        self._SyncObj__raftCommitIndex = index

    @property
    def last_applied(self) -> int:
        index: int = self._SyncObj__raftLastApplied
        return index

    @last_applied.setter
    def last_applied(self, index: int) -> None:
        self._SyncObj__raftLastApplied = index

    @property
    def next_index(self) -> dict[Peer, int]:
        """For each peer, the next entry to send. Only used by the leader, as the next two."""
        table: dict[Peer, int] = self._SyncObj__raftNextIndex
        return table

    @property
    def match_index(self) -> dict[Peer, int]:
        """For each peer, the entry up to which its log is known to match and be durable."""
        table: dict[Peer, int] = self._SyncObj__raftMatchIndex
        return table

    @property
    def last_response(self) -> dict[Peer, float]:
        """For each peer, the send time of the newest message that it has answered."""
        table: dict[Peer, float] = self._SyncObj__lastResponseTime
        return table

    @property
    def other_voters(self) -> set[Peer]:
        return self.__peers("otherNodes")

    def set_peers(self, voters: set[Peer], observers: set[Peer], connected: set[Peer]) -> None:
        self._SyncObj__otherNodes = voters
        self._SyncObj__readonlyNodes = observers
        self._SyncObj__connectedNodes = connected

    def __peers(self, name: str) -> set[Peer]:
        peers: set[Peer] = getattr(self, f"_SyncObj__{name}")
        return peers

    # The library's names, and their targets.

    @property
    def _SyncObj__raftCommitIndex(self) -> int:
        return self.commit_index

    @_SyncObj__raftCommitIndex.setter
    def _SyncObj__raftCommitIndex(self, index: int) -> None:
        self._commit_index = self.admit_commit(index)

    def _SyncObj__onMessageReceived(self, node: Peer, message: Message) -> None:
        self.receive(node, message)

    def _SyncObj__sendNextNodeIdx(
        self,
        node: Peer,
        reset: bool = False,
        nextNodeIdx: int | None = None,
        success: bool = False,
    ) -> None:
        self.acknowledge(node, reset=reset, next_index=nextNodeIdx, success=success)

    def _SyncObj__connectedToAnyone(self) -> bool:
        return self.may_start_election()

    def _SyncObj__generateRaftTimeout(self) -> float:
        return self.election_timeout()

    def _SyncObj__doApplyCommand(self, command: bytes) -> None:
        self.apply(command)

    def _SyncObj__sendAppendEntries(self) -> None:
        self.replicate()

    def _SyncObj__deleteEntriesFrom(self, fromIDx: int) -> None:
        self.truncate_from(fromIDx)

    def _SyncObj__loadDumpFile(self, clearJournal: bool) -> None:
        self.install_snapshot()

    def _SyncObj__setState(self, newState: int) -> None:
        before = self.role
        super()._SyncObj__setState(newState)
        if newState != before:
            self.role_changed(before)

    def _SyncObj__tryLogCompaction(self) -> None:
        """The driver takes snapshots, between steps."""

    def _checkCommandsToApply(self) -> None:
        """The library's command queue, which it checks in each tick, is not used: proposals are
        appended to the log at once."""

    def _SyncObj__onSetCodeVersion(self, newVersion: int) -> None:
        """There are no replicated methods: entries are bytes."""

    # The remaining part of the library's Serializer: pieces of snapshots.

    def setTransmissionData(self, data: Any) -> bool:
        return self.take_chunk(data)

    def getTransmissionData(self, transmissionID: Peer) -> tuple[bytes, bool, bool]:
        return self.next_chunk(transmissionID)

    def cancelTransmisstion(self, id: Peer) -> None:
        self.cancel_chunks(id)
