"""The quorum's voter sets: the set in force on each node, and the rules of a change (KIP-853).

A node uses a set as soon as it is in that node's log, committed or not. A change adds or removes
one voter, and begins only after the previous change is committed and the leader has committed an
entry of its own term (Ongaro's dissertation, 4.1, and its correction).
"""

from __future__ import annotations

from typing import Final

from raftka.simulations.observers.journal import JournalMirror
from raftka.simulations.observers.voters import Member, Voters, majority, words
from raftka.simulations.violation import About, Report

RULES: Final = (
    "voters-changed-by-more-than-one",
    "two-voter-changes-in-flight",
    "voters-changed-before-own-term",
)
"""The rules that a change of the voters may break."""


class VoterSets:
    """The voters according to the journals, and the entries that each has held."""

    def __init__(
        self, first: Voters, mirrors: dict[str, JournalMirror], report: Report, *, fixed: bool
    ) -> None:
        """`first`: the voters that the quorum was formatted with, or that settings name."""
        self.fixed = fixed
        self.committed: list[tuple[int, Voters]] = [(0, first)]
        self.directories: dict[str, bytes] = {}
        self._mirrors = mirrors
        self._former: dict[Member, JournalMirror] = {}
        self._report = report
        self._seen: set[tuple[int, int]] = set()

    @property
    def current(self) -> Voters:
        """The newest committed set."""
        return self.committed[-1][1]

    # Replicas.

    def identity(self, host: str) -> Member:
        return Member(host, b"" if self.fixed else self.directories.get(host, b""))

    def disk_replaced(self, host: str) -> None:
        """The host's log is gone; entries that were counted while it existed stay counted."""
        mirror = self._mirrors.pop(host, None)
        if mirror is not None:
            self._former[self.identity(host)] = mirror
        self.directories.pop(host, None)

    def holds(self, member: Member, index: int, term: int) -> bool:
        """Whether exactly that replica has an entry on disk, or had it until its disk was lost."""
        mirror = self._former.get(member)
        if mirror is None and self.identity(member.host) == member:
            mirror = self._mirrors.get(member.host)
        return mirror is not None and mirror.holds(index, term)

    def is_held(self, voters: Voters, index: int, term: int) -> bool:
        """Whether a majority of `voters` has an entry on disk."""
        count = sum(self.holds(member, index, term) for member in voters)
        return count >= majority(voters)

    # Sets.

    def committed_at(self, index: int) -> Voters:
        for since, voters in reversed(self.committed):
            if since <= index:
                return voters
        return self.committed[0][1]

    def newest(self, mirror: JournalMirror) -> Voters:
        """The set in force on a node: the last one in its log."""
        if mirror.voter_sets:
            return mirror.voter_sets[-1][1]
        return self.committed_at(mirror.base_index)

    def since(self, mirror: JournalMirror, index: int) -> list[Voters]:
        """The set in force at `index` of a log, and each later one: its node may have used any of
        them as entries arrived.
        """
        if not mirror.voter_sets:
            return [self.committed_at(mirror.base_index)]
        later = [voters for at, voters in mirror.voter_sets if at > index]
        earlier = [voters for at, voters in mirror.voter_sets if at <= index]
        return [earlier[-1] if earlier else self.committed_at(mirror.base_index), *later]

    def take(self, index: int, voters: Voters) -> tuple[Voters, Voters]:
        """A set is committed; (before, after)."""
        before = self.current
        self.committed.append((index, voters))
        return before, voters

    # Rules.

    def check_changes(self, mirror: JournalMirror, new_from: int) -> None:
        """Check the new sets of a write; each is judged where it first appears, on the disk of the
        leader that proposed it.
        """
        for position, (index, after) in enumerate(mirror.voter_sets):
            if index < new_from:
                continue
            entry = mirror.entry(index)
            if entry is None or (index, entry.term) in self._seen:
                continue
            self._seen.add((index, entry.term))
            if position:
                made, before = mirror.voter_sets[position - 1]
            else:
                made, before = 0, self.committed_at(mirror.base_index)
            self._check(mirror, (index, entry.term), after, (made, before))

    def _check(
        self,
        mirror: JournalMirror,
        place: tuple[int, int],
        after: Voters,
        previous: tuple[int, Voters],
    ) -> None:
        index, term = place
        made, before = previous
        if after == before:
            return  # The first leader writes the voters that it was formatted with.
        what = f"{mirror.host} changes the voters from {words(before)} to {words(after)} in entry"
        what += f" {index} of term {term}"
        about = About(node=mirror.host, term=term, index=index)
        if len(before ^ after) != 1:
            self._report(
                "voters-changed-by-more-than-one",
                f"{what}: two majorities without a common voter would be possible",
                about=about,
            )
        made_in = mirror.term_at(made)
        known = made > mirror.base_index and made_in is not None
        if known and not self.is_held(before, made, made_in or 0):
            self._report(
                "two-voter-changes-in-flight",
                f"{what}, while no majority has the change before it, entry {made}, on disk",
                about=about,
            )
        first = index
        while mirror.term_at(first - 1) == term:
            first -= 1
        if first > mirror.base_index and not self.is_held(before, first, term):
            self._report(
                "voters-changed-before-own-term",
                f"{what} before a majority has an entry of that term: a later leader might not see"
                " the change",
                about=about,
            )
