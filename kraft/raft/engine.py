"""The engine's interface for its driver: steps in, messages and events out, without time and I/O.

In a step the driver calls `link_up`/`link_down`/`deliver` for what has arrived, `propose` for
waiting calls, and `tick`, makes the store durable, and only then sends the messages of
`take_outbox`. In every step it passes the time (seconds, monotonic), and it calls again at
`next_deadline`, or at once while `wants_tick`. A step before the deadline needs no tick if
`deliver` returned False for all its messages.

Entries are b"\\0" + epoch + expected offset (0: any) + payload. The stamp is part of the entry, so
every node discards the same entries: those that did not get their expected offset.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Final

from raftka.kraft.raft.codec import Message
from raftka.kraft.raft.elections import NEVER
from raftka.kraft.raft.follower import QuorumCorrupt
from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import (
    NotLeader,
    ProposalVoid,
    QuorumSettings,
    ReplicaKey,
)
from raftka.kraft.raft.reconfiguration import Done, Reconfiguration
from raftka.kraft.raft.seams import LEADER, MEMBERSHIP, NO_OP, REGULAR, Peer, step_clock
from raftka.kraft.raft.setup import Setup
from raftka.kraft.raft.snapshots import Snapshot
from raftka.kraft.raft.store import Store
from raftka.model import timers
from raftka.model.named_tuple import NamedTuple
from raftka.model.ports import Dice
from raftka.model.rules import ALL_HOLD, Rule, RulesOff

STAMP: Final = struct.Struct(">cQQ")
"""Kind, epoch and expected offset at the start of a proposal's entry."""


class Committed(NamedTuple):
    """A proposal is committed, and applied on this node."""

    offset: int
    epoch: int
    payload: bytes


class SnapshotLoaded(NamedTuple):
    """State that replaces everything up to and including `offset`."""

    offset: int
    epoch: int
    payload: bytes


class LeaderChanged(NamedTuple):
    """With this node's own id only after everything committed before was delivered as events."""

    leader_id: int | None
    epoch: int


Event = Committed | SnapshotLoaded | LeaderChanged


