"""Elections that never disrupt a live leader, converge quickly and count each vote once.

The library implements the Raft paper: a node without a leader for a random time increments its term
and requests votes. Added here (dissertation 4.2.3, 6.4 and 9.6; KIP-996):

- a node first asks whether it could win (pre-vote), and only then increments its term;
- a node that hears from a live leader supports no other, and a leader is live while a majority
  answers it (its lease);
- a broken link to the leader, or its resignation, starts an election within a few random
  milliseconds; of two simultaneous candidates the one with the lower id gives way;
- votes are recorded by voter.
"""

from __future__ import annotations

import math

from raftka.kraft.raft.codec import Message
from raftka.kraft.raft.membership import VoterHistory
from raftka.kraft.raft.seams import CANDIDATE, LEADER, Peer, Seams
from raftka.kraft.raft.setup import Setup
from raftka.model import timers
from raftka.model.rules import Rule

NEVER = math.inf


class Elections(Seams):
    """The layer of the engine that elects leaders."""

    def __init__(self, setup: Setup, voters: VoterHistory) -> None:
        self.replica, self.can_vote, self.voters = setup.replica, setup.can_vote, voters
        self._dice, self._off, self.now = setup.dice, setup.rules_off, setup.now
        self._election_s = election_s = setup.settings.election_timeout_s
        self._heartbeat_of = setup.settings.heartbeat_of
        self._heard_at = -math.inf
        self._heard: Peer | None = None
        self._reason = "it knows no leader"
        """Why an election would be due; while there is a leader, its silence."""
        self._news: list[str] = []
        self.raised_by = "it has just started"
        """Why the current epoch began, as far as this node can tell."""
        self.stood_because = ""
        """Why this node last stood for election."""
        self._leader_lost = False
        self._attempts = 0
        self._asking = False
        self._granted: set[Peer] = set()
        self._won_term = -1
        self._votes: tuple[int, set[Peer]] = (-1, set())
        lease_s = election_s if Rule.LEADER_LEASE not in self._off else 1e9
        own = Peer.of(self.replica.id) if self.can_vote else None
        super().__init__(own, setup.store.journal, election_s, lease_s)
        hurry = 0.0 if self.is_only_voter else self._dice.uniform(0, election_s / 20)
        self.election_deadline = self.now + hurry

    @property
    def is_voter(self) -> bool:
        return self.can_vote and self.replica in self.voters.current

    @property
    def may_stand(self) -> bool:
        """Whether this node may stand for election: voters, and a voter that is being removed,
        until that is committed: it may be the only one with all committed entries (dissertation
        4.2.2)."""
        if not self.can_vote or self.replica in self.voters.current:
            return self.can_vote
        return self.voters.changed_at > self.commit_index and self.replica in self.voters.previous

    @property
    def is_only_voter(self) -> bool:
        return self.is_voter and len(self.voters.current) == 1

    @property
    def has_lease(self) -> bool:
        """Whether a majority has answered this leader within the last election timeout."""
        return self.now < self._lease_end

    @property
    def lease_end(self) -> float:
        """When the lease expires unless more answers arrive."""
        return NEVER if Rule.LEADER_LEASE in self._off else self._lease_end

    @property
    def _lease_end(self) -> float:
        """One sum decides both: otherwise rounding could make the engine due again and again until
        the clock has advanced, although the lease has not expired."""
        needed = self.voters.current.majority - self.is_voter
        if needed <= 0:
            return NEVER
        answers = sorted(map(self.last_response.__getitem__, self.other_voters))
        return answers[-needed] + self._election_s

    def answered_by_majority_since(self, moment: float) -> bool:
        """Whether a majority has answered messages that were sent at `moment` or later."""
        answers = self.last_response
        count = sum(answers.get(peer, -math.inf) >= moment for peer in self.other_voters)
        return count + self.is_voter >= self.voters.current.majority

    @property
    def hears_leader(self) -> bool:
        """Whether there is a live leader, as far as this node knows."""
        if self.is_leader:
            return self.has_lease
        known = self.leader is not None and not self._leader_lost
        return known and self.now - self._heard_at < self._election_s

    def heard_from(self, leader: Peer) -> None:
        """A message arrived that only the leader of a current term sends."""
        self._heard_at, self._leader_lost = self.now, False
        self._attempts, self._asking = 0, False
        self._heard, self._reason = leader, ""

    def leader_gone(self, reason: str) -> None:
        """The leader has resigned, or its link broke: start an election at once. The first reason
        is kept: a leader that resigns closes its links soon after."""
        if not self._leader_lost:
            self._leader_lost, self._reason = True, reason
        self.hasten_election()

    def hasten_election(self) -> None:
        """Request support within a few, random milliseconds, so that nodes do not ask together."""
        if self.may_stand and not self.is_leader:
            soon = self.now + self._dice.uniform(0, self._election_s / 50)
            self.election_deadline = min(self.election_deadline, soon)

    # Hooks of the library.

    def election_timeout(self) -> float:
        """One to two election timeouts; without a leader first short, then doubled each time."""
        patience = self._election_s
        if self._attempts:
            patience = min(patience, patience / 10 * 2 ** (self._attempts - 1))
        return self._dice.uniform(patience, 2 * patience)

    def may_start_election(self) -> bool:
        """Called when the election deadline has passed; False postpones the election."""
        if not self.may_stand:
            self.election_deadline = NEVER
            return False
        if Rule.PRE_VOTE in self._off:
            timers.fired("election")
            self._attempts = 0
            return self.stock_may_start_election() or self._wait_for_peers()
        if self.is_only_voter or self._won_term == self.term + 1:
            if self.is_only_voter:
                timers.fired("election")
            self._won_term = -1
            reason = self._reason or f"it heard nothing from its leader, node {self._heard}"
            self._news.append(f"stands for election in epoch {self.term + 1}: {reason}")
            self.raised_by = f"it stood for election itself: {reason}"
            self.stood_because = reason
            return True
        self._ask_for_support()
        return False

    def _wait_for_peers(self) -> bool:
        self.election_deadline = self.now + self.election_timeout()
        return False

    def _ask_for_support(self) -> None:
        timers.fired("election")
        self._attempts = min(self._attempts + 1, 10)
        self._asking, self._granted = True, set()
        self.leader = None
        self.election_deadline = self.now + self.election_timeout()
        for peer in sorted(self.other_voters, key=lambda peer: peer.order):
            self.emit(peer, {"type": "pre_vote", "term": self.term + 1, **self._log_end()})

    def _log_end(self) -> Message:
        return {"last_log_index": self.log.last_index, "last_log_term": self.log.last_term}

    def _holds_our_log(self, message: Message) -> bool:
        """Whether the sender has all our entries, judging by the log ends."""
        theirs = (message["last_log_term"], message["last_log_index"])
        return theirs >= (self.log.last_term, self.log.last_index)

    # Messages.

    def receive_pre_vote(self, node: Peer, message: Message) -> None:
        granted = (
            self.can_vote
            and message["term"] > self.term
            and not self._sticks_to_leader(node)
            and self._holds_our_log(message)
            and not self._asks_with_more_right(node, message)
        )
        if granted:
            self._asking = False
            self._attempts = max(self._attempts, 1)
            give_way_until = self.now + self.election_timeout()
            self.election_deadline = max(self.election_deadline, give_way_until)
        answer = {"term": self.term, "round": message["term"], "granted": granted}
        self.emit(node, {"type": "pre_vote_response", **answer})

    def _sticks_to_leader(self, node: Peer) -> bool:
        """Whether `node` requests support against a live leader."""
        return Rule.STICKY_LEADER not in self._off and self.hears_leader and node != self.leader

    def _asks_with_more_right(self, node: Peer, message: Message) -> bool:
        if not self._asking or message["term"] != self.term + 1:
            return False
        theirs = (message["last_log_term"], message["last_log_index"], node.order)
        own = (self.log.last_term, self.log.last_index, Peer.of(self.replica.id).order)
        return own > theirs

    def receive_pre_vote_response(self, node: Peer, message: Message) -> None:
        if message["term"] > self.term and not self.is_leader:
            self.set_term(message["term"])
            self.become_follower()
            self._asking = False
            self.hasten_election()
        if not self._asking or not message["granted"] or message["round"] != self.term + 1:
            return
        if node in self.other_voters:
            self._granted.add(node)
        if len(self._granted) + self.is_voter >= self.voters.current.majority:
            self._asking = False
            self._won_term = self.term + 1
            self.election_deadline = self.now

    def receive_request_vote(self, node: Peer, message: Message) -> None:
        if not self.can_vote or message["term"] < self.term:
            return
        if self._sticks_to_leader(node):
            return
        if message["term"] == self.term and self.voted_for == node.id and not self.is_leader:
            self.emit(node, {"type": "response_vote", "term": self.term})  # The first was lost.
            return
        self.stock_receive(node, message)

    def receive_response_vote(self, node: Peer, message: Message) -> None:
        if message["term"] != self.term or self.role != CANDIDATE:
            return
        if Rule.VOTES_ARE_ATTRIBUTED in self._off:
            self.stock_receive(node, message)
            return
        if self._votes[0] != self.term:
            self._votes = (self.term, set())
        votes = self._votes[1]
        if node in self.other_voters:
            votes.add(node)
        if len(votes) + self.is_voter >= self.voters.current.majority:
            for _ in votes:  # Now the library may count them.
                self.stock_receive(node, message)

    def receive_end_epoch(self, node: Peer, message: Message) -> None:
        if node == self.leader and message["term"] == self.term:
            self.leader_gone(f"its leader, node {node}, resigned")

    def ask_again(self, peer: Peer) -> None:
        """A new link: requests over the previous one may be lost, so send them again."""
        if peer not in self.other_voters:
            return
        if self.role == CANDIDATE and self.voted_for == self.replica.id:
            self.emit(peer, {"type": "request_vote", "term": self.term, **self._log_end()})
        elif self._asking:
            self.emit(peer, {"type": "pre_vote", "term": self.term + 1, **self._log_end()})

    def role_changed(self, before: int) -> None:
        if self.role == LEADER:
            self._attempts, self._asking, self._leader_lost = 0, False, False
        elif before == LEADER:
            self._attempts = 1
            self.election_deadline = self.now + self.election_timeout()
