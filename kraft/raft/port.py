"""The port of the metadata quorum: its interface for the rest of raftka.

Offsets: each entry of the Raft log is one batch and has one offset. Offset 0 is the empty start of
every log; the first entry has offset 1. Entries of the quorum itself (the first entry of a leader,
changes of the voter set) have offsets too, but only proposals reach the listener.

An epoch is Raft's term. Sources: the Raft dissertation, KIP-595, KIP-630, KIP-853.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from raftka.model.dataclass import dataclass
from raftka.model.ids import ZERO_UUID, Endpoint
from raftka.model.named_tuple import NamedTuple


class ReplicaKey(NamedTuple):
    """One log of the quorum: a node and the directory of its log (KIP-853).

    A node that returns with an empty disk has another directory id, so it is another replica, and
    must not vote in place of the lost one.
    """

    id: int
    directory_id: bytes


class VoterEndpoint(NamedTuple):
    """The endpoint of a voter: the name of its controller listener, host and port."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Voter:
    """A voter of the quorum.

    `directory_id` is ZERO_UUID for a voter that is only in controller.quorum.voters.
    """

    id: int
    directory_id: bytes = ZERO_UUID
    endpoints: tuple[VoterEndpoint, ...] = ()


class NotLeader(Exception):
    """This node does not lead the quorum, or lost leadership while a proposal was in flight.

    In the second case a later leader may still commit the proposal. `leader_id` is the leader that
    this node knows, or None.
    """

    def __init__(self, leader_id: int | None, epoch: int) -> None:
        super().__init__(leader_id, epoch)
        self.leader_id = leader_id
        self.epoch = epoch

    def __str__(self) -> str:
        known = "no leader is known" if self.leader_id is None else f"node {self.leader_id} leads"
        return f"this node does not lead the quorum; {known} in epoch {self.epoch}"


class ProposalVoid(Exception):
    """The proposal would not get its expected offset; it was not, and will not be, written. The
    caller must decide again on a newer image."""


class QuorumListener(Protocol):
    """The state machine on top of the log. All calls are synchronous and must not raise: an
    exception stops the node, since its state may differ from the others' from then on."""

    def handle_commit(self, offset: int, epoch: int, payload: bytes) -> None:
        """A committed proposal; offsets ascend, each exactly once in a node's lifetime."""
        ...

    def handle_snapshot(self, offset: int, epoch: int, payload: bytes) -> None:
        """Replace the whole state with this one, which contains everything up to `offset`."""
        ...

    def handle_leader_change(self, leader_id: int | None, epoch: int) -> None:
        """The leader that this node knows.

        With this node's own id it means "become active": every entry committed under earlier
        leaders has been handled. Any later call means "resign".
        """
        ...


HEARTBEATS_PER_S: Final = 100


@dataclass(frozen=True, slots=True)
class QuorumSettings:
    """Limits and intervals. Seconds and bytes; Kafka's setting in brackets."""

    election_timeout_s: float = 1.0
    """[controller.quorum.election.timeout.ms] Also the duration of the leader's lease."""
    heartbeat_at_most_s: float = math.inf
    """[raftka.quorum.heartbeat.ms] The longest heartbeat interval, if the lease does not require a
    shorter one: it determines how precisely a silence can be dated."""
    fetch_timeout_s: float = 2.0
    """[controller.quorum.fetch.timeout.ms] How long an observer waits for a silent leader."""
    snapshot_after_bytes: int = 20 * 1024 * 1024
    """[metadata.log.max.record.bytes.between.snapshots]"""
    snapshot_after_s: float = 3600.0
    """[metadata.log.max.snapshot.interval.ms] Only if there are new entries."""
    retained_bytes: int = 2 * 1024 * 1024
    """[metadata.max.retention.bytes] Log kept before a snapshot, so that a slightly lagging
    follower needs no snapshot."""
    segment_bytes: int = 16 * 1024 * 1024
    """[metadata.log.segment.bytes] The size at which the journal rolls to a new file."""
    max_entry_bytes: int = 8 * 1024 * 1024
    """The largest payload of one proposal."""
    max_snapshot_bytes: int = 1024 * 1024 * 1024
    """The largest snapshot that is accepted from a leader."""

    @property
    def heartbeat_s(self) -> float:
        """The heartbeat interval: a quarter of the lease."""
        return self.election_timeout_s / 4

    def heartbeat_of(self, replicas: int) -> float:
        """The heartbeat interval of a leader with so many replicas: at most a hundred heartbeats
        per second in all, unless its lease needs more."""
        return min(self.heartbeat_s, max(self.heartbeat_at_most_s, replicas / HEARTBEATS_PER_S))


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """The leader's state of one replica; times are wall clock milliseconds, -1 for never."""

    id: int
    directory_id: bytes
    log_end_offset: int
    last_fetch_ms: int
    last_caught_up_ms: int
    endpoints: tuple[VoterEndpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class QuorumDescription:
    """The answer to DescribeQuorum. Only the leader knows the others' end offsets (-1 elsewhere).

    `high_watermark` is the offset after the last committed entry.
    """

    leader_id: int | None
    epoch: int
    high_watermark: int
    voters: tuple[ReplicaState, ...]
    observers: tuple[ReplicaState, ...]


class QuorumWatch(Protocol):
    """Observes the messages between this replica and others, for the flight recorder."""

    def message(self, replica_id: int, message: dict[str, Any], sent: bool) -> None:
        """A message was sent on a link, or arrived."""
        ...

    def link_broken(self, replica_id: int) -> None:
        """The link to that replica broke, and this side did not close it."""
        ...

    def stood_still(self, rested_s: float, late_s: float) -> None:
        """This process resumed so long after it went to sleep, and after it wanted to wake up."""
        ...


class QuorumPort(Protocol):
    """The interface of quorum.Quorum, which tests can replace with a fake."""

    @property
    def leader(self) -> tuple[int | None, int]:
        """(leader id or None, epoch) as this node knows them."""
        ...

    @property
    def why_elected(self) -> str:
        """Why this node last stood for election, in words."""
        ...

    @property
    def last_committed(self) -> int: ...

    @property
    def log_end_offset(self) -> int:
        """The offset that the next proposal would get if this node leads."""
        ...

    async def propose(
        self, payload: bytes, epoch: int, expected_offset: int | None = None
    ) -> int: ...
    async def read_barrier(self) -> int: ...
    async def add_voter(
        self, voter_id: int, directory_id: bytes, endpoints: Sequence[VoterEndpoint]
    ) -> None: ...
    async def remove_voter(self, voter_id: int, directory_id: bytes) -> None: ...
    def addresses(self) -> Mapping[int, Endpoint]: ...
    def describe(self) -> QuorumDescription: ...
