"""Raft's invariants, checked on replicas from outside after every step.

The message of a violation names the replica, entry and term.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgpack

from raftka.kraft.raft.codec import Message
from raftka.kraft.raft.engine import Committed, Engine, Event, LeaderChanged, SnapshotLoaded
from raftka.kraft.raft.port import ReplicaKey
from raftka.kraft.raft.store import Store

if TYPE_CHECKING:
    from tests.kraft.raft.fuzz_cluster import Replica


LEASE_MAX_S = 1.6
"""The lease, plus the errors of clocks and delays of syncs."""


class Violation(AssertionError):
    """A violated guarantee of Raft."""


@dataclass
class StateMachine:
    """A replica's state machine: a digest of every entry and its offset."""

    offset: int = 0
    digest: int = 0

    def apply(self, offset: int, epoch: int, payload: bytes) -> None:
        self.digest = zlib.crc32(b"%d %d " % (offset, epoch) + payload, self.digest)
        self.offset = offset

    def encode(self) -> bytes:
        return bytes(msgpack.packb([self.offset, self.digest])) + bytes(400)

    @classmethod
    def decode(cls, payload: bytes) -> StateMachine:
        return cls(*msgpack.unpackb(payload[:-400]))


@dataclass
class Promise:
    """The promises that a replica has sent, which must survive any crash."""

    term: int = 0
    votes: dict[int, Any] = field(default_factory=dict)
    acknowledged: tuple[int, int] = (0, 0)
    """(term, index) of the last successful acknowledgement."""


