"""The leader's side: replicates its log to every connected replica, and tracks their progress.

The library sends everything from a replica's next index on, regardless of messages in flight, and
steps back one entry per heartbeat when logs diverge. Here each replica has a window, a probe finds
where logs diverge (the follower answers the index, see follower.py), and a snapshot is sent in
pieces, with few unanswered.
"""

from __future__ import annotations

import math
from operator import attrgetter

from raftka.kraft.raft.codec import Entry, Message
from raftka.kraft.raft.follower import Follower
from raftka.kraft.raft.membership import VoterHistory
from raftka.kraft.raft.progress import BATCH_BYTES, Progress, Transfer
from raftka.kraft.raft.seams import LEADER, Peer
from raftka.kraft.raft.setup import Setup
from raftka.model.rules import Rule

ENTRIES_MAX = 4096
"""The limit of entries in one message."""
ENTRY_OVERHEAD = 32
_ORDER = attrgetter("order")


class Leader(Follower):
    """The engine's layer that sends the log."""

    def __init__(self, setup: Setup, voters: VoterHistory) -> None:
        self.progress: dict[Peer, Progress] = {}
        super().__init__(setup, voters)

    # Links.

    def start_replica(self, peer: Peer) -> None:
        """A new link. The replica may have lost acknowledged entries with its disk since the last
        one, so it must acknowledge them again."""
        self.stop_replica(peer)
        self.progress[peer] = Progress()
        self.next_index[peer] = self.log.last_index + 1
        self.match_index[peer] = 0

    def stop_replica(self, peer: Peer) -> None:
        if (progress := self.progress.pop(peer, None)) is not None:
            progress.end_transfer()
        self.match_index[peer] = 0

    def rename_replica(self, before: Peer, after: Peer) -> None:
        """The replica became a voter, or is no longer one."""
        self.progress[after] = self.progress.pop(before)
        for table in (self.next_index, self.match_index):
            table[after] = table.pop(before, 0)
        self.last_response[after] = self.last_response.pop(before, -math.inf)

    # Committing.

    def admit_commit(self, index: int) -> int:
        """Never decreases; and on the leader at most the index that a majority of voters has
        durably, each counted once, and this node only if it is a voter. The library counts an own
        entry before it is on disk."""
        if self.is_leader:
            index = min(index, self.index_of_majority())
            own_term = self.log.term_at(index) == self.term
            if not own_term and Rule.COMMIT_OWN_TERM not in self._off:
                return self.commit_index
        return max(self.commit_index, index)

    def index_of_majority(self) -> int:
        """The last entry that a majority of the voters is known to have."""
        ends = [self.match_index.get(peer, 0) for peer in self.other_voters]
        if self.is_voter:
            durable = Rule.SYNC_BEFORE_SEND not in self._off
            ends.append(self.log.durable_index if durable else self.log.last_index)
        if len(ends) < self.voters.current.majority:
            return 0
        return sorted(ends, reverse=True)[self.voters.current.majority - 1]

    # Sending.

    def replicate(self) -> None:
        """The library's heartbeat, also sent when it has just become the leader."""
        self.heartbeat_is_due_at(self.now + self._heartbeat_of(len(self.progress)))
        if Rule.FAST_BACK_OFF in self._off:
            self.stock_replicate()
        else:
            self.send_to_all(heartbeat=True)

    def send_to_all(self, *, heartbeat: bool = False) -> None:
        """Send what the windows allow; only a heartbeat to replicas that have everything."""
        for peer in sorted(self.progress, key=_ORDER):
            self._send_to(peer, self.progress[peer], heartbeat)

    def _send_to(self, peer: Peer, progress: Progress, heartbeat: bool) -> None:
        if self.next_index[peer] <= self.log.base_index:
            self._send_snapshot(peer, progress)
            if heartbeat and progress.transfer is None:
                self._append(peer, progress, [], previous=self.log.base_index)
            return
        said = False
        while self.next_index[peer] <= self.log.last_index and progress.may_send:
            entries = self._batch(self.next_index[peer])
            self._append(peer, progress, entries)
            progress.sent(entries)
            self.next_index[peer] = entries[-1][1] + 1
            said = True
        news = progress.commit_sent < self.commit_index and not progress.probing
        if not said and (heartbeat or news):
            self._append(peer, progress, [])

    def _batch(self, first: int) -> list[Entry]:
        entries = self.log.entries(first, first + ENTRIES_MAX)
        size = 0
        for count, (command, _, _) in enumerate(entries, 1):
            size += len(command) + ENTRY_OVERHEAD
            if size >= BATCH_BYTES:
                return entries[:count]
        return entries

    def _append(
        self, peer: Peer, progress: Progress, entries: list[Entry], previous: int | None = None
    ) -> None:
        if previous is None:
            previous = self.next_index[peer] - 1
        message = {
            "previous_index": previous,
            "previous_term": self.log.term_at(previous),
            "entries": entries,
        }
        progress.commit_sent = self.commit_index
        self._emit_append(peer, message)

    def _emit_append(self, peer: Peer, message: Message) -> None:
        head = {"type": "append_entries", "term": self.term, "commit_index": self.commit_index}
        self.emit(peer, {**head, "sent": self.now, **message})

    def _send_snapshot(self, peer: Peer, progress: Progress) -> None:
        if progress.transfer is None:
            self._begin_transfer(progress)
        transfer = progress.transfer
        while transfer is not None and transfer.may_send:
            try:
                chunk = transfer.next_chunk()
            except OSError:
                progress.end_transfer()
                return
            self._emit_append(peer, {"serialized": chunk})

    def _begin_transfer(self, progress: Progress) -> None:
        """A failed transfer is restarted with the next heartbeat, not at once."""
        if self.now < progress.transfer_after or (file := self.store.open_snapshot()) is None:
            return
        progress.transfer_after = self.now + self._election_s / 4
        progress.transfer = Transfer(self.store.snapshot_index, file, file.size())

    # Answers.

    def receive_acknowledgement(self, peer: Peer, message: Message) -> None:
        """Process how far a replica's log matches, or where to probe next."""
        if message["term"] > self.term:
            self.set_term(message["term"])
            self.become_follower()
            self.leader = None
        if not self.is_leader or peer not in self.progress:
            return
        stale = message["term"] != self.term
        if stale and Rule.TERM_IN_ACKNOWLEDGEMENTS not in self._off:
            return
        self.last_response[peer] = max(self.last_response.get(peer, 0.0), message["sent"])
        progress, index = self.progress[peer], message["next_index"] - 1
        if Rule.FAST_BACK_OFF in self._off:
            self.stock_receive(peer, message)
        elif message["success"]:
            if index > self.log.last_index:
                return
            progress.matched(index)
            progress.fetched(index, self.log.last_index, self.now)
            self.match_index[peer] = max(self.match_index[peer], index)
            self.next_index[peer] = max(self.next_index[peer], index + 1)
            if progress.transfer is not None and index >= progress.transfer.index:
                progress.end_transfer()
        elif message["reset"]:
            self._back_off(peer, progress, index + 1)
        elif progress.transfer is not None:
            progress.transfer.unanswered = max(0, progress.transfer.unanswered - 1)

    def _back_off(self, peer: Peer, progress: Progress, hint: int) -> None:
        """Only decreases it: hints for messages before the last one are outdated."""
        progress.end_transfer()
        if hint < self.next_index[peer]:
            progress.rejected()
            self.next_index[peer] = max(hint, self.match_index[peer] + 1)

    def role_changed(self, before: int) -> None:
        super().role_changed(before)
        for peer in self.progress:
            self.progress[peer].end_transfer()
            if self.role == LEADER:
                self.progress[peer] = Progress()

    # The same snapshots for the library's own sender, which a test may switch on.

    def next_chunk(self, node: Peer) -> tuple[bytes, bool, bool]:
        progress = self.progress[node]
        if progress.transfer is None:
            progress.transfer_after = -math.inf
            self._begin_transfer(progress)
        assert progress.transfer is not None, "the log has no start and no snapshot before it"
        chunk = progress.transfer.next_chunk()
        if chunk[2]:
            progress.end_transfer()
        return chunk

    def cancel_chunks(self, node: Peer) -> None:
        if node in self.progress:
            self.progress[node].end_transfer()
