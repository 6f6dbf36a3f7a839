"""The metadata quorum: Raft's guarantees, checked against journals and messages.

Names of the invariants are those of the Raft paper where it has one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import trio

from raftka.kraft.raft.engine import STAMP
from raftka.kraft.raft.seams import REGULAR
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.checkers.voters import RULES, VoterSets
from raftka.simulations.observers.journal import JournalMirror, LogEntry
from raftka.simulations.observers.raft_wire import AnswerTap, RaftTap
from raftka.simulations.observers.voters import Member, Voters, majority, named_in, words
from raftka.simulations.trace import Trace
from raftka.simulations.violation import About, Report


class CommittedEntry(NamedTuple):
    term: int
    digest: bytes
    leader: str  # The host that announced it first.
    at_s: float
    announced_in: int
    """The term of the leader that announced it."""


def digest(command: bytes) -> bytes:
    return hashlib.blake2b(command, digest_size=8).digest()


class RaftChecker:
    """Watches the journals and the links of all voters."""

    def __init__(
        self,
        voters: Voters,
        trace: Trace,
        report: Report,
        on_committed: Callable[[int, int, bytes], None],
        *,
        lease_limit_s: float = 4.0,
        fixed_voters: bool = True,
        on_voters: Callable[[Voters, Voters, str], None] = lambda before, after, leader: None,
    ) -> None:
        """`on_committed` gets (offset, epoch, payload) of each proposal once it is committed,
        `on_voters` (before, after, leader) of each change of the voters."""
        self.mirrors: dict[str, JournalMirror] = {}
        self.voter_sets = VoterSets(voters, self.mirrors, report, fixed=fixed_voters)
        self._on_voters = on_voters
        self.looks = Looks()
        self.committed: dict[int, CommittedEntry] = {}
        self.commit_index = 0
        self.leaders: dict[int, str] = {}
        """The leader of each term."""
        self.on_elected: Callable[[str, int], None] = lambda host, term: None
        """Called with each leader and its term at the leader's first message."""
        self.resigned: dict[str, float] = {}
        """When leaders announced their resignation."""
        self.led_at: dict[str, float] = {}
        """When each leader sent its last message."""
        self._trace = trace
        self._report = report
        self._on_committed = on_committed
        self._votes: dict[tuple[Member, int], str] = {}
        self._terms: dict[str, int] = {}
        self._heard: dict[tuple[str, str], float] = {}
        self._leads_since: dict[str, float] = {}
        self._in_own_term: set[tuple[int, int]] = set()
        self._lease_limit_s = lease_limit_s
        self.excused: dict[str, float] = {}
        """The time until which a host that was paused or has just started may lead alone."""

    @property
    def leader(self) -> str | None:
        """The leader of the newest term that a message has shown."""
        return self.leaders[max(self.leaders)] if self.leaders else None

    def mirror(self, host: str) -> JournalMirror:
        found = self.mirrors.get(host)
        if found is None:
            found = self.mirrors[host] = JournalMirror(host, self._journal_changed)
        return found

    def taps(self, client: str, server: str) -> tuple[RaftTap, AnswerTap]:
        """For a connection to a controller's port."""
        asking = RaftTap(client, server, True, self._sent)
        return asking, AnswerTap(asking, RaftTap(server, client, False, self._sent))

    def arrived(self, source: str, target: str) -> None:
        """Bytes of `source` reached `target`."""
        self._heard[target, source] = trio.current_time()

    def last_heard(self, host: str, by: str) -> float:
        """When bytes from `host` last reached the other one."""
        return self._heard.get((by, host), 0.0)

    def disk_replaced(self, host: str) -> None:
        """The metadata log of a host is gone: a new log there is another replica's."""
        self.voter_sets.disk_replaced(host)
        self._terms.pop(host, None)

    @property
    def voters(self) -> Voters:
        """The newest committed voter set."""
        return self.voter_sets.current

    # Journals.

    def _journal_changed(self, mirror: JournalMirror, new_from: int) -> None:
        self.looks("term-went-back")
        host = mirror.host
        if mirror.term < self._terms.get(host, 0):
            self._report(
                "term-went-back",
                f"{host} had written term {self._terms[host]} of the quorum durably and now writes"
                f" term {mirror.term}",
                about=About(node=host, term=mirror.term),
            )
        self._terms[host] = mirror.term
        for index, entry in mirror.truncated_entries:
            self.looks.at("committed-entry-truncated")
            known = self.committed.get(index)
            if known is not None and known[:2] == (entry.term, digest(entry.command)):
                self._report(
                    "committed-entry-truncated",
                    f"{host} cut entry {index} of term {entry.term} off its metadata log, although"
                    f" {known.leader} had announced it as committed at {known.at_s:.3f} s",
                    about=About(node=host, other=known.leader, term=mirror.term, index=index),
                )
        if new_from:
            if mirror.voter_sets and mirror.voter_sets[-1][0] >= new_from:
                self.looks.at(*RULES)
                self.voter_sets.check_changes(mirror, new_from)
                new_from = min(new_from, self.commit_index + 1)  # Another set's majority.
            self._note_majorities(mirror, new_from)
        if self._leads_alone(mirror):
            # A single voter leads without sending anything, and what is durable is committed.
            self._leads(host, mirror.term)
            self._advance(mirror, mirror.last_index, mirror.term)
        elif mirror.commit_index > self.commit_index:
            self._advance(mirror, mirror.commit_index, mirror.term)

    def _leads_alone(self, mirror: JournalMirror) -> bool:
        voters = self.voter_sets.newest(mirror)
        if len(voters) > 1 or self.voter_sets.identity(mirror.host) not in voters:
            return False
        elected = f"n{mirror.voted_for}" == mirror.host and mirror.term_at(mirror.last_index)
        return elected == mirror.term and self.leaders.get(mirror.term) in (None, mirror.host)

    def _note_majorities(self, mirror: JournalMirror, new_from: int) -> None:
        """Remember entries that a majority held in their own term: their leader may count them."""
        sets = self.voter_sets
        own, leader = (
            sets.identity(mirror.host),
            self.mirrors.get(self.leaders.get(mirror.term, "")),
        )
        for index in range(new_from, mirror.last_index + 1):
            entry = mirror.entry(index)
            if entry is None or entry.term != mirror.term:
                continue
            found = sets.since(mirror, index)
            if leader is not None and leader is not mirror and not sets.fixed:
                found += sets.since(leader, index)
            if any(own in voters and sets.is_held(voters, index, entry.term) for voters in found):
                self._in_own_term.add((index, entry.term))

    # Messages.

    def _sent(self, sender: str, receiver: str, message: dict[str, Any]) -> None:
        self.looks()
        kind, term = message["type"], message["term"]
        if kind == "append_entries":
            self._leads(sender, term)
            self.led_at[sender] = trio.current_time()
            if message["commit_index"] > self.commit_index:
                self._advance(self.mirror(sender), message["commit_index"], term)
        elif kind == "request_vote":
            self._promised(sender, term, sender)
        elif kind == "response_vote":
            self._promised(sender, term, receiver)
        elif kind == "end_epoch":
            self.resigned[sender] = trio.current_time()
        elif kind == "acknowledgement" and message["success"]:
            self._acknowledged(sender, receiver, message["next_index"] - 1)

    def _leads(self, host: str, term: int) -> None:
        self.looks.at("election-safety")
        known = self.leaders.get(term)
        if known is None:
            self.leaders[term] = host
            self._leads_since[host] = trio.current_time()
            self.on_elected(host, term)
            self._trace.event("controller-elected", node=host, epoch=term)
            self._check_votes(host, term)
            self._check_completeness(host, term)
        elif known != host:
            self._report(
                "election-safety",
                f"{host} leads the metadata quorum in term {term}, which {known} has led already",
                about=About(node=host, other=known, term=term),
            )
        else:
            self._check_lease(host, term)

    def _check_votes(self, host: str, term: int) -> None:
        self.looks.at("elected-without-majority")
        voters = self.voter_sets.newest(self.mirror(host))
        given = [each for each in voters if self._votes.get((each, term)) == host]
        own = self.voter_sets.identity(host)
        if len(given) + (own in voters and own not in given) < majority(voters):
            self._report(
                "elected-without-majority",
                f"{host} leads the metadata quorum in term {term} with the votes of"
                f" {words(frozenset(given))} only; the voters in its log are {words(voters)}",
                about=About(node=host, term=term),
            )

    def _check_lease(self, host: str, term: int) -> None:
        """A leader that hears from no majority must resign."""
        self.looks.at("leader-without-majority")
        now = trio.current_time()
        since = max(self._leads_since[host], self.excused.get(host, 0.0))

        def answered(voters: Voters) -> bool:
            heard = sum(
                member.host == host
                or now - max(self._heard.get((host, member.host), 0.0), since) < self._lease_limit_s
                for member in voters
            )
            return heard >= majority(voters)

        sets = self.voter_sets.since(self.mirror(host), self.commit_index)
        if not any(map(answered, sets)):
            self._report(
                "leader-without-majority",
                f"{host} goes on leading the metadata quorum in term {term}, although for"
                f" {self._lease_limit_s:g} s nothing from a majority of {words(sets[-1])} has"
                " reached it: clients and brokers that reach it are held up",
                about=About(node=host, term=term),
            )

    def _check_completeness(self, host: str, term: int) -> None:
        self.looks.at("leader-completeness")
        mirror = self.mirror(host)
        for index in range(max(mirror.base_index + 1, 1), self.commit_index + 1):
            entry, known = mirror.entry(index), self.committed.get(index)
            # A leader of an older term may show up late; newer terms do not bind it.
            if known is None or known.announced_in >= term:
                continue
            if entry is None or known[:2] != (entry.term, digest(entry.command)):
                has = "nothing there" if entry is None else f"one of term {entry.term} instead"
                self._report(
                    "leader-completeness",
                    f"{host} was elected controller in term {term} without entry {index} of term"
                    f" {known.term}, which {known.leader} announced as committed at"
                    f" {known.at_s:.3f} s; it has {has}",
                    about=About(node=host, other=known.leader, term=term, index=index),
                )
                return

    def _promised(self, host: str, term: int, candidate: str) -> None:
        self.looks.at("one-vote-per-term", "vote-not-durable")
        mirror = self.mirror(host)
        voter = self.voter_sets.identity(host)
        before = self._votes.setdefault((voter, term), candidate)
        if before != candidate:
            self._report(
                "one-vote-per-term",
                f"{host} voted for {candidate} in term {term} of the quorum, after it had voted for"
                f" {before} in the same term",
                about=About(node=host, other=candidate, term=term),
            )
        if mirror.term <= term and (mirror.term, f"n{mirror.voted_for}") != (term, candidate):
            vote = f"n{mirror.voted_for}" if mirror.voted_for > 0 else "nobody"
            self._report(
                "vote-not-durable",
                f"{host} sent its vote for {candidate} in term {term} while its disk says: term"
                f" {mirror.term}, vote for {vote}."
                " After a restart it could vote again",
                about=About(node=host, other=candidate, term=term),
            )

    def _acknowledged(self, host: str, leader: str, index: int) -> None:
        self.looks.at("acknowledged-before-durable")
        last = self.mirror(host).last_index
        if index > last:
            self._report(
                "acknowledged-before-durable",
                f"{host} acknowledged entry {index} to {leader} while its disk holds entries up to"
                f" {last} only: a power loss now would undo what the leader counts on",
                about=About(node=host, other=leader, term=self.mirror(host).term, index=index),
            )

    # Commits.

    def _advance(self, source: JournalMirror, index: int, term: int) -> None:
        """`source` says that entries up to `index` are committed, in `term`."""
        now = trio.current_time()
        sets = self.voter_sets.since(source, index)
        while self.commit_index < index:
            next_index = self.commit_index + 1
            entry = source.entry(next_index)
            self.looks.at("committed-unwritten")
            if entry is None:
                if next_index > source.base_index:
                    self._report(
                        "committed-unwritten",
                        f"{source.host} says that entry {next_index} is committed, but it is not on"
                        " its own disk",
                        about=About(node=source.host, term=term, index=next_index),
                    )
                    return
                self.commit_index = source.base_index  # The entry came in a snapshot.
                continue
            self._check_majority(source.host, next_index, entry, sets)
            self.commit_index = next_index
            known = CommittedEntry(entry.term, digest(entry.command), source.host, now, term)
            self.committed[next_index] = known
            self._deliver(next_index, entry)
        self._check_commit_rule(source, index, term)

    def _check_commit_rule(self, source: JournalMirror, index: int, term: int) -> None:
        entry = source.entry(index)
        if entry is None or entry.term == term or self.leaders.get(term) != source.host:
            return
        self.looks.at("committed-by-count")
        if (index, entry.term) not in self._in_own_term:
            self._report(
                "committed-by-count",
                f"{source.host}, leader of term {term}, announced entry {index} of {entry.term} as"
                f" committed. While term {entry.term} was the newest no majority held it, and a"
                " later leader may still overwrite it (Raft, figure 8)",
                about=About(node=source.host, term=term, index=index),
            )

    def _check_majority(self, host: str, index: int, entry: LogEntry, sets: list[Voters]) -> None:
        self.looks("committed-without-majority")
        held = self.voter_sets.is_held
        if not any(held(voters, index, entry.term) for voters in sets):
            voters = sets[-1]
            holders = [m for m in voters if self.voter_sets.holds(m, index, entry.term)]
            self._report(
                "committed-without-majority",
                f"{host} announced entry {index} of term {entry.term} as committed, but only"
                f" {words(frozenset(holders))} of {words(voters)} have it on disk",
                about=About(node=host, term=entry.term, index=index),
            )

    def _deliver(self, index: int, entry: LogEntry) -> None:
        command = entry.command
        if command[:1] == REGULAR:
            _, epoch, expected = STAMP.unpack_from(command)
            if epoch == entry.term and expected in (0, index):
                self._on_committed(index, entry.term, command[STAMP.size :])
        elif (voters := named_in(command)) is not None:
            before, after = self.voter_sets.take(index, voters)
            if before != after:
                self._on_voters(before, after, self.leaders.get(entry.term, ""))

    def snapshot_written(self, host: str, index: int, voters: Voters) -> None:
        """A snapshot names the voters of its offset, unless the settings do."""
        self.looks("snapshot-voters")
        if self.voter_sets.fixed or index > self.commit_index:
            return
        expected = self.voter_sets.committed_at(index)
        if voters != expected:
            self._report(
                "snapshot-voters",
                f"the snapshot of {host} up to entry {index} names the voters {words(voters)}, but"
                f" the log up to there says {words(expected)}",
                about=About(node=host, index=index),
            )

    def compare_all(self) -> None:
        """At the end: the same committed entries on every disk."""
        for host in sorted(self.mirrors):
            mirror = self.mirrors[host]
            for index in range(
                mirror.base_index + 1, min(mirror.last_index, self.commit_index) + 1
            ):
                entry, known = mirror.entry(index), self.committed.get(index)
                self.looks.at("state-machine-safety")
                if known and entry and known[:2] != (entry.term, digest(entry.command)):
                    if index > mirror.commit_index:
                        break
                    self._report(
                        "state-machine-safety",
                        f"{host} has another entry {index} than what was committed: term"
                        f" {entry.term} instead of {known.term}",
                        about=About(node=host, term=known.term, index=index),
                    )
                    return