class Engine(Reconfiguration):
    """One replica of the quorum."""

    def __init__(
        self,
        replica: ReplicaKey,
        store: Store,
        *,
        can_vote: bool,
        static_voters: VoterSet | None,
        settings: QuorumSettings,
        dice: Dice,
        now: float,
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        self._settings = settings
        self._outbox: list[tuple[ReplicaKey, Message]] = []
        self.events: deque[Event] = deque()
        self._barriers: list[tuple[float, int, Done]] = []
        self._told = LeaderChanged(None, 0)
        self._bytes_since_snapshot = 0
        self._snapshot_is_wanted = False
        self._snapshot_at = now
        self._removed = False
        self._waiting_since = now
        self._links_are_stale = False
        step_clock.now = now
        super().__init__(
            Setup(replica, store, can_vote, static_voters, settings, dice, now, rules_off)
        )
        self.log.forget_votes = Rule.VOTE_IS_PERSISTED in self._off
        self.last_applied = store.snapshot_index
        if store.loaded is not None and store.loaded.payload:
            self.events.append(SnapshotLoaded(*self._position(), store.loaded.payload))
        store.loaded = None

    def _position(self) -> tuple[int, int]:
        return self.last_applied, self.log.term_at(self.last_applied) or 0

    def at(self, now: float) -> None:
        """Set the time of the following step."""
        self.now = step_clock.now = now

    # Steps.

    def deliver(self, key: ReplicaKey, message: Message) -> bool:
        """Process a message that codec.decode accepted, in the order of the link; return whether a
        tick may be needed because of it."""
        peer = self.peer_behind(key)
        if peer is None:
            return False
        kind, epoch = message["type"], self.term
        matters = not self._is_old_news(peer, message)
        if kind == "append_entries":
            self.receive_append_entries(peer, message)
        elif kind == "acknowledgement":
            self.receive_acknowledgement(peer, message)
        elif kind == "request_vote":
            self.receive_request_vote(peer, message)
        elif kind == "response_vote":
            self.receive_response_vote(peer, message)
        elif kind == "pre_vote":
            self.receive_pre_vote(peer, message)
        elif kind == "pre_vote_response":
            self.receive_pre_vote_response(peer, message)
        elif kind == "end_epoch":
            self.receive_end_epoch(peer, message)
        if self.term > epoch:
            self.raised_by = f"node {peer} stood for election"
        return matters

    def _is_old_news(self, peer: Peer, message: Message) -> bool:
        """Whether it is a heartbeat of the known leader, or the answer to one: these are most
        messages, and only cause an answer or a later deadline."""
        if message["term"] != self.term or self._barriers:
            return False
        if message["type"] == "append_entries":
            brings_nothing = not message.get(
                "entries", True
            )  # A piece of a snapshot has no entries.
            known = peer == self.leader and not self._leader_lost
            return known and brings_nothing and message["commit_index"] <= self.commit_index
        if message["type"] != "acknowledgement" or not (self.is_leader and message["success"]):
            return False
        progress = self.progress.get(peer)
        if progress is None or progress.probing or progress.transfer is not None:
            return False
        return bool(message["next_index"] - 1 <= self.match_index[peer])

    def propose(self, payload: bytes, epoch: int, expected_offset: int | None, done: Done) -> int:
        """Append to the leader's log; return the offset. `done` is called once, at once or in a
        later step.

        Raises NotLeader unless this node leads in `epoch`, ProposalVoid unless the next offset is
        `expected_offset`.
        """
        index = self.log.last_index + 1
        if not self.is_leader:
            raise NotLeader(self.leader_id, self.term)
        if Rule.FENCED_PROPOSALS not in self._off:
            if epoch != self.term:
                raise NotLeader(self.leader_id, self.term)
            if expected_offset not in (None, index):
                raise ProposalVoid(f"decided for offset {expected_offset}, the next is {index}")
        stamp = STAMP.pack(REGULAR, epoch, expected_offset or 0)
        self.log.add(stamp + payload, index, self.term)
        self._pending[index] = done
        return index

    def read_barrier(self, done: Done) -> None:
        """Call `done` with the offset at which a read sees everything committed before now, once a
        majority has confirmed that this node still leads and the offset is applied."""
        if not self.is_leader:
            raise NotLeader(self.leader_id, self.term)
        index = max(self.commit_index, self._first_index_as_leader)
        self._barriers.append((self.now, index, done))
        self.send_to_all(heartbeat=True)

    def tick(self) -> None:
        """Act on what has arrived and on the time: elections, commits, events."""
        if self.is_leader and Rule.COMMIT_OWN_TERM in self._off:
            self.commit_index = self.index_of_majority()
        if self.is_leader and Rule.LEADER_LEASE not in self._off and not self.has_lease:
            timers.fired("lease")
            self._news.append(f"leads no longer: no majority answers it in epoch {self.term}")
            self.become_follower()
            self.leader = None
        self.doTick(0)
        self.write_first_voters()
        if self.is_leader and Rule.FAST_BACK_OFF not in self._off:
            self.send_to_all()
        if self._removed and self.is_leader:
            self.resign()
        self._removed = False
        self._give_up_silent_leader()
        self._answer_barriers()
        self._tell_leader()

    def resign(self) -> None:
        """Step down, and announce it, so that the others need not wait for a timeout."""
        if not self.is_leader:
            return
        self.send_to_all(heartbeat=True)
        for peer in sorted(self.other_voters, key=lambda peer: peer.order):
            self.emit(peer, {"type": "end_epoch", "term": self.term})
        self.become_follower()
        self.leader = None
        self.election_deadline = self.now + self._election_s

    def take_outbox(self) -> list[tuple[ReplicaKey, Message]]:
        """The messages that may be sent once the store is durable."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def take_news(self) -> list[str]:
        """News in words, for the log."""
        news, self._news = self._news, []
        return news

    def why_no_leader_lasts(self) -> str:
        """The likely cause on this node: why the epoch began, and voters without a link."""
        linked = set(self.links.values())
        lost = sorted((peer for peer in self.other_voters - linked), key=lambda peer: peer.order)
        named = " and ".join(map(str, lost))
        links = f"it has no link to voter {named}" if lost else "it has links to all voters"
        return f"last because {self.raised_by}; {links}"

    def take_stale_links(self) -> bool:
        """Whether the driver should redial links on which no leader was heard for too long."""
        stale, self._links_are_stale = self._links_are_stale, False
        return stale

    @property
    def wants_tick(self) -> bool:
        """Whether an entry became committable because it became durable here."""
        if not self.is_leader:
            return False
        index = self.index_of_majority()
        return index > self.commit_index and self.log.term_at(index) == self.term

    def next_deadline(self) -> float:
        """When to tick if nothing arrives."""
        if self.is_leader:
            return min(self.heartbeat_is_due_at(), self.lease_end)
        if self.may_stand:
            return self.election_deadline
        if self.leader is None and not self.links:
            return NEVER
        return self._silent_at

    @property
    def _silent_at(self) -> float:
        """When an observer stops waiting for its leader."""
        return max(self._heard_at, self._waiting_since) + self._settings.fetch_timeout_s

    # Hooks.

    def emit(self, node: Peer, message: Message) -> None:
        if (key := self.key_of(node)) is not None:
            if message["type"] == "append_entries":
                message.setdefault("sent", self.now)  # The library's own sender leaves it out.
            self._outbox.append((key, message))

    def apply(self, command: bytes) -> None:
        """Apply the next committed entry. Nothing here can fail half way: the driver passes the
        events to the state machine after the step."""
        index = self.last_applied + 1
        kind, term = command[:1], self.log[index - self.log.base_index][2]
        outcome: Exception | None = None
        if kind == REGULAR:
            _, epoch, expected = STAMP.unpack_from(command)
            fits = epoch == term and expected in (0, index)
            if fits or Rule.FENCED_PROPOSALS in self._off:
                self.events.append(Committed(index, term, command[STAMP.size :]))
            else:
                outcome = ProposalVoid(f"decided for offset {expected} in epoch {epoch}")
        elif kind == MEMBERSHIP:
            self._removed = not self.is_voter
        elif kind != NO_OP:
            raise QuorumCorrupt(f"entry {index} is of a kind unknown to this version: {kind!r}")
        self._bytes_since_snapshot += len(command)
        if (done := self._pending.pop(index, None)) is not None:
            done(index, outcome)

    def snapshot_installed(self, snapshot: Snapshot) -> None:
        super().snapshot_installed(snapshot)
        self._bytes_since_snapshot, self._snapshot_at = 0, self.now
        self.events.append(SnapshotLoaded(snapshot.index, snapshot.term, snapshot.payload))

    def role_changed(self, before: int) -> None:
        super().role_changed(before)
        if before == LEADER:
            self._waiting_since = self.now  # Until now there was no other leader to hear.
        if before == LEADER and Rule.PROPOSALS_END not in self._off:
            pending, self._pending = self._pending, {}
            barriers, self._barriers = self._barriers, []
            lost = NotLeader(None, self.term)
            for index, done in pending.items():
                done(index, lost)
            for _, index, done in barriers:
                done(index, lost)

    # Own snapshots.

    @property
    def snapshot_is_due(self) -> bool:
        """Whether enough entries or time have passed since the last one, or one was requested."""
        if self._snapshot_is_wanted:
            return self.last_applied > self.store.snapshot_index
        if self._bytes_since_snapshot >= self._settings.snapshot_after_bytes:
            return True
        old = self.now - self._snapshot_at >= self._settings.snapshot_after_s
        return old and self._bytes_since_snapshot > 0

    def want_snapshot(self) -> None:
        """Request a snapshot, even if few entries were applied since the last one."""
        self._snapshot_is_wanted = True

    def snapshot_of(self, payload: bytes) -> Snapshot:
        """A snapshot of `payload`, the state after the last event was handled."""
        named = VoterSet() if self.voters_are_static else self.voters.at(self.last_applied)
        return Snapshot(*self._position(), named, payload)

    def adopt_snapshot(self, snapshot: Snapshot) -> None:
        """The snapshot is durable: the log may drop the entries that it contains."""
        self.store.adopt(snapshot)
        self.voters.forget_before(snapshot.index)
        self._snapshot_is_wanted = False
        self._bytes_since_snapshot, self._snapshot_at = 0, self.now

    # Consequences of a tick.

    def _give_up_silent_leader(self) -> None:
        """An observer sends nothing unasked, so it cannot notice a dead peer; after silence it
        redials."""
        if self.may_stand:
            return
        silent = self.now >= self._silent_at
        if silent:
            self._waiting_since, self._links_are_stale = self.now, True
        if silent or self._leader_lost:
            self.leader = None

    def _answer_barriers(self) -> None:
        waiting = []
        for moment, index, done in self._barriers:
            if self.last_applied >= index and self.answered_by_majority_since(moment):
                done(index, None)
            else:
                waiting.append((moment, index, done))
        self._barriers = waiting

    def _tell_leader(self) -> None:
        leader_id = self.leader_id
        if self.is_leader and self.last_applied < self._first_index_as_leader:
            leader_id = None
        if (leader_id, self.term) != self._told:
            self._told = known = LeaderChanged(leader_id, self.term)
            self._news.append(self._words_for(known))
            self.events.append(known)

    def _words_for(self, change: LeaderChanged) -> str:
        if change.leader_id is None:
            return f"knows no leader of the quorum in epoch {change.epoch}"
        if change.leader_id == self.replica.id:
            first = self._first_index_as_leader
            return f"leads the quorum in epoch {change.epoch}, from offset {first} on"
        return f"follows node {change.leader_id}, leader of the quorum in epoch {change.epoch}"
