"""Links and voter sets: the replica behind each link, and whether it is a voter.

A link belongs to a replica (node and directory). Whether that replica is a voter depends on the
voter set in force, so when the set changes, its progress is moved to its new name.
"""

from __future__ import annotations

from collections.abc import Callable

from raftka.kraft.raft.elections import NEVER
from raftka.kraft.raft.leader import Leader
from raftka.kraft.raft.membership import VoterHistory, VoterSet
from raftka.kraft.raft.port import NotLeader, ReplicaKey, Voter
from raftka.kraft.raft.seams import LEADER, MEMBERSHIP, Peer
from raftka.kraft.raft.setup import Setup
from raftka.kraft.raft.snapshots import Snapshot
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import Rule

Done = Callable[[int, Exception | None], None]
"""Called once: with the offset once it is committed, or with the error."""


class NotYet(Exception):
    """The voter set cannot be changed now, but soon; the message has the reason."""


class Reconfiguration(Leader):
    """The engine's layer that knows the connected replicas and the voters."""

    def __init__(self, setup: Setup) -> None:
        self.links: dict[ReplicaKey, Peer] = {}
        self._keys: dict[Peer, ReplicaKey] = {}
        self._renamed: dict[Peer, Peer] = {}
        self._static_voters = setup.static_voters
        self._first_index_as_leader = 0
        self._pending: dict[int, Done] = {}
        store = setup.store
        history = VoterHistory(self._base_voters(store.snapshot), store.snapshot_index)
        for command, index, _ in store.journal.entries(store.snapshot_index + 1, 1 << 62):
            if command[:1] == MEMBERSHIP:
                history.append(index, VoterSet.decode(command[1:]))
        super().__init__(setup, history)
        self.voters_changed()

    def _base_voters(self, snapshot: Snapshot | None) -> VoterSet:
        """Voters in the log take precedence over controller.quorum.voters."""
        if snapshot is not None and len(snapshot.voters):
            return snapshot.voters
        return self._static_voters or VoterSet()

    @property
    def voters_are_static(self) -> bool:
        return self._static_voters is not None

    # Links.

    def link_up(self, key: ReplicaKey) -> bool:
        """Return whether the link may be used: not if another replica has the same name."""
        peer = self._peer(key)
        if key in self.links or peer in self._keys or key == self.replica:
            return False
        self.links[key], self._keys[peer] = peer, key
        self._set_peers()
        self.start_replica(peer)
        self.last_response.setdefault(peer, self.now)
        if not self.is_leader and not self.hears_leader:
            self.hasten_election()
        self.ask_again(peer)
        if self.is_leader:
            self.send_to_all(heartbeat=True)
        return True

    def link_down(self, key: ReplicaKey) -> None:
        peer = self.links.pop(key, None)
        if peer is None:
            return
        del self._keys[peer]
        self.stop_replica(peer)
        self._set_peers()
        if peer == self.leader:
            self.leader_gone(f"its link to the leader, node {peer}, broke")

    def _peer(self, key: ReplicaKey) -> Peer:
        return Peer.of(key.id if key in self.voters.current else key)

    def peer_behind(self, key: ReplicaKey) -> Peer | None:
        """The peer that sent a message; None if its link is down already."""
        self._renamed.clear()
        return self.links.get(key)

    def key_of(self, peer: Peer) -> ReplicaKey | None:
        """A message may change the voter set; its answer still uses the sender's previous name."""
        return self._keys.get(self._renamed.get(peer, peer))

    # Voter sets.

    def voters_changed(self) -> None:
        for key, before in list(self.links.items()):
            after = self._peer(key)
            if after != before:
                self.links[key] = after
                self._keys[after] = self._keys.pop(before)
                self._renamed[before] = after
                self.rename_replica(before, after)
                if self.leader == before:
                    self.leader = after
        self._set_peers()
        if self.may_stand and self.election_deadline == NEVER:
            self.election_deadline = self.now + self.election_timeout()

    def _set_peers(self) -> None:
        """Pass the peers to the library, which expects every voter in every table."""
        voting = {Peer.of(voter.id) for voter in self.voters.current}
        if self.is_voter:
            voting.discard(Peer.of(self.replica.id))
        connected = set(self._keys)
        self.set_peers(voting, connected - voting, connected)
        for peer in voting | connected:
            self.match_index.setdefault(peer, 0)
            self.next_index.setdefault(peer, self.log.last_index + 1)
            self.last_response.setdefault(peer, self.now)
        for table in (self.match_index, self.next_index, self.last_response):
            for peer in [peer for peer in table if peer not in voting and peer not in connected]:
                del table[peer]

    def snapshot_installed(self, snapshot: Snapshot) -> None:
        self.voters = VoterHistory(self._base_voters(snapshot), snapshot.index)
        self.voters_changed()

    # Changing the set, one voter at a time (KIP-853; dissertation 4.1).

    def add_voter(self, voter: Voter, done: Done) -> None:
        """Raises NotLeader, NotYet, or KafkaError if it can never succeed."""
        self._check_change()
        if self.voters.current.get(voter.id) is not None:
            raise KafkaError(
                ErrorCode.DUPLICATE_VOTER, f"node {voter.id} is already a voter of the quorum"
            )
        peer = self.links.get(ReplicaKey(voter.id, voter.directory_id))
        if peer is None:
            raise NotYet(f"node {voter.id} with that directory is not connected to the leader")
        if self.now - self.progress[peer].caught_up_at > self._election_s:
            raise NotYet(f"node {voter.id} has not caught up with the leader's log")
        self._append_voters(self.voters.current.adding(voter), done)

    def remove_voter(self, key: ReplicaKey, done: Done) -> None:
        """Raises as above. A leader that removes itself leads until that is committed."""
        self._check_change()
        if key not in self.voters.current:
            raise KafkaError(
                ErrorCode.VOTER_NOT_FOUND, f"node {key.id} with that directory is not a voter"
            )
        if len(self.voters.current) == 1:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST, "the last voter cannot be removed from the quorum"
            )
        self._append_voters(self.voters.current.removing(key.id), done)

    def write_first_voters(self) -> None:
        """The first leader writes the voters that it was formatted with into the log, from which
        observers learn them."""
        named_by_format = not self.voters_are_static and self.voters.changed_at == 0
        if self.is_leader and named_by_format:
            self._append_voters(self.voters.current, lambda offset, error: None)

    def _check_change(self) -> None:
        if not self.is_leader:
            raise NotLeader(self.leader_id, self.term)
        if self.voters_are_static:
            raise KafkaError(
                ErrorCode.UNSUPPORTED_VERSION,
                "the voters are those of controller.quorum.voters; only a quorum formatted with "
                "--standalone or --initial-controllers can change them",
            )
        if Rule.ONE_CHANGE_OF_VOTERS in self._off:
            return
        if self.commit_index < self._first_index_as_leader:
            raise NotYet("the leader has not committed an entry of its own epoch yet")
        if self.voters.changed_at > self.commit_index:
            raise NotYet("an earlier change of the voters is not committed yet")

    def _append_voters(self, voters: VoterSet, done: Done) -> None:
        index = self.log.last_index + 1
        self.log.add(MEMBERSHIP + voters.encode(), index, self.term)
        self._pending[index] = done
        self.voters.append(index, voters)
        self.voters_changed()

    @property
    def leader_id(self) -> int | None:
        if self.leader is None:
            return None
        known: int | ReplicaKey = self.leader.id
        return known.id if isinstance(known, ReplicaKey) else known

    def role_changed(self, before: int) -> None:
        super().role_changed(before)
        if self.role == LEADER:
            self._first_index_as_leader = self.log.last_index + 1