class Checker:
    """Keeps everything that was ever committed or promised, and all leaders."""

    def __init__(self) -> None:
        self.leaders: dict[int, ReplicaKey] = {}
        self.newest_leader: tuple[int, float] = (0, 0.0)
        """(term, since when)."""
        self.committed: dict[int, tuple[int, int]] = {}
        """Index to (term, checksum of the command)."""
        self.committed_in: dict[int, int] = {}
        """Index to the term of the leader that committed it."""
        self.digests: dict[int, int] = {0: 0}
        self.commits = 0

    # Messages that a replica sends.

    def sent(self, replica: Replica, receiver: ReplicaKey, message: Message) -> None:
        promise, kind = replica.promise, message["type"]
        if kind in ("pre_vote", "pre_vote_response"):
            return
        promise.term = max(promise.term, message["term"])
        if kind == "request_vote":
            self._vote(replica, message["term"], replica.key.id)
        elif kind == "response_vote":
            self._vote(replica, message["term"], receiver.id)
        elif kind == "acknowledgement" and message["success"]:
            promise.acknowledged = (message["term"], message["next_index"] - 1)

    def _vote(self, replica: Replica, term: int, candidate: Any) -> None:
        before = replica.promise.votes.setdefault(term, candidate)
        if before != candidate:
            raise Violation(
                f"{replica} votes for {candidate} in term {term}, after it voted for {before}"
            )

    # The state of a replica after a step.

    def stepped(self, replica: Replica, replicas: list[Replica], now: float) -> None:
        engine = replica.engine
        assert engine is not None
        if engine.term < replica.term_seen:
            raise Violation(f"{replica} went from term {replica.term_seen} to {engine.term}")
        replica.term_seen = engine.term
        if engine.commit_index < replica.commit_seen:
            raise Violation(
                f"{replica} went back from commit {replica.commit_seen} to {engine.commit_index}"
            )
        if engine.is_leader:
            self._leads(replica, engine, replicas, now)
        for index in range(replica.commit_seen + 1, engine.commit_index + 1):
            self._commits(replica, engine, index, replicas)
        if engine.is_leader and engine.commit_index > replica.commit_seen:
            term = engine.log.term_at(engine.commit_index)
            if term != engine.term:
                raise Violation(
                    f"{replica} commits entry {engine.commit_index} of term {term} "
                    f"by count in term {engine.term}"
                )
        replica.commit_seen = engine.commit_index

    def _leads(self, replica: Replica, engine: Engine, replicas: list[Replica], now: float) -> None:
        newest, since = self.newest_leader
        if engine.term < newest and now > since + LEASE_MAX_S:
            raise Violation(
                f"{replica} believes that it leads in term {engine.term}, "
                f"{now - since:.1f} s after another was elected in term {newest}"
            )
        before = self.leaders.get(engine.term)
        if before == replica.key:
            return
        if before is not None:
            raise Violation(f"{replica} and node {before.id} both lead in term {engine.term}")
        self.leaders[engine.term] = replica.key
        if engine.term > newest:
            self.newest_leader = (engine.term, now)
        voters = engine.voters.current
        supporters = [
            r
            for r in replicas
            if r.key in voters
            and (r is replica or r.promise.votes.get(engine.term) == replica.key.id)
        ]
        if len(supporters) < voters.majority:
            raise Violation(
                f"{replica} leads in term {engine.term} of {len(voters)} voters "
                f"with the votes of {[str(r) for r in supporters]}"
            )
        for index, (term, _) in self.committed.items():
            missing = engine.log.term_at(index) != term and index > engine.log.base_index
            if missing and self.committed_in[index] < engine.term:
                raise Violation(
                    f"{replica} leads in term {engine.term} without entry {index}, "
                    f"committed in term {self.committed_in[index]}"
                )

    def _commits(
        self, replica: Replica, engine: Engine, index: int, replicas: list[Replica]
    ) -> None:
        if index <= engine.log.base_index:
            return
        command, _, term = engine.log[index - engine.log.base_index]
        known = self.committed.setdefault(index, (term, zlib.crc32(command)))
        if known != (term, zlib.crc32(command)):
            raise Violation(
                f"{replica} commits entry {index} of term {term}, "
                f"where an entry of term {known[0]} was committed"
            )
        if index in self.committed_in:
            return
        self.committed_in[index] = engine.term
        self.commits += 1
        if not engine.is_leader:
            return
        voters = engine.voters.current
        holders = [r for r in replicas if r.key in voters and r.holds(index, term)]
        if len(holders) < voters.majority:
            raise Violation(
                f"{replica} commits entry {index} of term {term}, "
                f"which is durable only on {[str(r) for r in holders]} of {len(voters)} voters"
            )

    # Events of a replica's state machine.

    def event(self, replica: Replica, event: Event) -> None:
        machine = replica.machine
        if isinstance(event, LeaderChanged):
            if event.leader_id == replica.key.id and self.leaders.get(event.epoch) != replica.key:
                raise Violation(f"{replica} is told that it leads term {event.epoch}")
            return
        if event.offset <= machine.offset:
            raise Violation(f"{replica} gets offset {event.offset} after {machine.offset}")
        if isinstance(event, SnapshotLoaded):
            replica.machine = StateMachine.decode(event.payload)
        elif isinstance(event, Committed):
            epoch, expected = msgpack.unpackb(event.payload)[1:]
            if epoch != event.epoch or expected not in (None, event.offset):
                raise Violation(
                    f"{replica} applies at offset {event.offset}, epoch {event.epoch}, "
                    f"what was decided for offset {expected}, epoch {epoch}"
                )
            machine.apply(*event)
        machine = replica.machine
        if self.digests.setdefault(machine.offset, machine.digest) != machine.digest:
            raise Violation(f"{replica} has another state at offset {machine.offset} than others")

    # What a replica finds on its disk.

    def recovered(self, replica: Replica, store: Store) -> None:
        promise, journal = replica.promise, store.journal
        term, voted_for = journal.getCurrentTerm(), journal.getVotedForNodeId()
        if term < promise.term:
            raise Violation(f"{replica} is back in term {term} after it was in {promise.term}")
        voted_id = voted_for.id if isinstance(voted_for, ReplicaKey) else voted_for
        if term in promise.votes and voted_id != promise.votes[term]:
            raise Violation(
                f"{replica} remembers a vote for {voted_for} in term {term}, "
                f"it gave it to {promise.votes[term]}"
            )
        acknowledged_term, index = promise.acknowledged
        if term == acknowledged_term and journal.last_index < index:
            raise Violation(
                f"{replica} has entries up to {journal.last_index}, it acknowledged {index}"
            )


def tick(replica: Replica, engine: Engine, matters: bool) -> None:
    """Messages that the engine marks as without consequence must have none."""
    before = _consequences(engine)
    engine.tick()
    if not matters and _consequences(engine) != before:
        raise Violation(f"{replica} thought that nothing could follow from what came")


def _consequences(engine: Engine) -> tuple[object, ...]:
    """The visible state that a tick may change. A snapshot that can now be sent may begin with the
    next heartbeat.
    """
    outbox = [message for _, message in engine._outbox if "serialized" not in message]
    voters = engine.voters.current
    log = (engine.log.last_index, engine.log.last_term, engine.commit_index, engine.last_applied)
    known = (engine.term, engine.role, engine.leader_id, engine.store.dirty, voters)
    return (*log, *known, len(outbox), len(engine.events), engine.next_deadline())
