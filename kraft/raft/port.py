"""The port of the metadata quorum: what the rest of raftka sees of it, and nothing of how it works.

Offsets: one entry of the Raft log is one batch is one offset. Offset 0 is the empty start of every
log; the first entry has offset 1. Entries that the quorum writes for itself (the first entry of a
leader, changes of the voter set) take offsets too, but only what was proposed reaches the listener.

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
    """One log of the quorum: a node and the directory it keeps the log in (KIP-853).

    A node that comes back with an empty disk has another directory id and so is another replica:
    it must not vote with the name of the one that is lost.
    """

    id: int
    directory_id: bytes


class VoterEndpoint(NamedTuple):
    """Where a voter listens: the name of its controller listener, host and port."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Voter:
    """A member of the quorum that votes and whose acknowledgement counts.

    `directory_id` is ZERO_UUID for a voter that only controller.quorum.voters names.
    """

    id: int
    directory_id: bytes = ZERO_UUID
    endpoints: tuple[VoterEndpoint, ...] = ()


class NotLeader(Exception):
    """This node does not lead the quorum, or lost it while a proposal was in flight.

    In the second case the proposal may still be committed by a later leader.
    `leader_id` is the leader that this node knows of, None when it knows none.
    """

    def __init__(self, leader_id: int | None, epoch: int) -> None:
        super().__init__(leader_id, epoch)
        self.leader_id = leader_id
        self.epoch = epoch

    def __str__(self) -> str:
        known = "no leader is known" if self.leader_id is None else f"node {self.leader_id} leads"
        return f"this node does not lead the quorum; {known} in epoch {self.epoch}"


class ProposalVoid(Exception):
    """The proposal would not land on the offset that it expects; it was not, and will not be,
    written. The caller must decide again on a newer image."""


class QuorumListener(Protocol):
    """The state machine on top of the log. All calls are synchronous and must not raise: an
    exception ends the node, since its state can no longer be trusted to equal the others'."""

    def handle_commit(self, offset: int, epoch: int, payload: bytes) -> None:
        """A committed proposal; ascending offsets, each exactly once in a node's life."""
        ...

    def handle_snapshot(self, offset: int, epoch: int, payload: bytes) -> None:
        """Forget everything and start from this state, which contains all up to `offset`."""
        ...

    def handle_leader_change(self, leader_id: int | None, epoch: int) -> None:
        """The leader that this node knows of.

        With this node's own id it means "become active": every entry committed under earlier
        leaders has been handled. Any later call means "resign".
        """
        ...


HEARTBEATS_PER_S: Final = 100


@dataclass(frozen=True, slots=True)
class QuorumSettings:
    """Limits and intervals. Seconds and bytes; Kafka's setting in brackets."""

    election_timeout_s: float = 1.0
    """[controller.quorum.election.timeout.ms] Also the leader's lease."""
    heartbeat_at_most_s: float = math.inf
    """[raftka.quorum.heartbeat.ms] A leader shows itself so often, if that is not rarely enough
    for its lease already: a silence is dated by it."""
    fetch_timeout_s: float = 2.0
    """[controller.quorum.fetch.timeout.ms] An observer gives a silent leader up after this."""
    snapshot_after_bytes: int = 20 * 1024 * 1024
    """[metadata.log.max.record.bytes.between.snapshots]"""
    snapshot_after_s: float = 3600.0
    """[metadata.log.max.snapshot.interval.ms] Only when there is something new."""
    retained_bytes: int = 2 * 1024 * 1024
    """[metadata.max.retention.bytes] Log kept in front of a snapshot, so that a follower a little
    behind needs no snapshot."""
    segment_bytes: int = 16 * 1024 * 1024
    """[metadata.log.segment.bytes] Size at which the journal rolls to a new file."""
    max_entry_bytes: int = 8 * 1024 * 1024
    """The largest payload of one proposal."""
    max_snapshot_bytes: int = 1024 * 1024 * 1024
    """The largest snapshot that is accepted from a leader."""

    @property
    def heartbeat_s(self) -> float:
        """How often a leader shows itself: four times within its lease."""
        return self.election_timeout_s / 4

    def heartbeat_of(self, replicas: int) -> float:
        """The same for a leader that shows itself to so many: it sends a hundred a second at most,
        unless its lease needs more."""
        return min(self.heartbeat_s, max(self.heartbeat_at_most_s, replicas / HEARTBEATS_PER_S))


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """What the leader knows of one replica; times are wall clock milliseconds, -1 for never."""

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
    """Looks at what passes between this replica and others: the flight recorder."""

    def message(self, replica_id: int, message: dict[str, Any], sent: bool) -> None:
        """One was handed to a link, or came."""
        ...

    def link_broken(self, replica_id: int) -> None:
        """The link to that replica is down, and not by this side's wish."""
        ...

    def stood_still(self, rested_s: float, late_s: float) -> None:
        """This process ran again so long after it began to rest, and after it wanted to run."""
        ...


class QuorumPort(Protocol):
    """What quorum.Quorum offers, so that a test can put a fake in its place."""

    @property
    def leader(self) -> tuple[int | None, int]:
        """(leader id or None, epoch) as this node knows them."""
        ...

    @property
    def why_elected(self) -> str:
        """Why this node stood for election when it last did; in words."""
        ...

    @property
    def last_committed(self) -> int: ...

    @property
    def log_end_offset(self) -> int:
        """The offset on which the next proposal would land, if this node leads."""
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
