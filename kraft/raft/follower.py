"""The follower's side: accepts a leader's entries and snapshots without losing matching entries.

The library truncates everything after the start of a message, even if it matches, commits whatever
its log contains up to the leader's commit index, and acknowledges a snapshot that it could not
load. Here a message is first reduced to its new entries, so that only conflicting entries are
truncated, and only compared entries are acknowledged or committed.
"""

from __future__ import annotations

from typing import Any

from raftka.kraft.raft.codec import Message
from raftka.kraft.raft.elections import Elections
from raftka.kraft.raft.membership import VoterHistory, VoterSet
from raftka.kraft.raft.seams import MEMBERSHIP, Peer
from raftka.kraft.raft.setup import Setup
from raftka.kraft.raft.snapshots import CorruptSnapshot, Snapshot
from raftka.model.rules import Rule

_TRUNCATE_WITH_CARE = frozenset({Rule.KEEP_MATCHING_ENTRIES, Rule.KEEP_COMMITTED})


class QuorumCorrupt(Exception):
    """This replica's log contradicts committed entries. Continuing would spread the damage."""


class Follower(Elections):
    """The engine's layer that follows a leader."""

    def __init__(self, setup: Setup, voters: VoterHistory) -> None:
        self.store = setup.store
        self._max_snapshot_bytes = setup.settings.max_snapshot_bytes
        self._answering = 0.0
        self._nothing_to_truncate = False
        self._chunks = bytearray()
        self._chunks_from: tuple[Peer, int] | None = None
        self._snapshot_failed = ""
        self._snapshot_index: int | None = None
        super().__init__(setup, voters)

    # Hooks for the layers above.

    def voters_changed(self) -> None:
        """Another voter set is in force."""

    def snapshot_installed(self, snapshot: Snapshot) -> None:
        """The log now starts after this snapshot."""

    # Entries.

    def receive_append_entries(self, node: Peer, message: Message) -> None:
        """Process entries, a heartbeat, or a piece of a snapshot."""
        self._answering = message["sent"]
        if message["term"] < self.term:
            self.acknowledge(node, reset=False, next_index=1, success=False)
            return
        if message["term"] == self.term and self.is_leader:
            raise QuorumCorrupt(f"node {node} also leads in term {self.term}")
        self.heard_from(node)
        if "serialized" in message:
            self._receive_chunk(node, message)
            return
        if self._off.isdisjoint(_TRUNCATE_WITH_CARE):
            self._skip_matching(message)
        if Rule.COMMIT_ONLY_VERIFIED not in self._off:
            verified = message["previous_index"] + len(message["entries"])
            message["commit_index"] = min(message["commit_index"], verified)
        entries = message["entries"]
        self.stock_receive(node, message)
        self._nothing_to_truncate = False
        if entries and self.log.term_at(entries[-1][1]) == entries[-1][2]:
            self._learn_voters(entries)

    def _skip_matching(self, message: Message) -> None:
        """Remove the entries that the log already has from the start of `message`. All committed
        entries equal the leader's, even those outside of the message."""
        log, entries = self.log, message["entries"]
        index, term = message["previous_index"], message["previous_term"]
        if index > log.base_index and log.term_at(index) != term:
            self._check_contradiction(index)
            return  # The library refuses it.
        skip = 0
        while skip < len(entries) and (
            entries[skip][1] <= log.base_index or log.term_at(entries[skip][1]) == entries[skip][2]
        ):
            index, term = entries[skip][1], entries[skip][2]
            skip += 1
        if skip == len(entries):
            index = max(index, self.commit_index)
            self._nothing_to_truncate = True
        message["entries"] = entries[skip:]
        message["previous_index"], message["previous_term"] = index, log.term_at(index)

    def truncate_from(self, index: int) -> None:
        if self._nothing_to_truncate:
            return
        self._check_contradiction(index)
        self.log.truncate_from(index)
        if self.voters.truncate_from(index):
            self.voters_changed()

    def _check_contradiction(self, index: int) -> None:
        if index <= self.commit_index and Rule.KEEP_COMMITTED not in self._off:
            raise QuorumCorrupt(
                f"the leader of term {self.term} contradicts entry {index}, "
                f"but entries up to {self.commit_index} are committed"
            )

    def _learn_voters(self, entries: tuple[Any, ...]) -> None:
        """A voter set is in force as soon as it is in the log."""
        changed = False
        for command, index, _ in entries:
            if command[:1] == MEMBERSHIP and index > self.voters.changed_at:
                self.voters.append(index, VoterSet.decode(command[1:]))
                changed = True
        if changed:
            self.voters_changed()

    # Acknowledgements.

    def acknowledge(
        self, node: Peer, *, reset: bool, next_index: int | None, success: bool
    ) -> None:
        if self._snapshot_failed and Rule.FAILED_SNAPSHOT_IS_REFUSED not in self._off:
            reset, success, next_index = True, False, None
        if success and self._snapshot_index is not None:
            next_index, self._snapshot_index = self._snapshot_index + 1, None
        if next_index is None:
            next_index = self.log.last_index + 1
        elif reset and Rule.FAST_BACK_OFF not in self._off:
            next_index = self._start_of_term(next_index)
        answer = {"next_index": next_index, "reset": reset, "success": success}
        head = {"type": "acknowledgement", "term": self.term, "sent": self._answering}
        self.emit(node, {**head, **answer})

    def _start_of_term(self, index: int) -> int:
        """The first entry of the term that entry `index` has here: the leader's log has no entry of
        that term, or it would have matched. Committed entries always match."""
        term = self.log.term_at(index)
        while index > self.commit_index + 1 and self.log.term_at(index - 1) == term:
            index -= 1
        return index

    # Snapshots.

    def _receive_chunk(self, node: Peer, message: Message) -> None:
        """A snapshot commits nothing until it is complete and verified."""
        if Rule.COMMIT_ONLY_VERIFIED not in self._off:
            message["commit_index"] = self.commit_index
        if message["serialized"][1]:
            self._chunks_from, self._chunks = (node, message["term"]), bytearray()
        self._snapshot_failed = ""
        if self._chunks_from != (node, message["term"]):
            self.acknowledge(node, reset=True, next_index=None, success=False)
            return
        self.stock_receive(node, message)
        if not message["serialized"][2]:
            self.acknowledge(node, reset=False, next_index=None, success=False)
        self._snapshot_failed = ""

    def take_chunk(self, chunk: tuple[bytes, bool, bool]) -> bool:
        data, _, last = chunk
        if len(self._chunks) + len(data) <= self._max_snapshot_bytes:
            self._chunks += data
        else:
            self._snapshot_failed = f"it has more than {self._max_snapshot_bytes} bytes"
        return last

    def install_snapshot(self) -> None:
        """All pieces have arrived. A snapshot of entries that the log already has is ignored."""
        chunks, self._chunks, self._chunks_from = self._chunks, bytearray(), None
        try:
            snapshot = Snapshot.decode(chunks)
        except CorruptSnapshot as error:
            self._snapshot_failed = self._snapshot_failed or str(error)
            self._news.append(f"refuses a snapshot from its leader: {self._snapshot_failed}")
            return
        self._snapshot_index = snapshot.index
        if snapshot.index <= self.commit_index:
            return
        if self.log.term_at(snapshot.index) == snapshot.term:
            self.commit_index = snapshot.index
            return
        self.store.install(snapshot)
        self.commit_index = self.last_applied = snapshot.index
        self.snapshot_installed(snapshot)
