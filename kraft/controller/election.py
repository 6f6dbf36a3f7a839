"""One partition's next state: its leader, ISR and ELR, with the reason.

Theory of operation
- The ISR is the set of replicas that the leader waits for. While it has at least
  min.insync.replicas members, every committed record is on each of them.
- When it shrinks below that, the high watermark stops, and replicas that left keep every committed
  record: they are the ELR, the eligible leader replicas (KIP-966). ISR and ELR are disjoint, and
  together at least min.insync.replicas strong.
- A broker that returns after an unclean shutdown may have lost unflushed records, so it leaves
  both. If that empties both, the last leader is the best remaining replica, and is elected when it
  returns; if its disk was replaced, the replica that left before it. Anything else requires an
  unclean election by the operator.

A leader is elected from the ISR, preferred replica first; from the ELR if the ISR is empty.
Sources: KIP-966, KIP-631, KIP-455 (reassignment), KIP-704 (recovery state), KIP-841.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from raftka.kraft.image import PartitionImage
from raftka.kraft.records import NO_LEADER, RECOVERING, PartitionChangeRecord
from raftka.model.dataclass import dataclass
from raftka.model.reasons import Why

Ids = tuple[int, ...]


class Election(enum.Enum):
    """Which replicas an election may choose."""

    PREFERRED = "preferred"
    """The preferred replica if that is safe; otherwise as ONLINE."""
    ONLINE = "online"
    """The current leader if possible; else another one, only out of ISR or ELR."""
    UNCLEAN = "unclean"
    """As ONLINE, and if no safe replica is alive, any live one: committed records may be lost."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The leader to elect, whether records may be lost by that, and the reason in words."""

    leader: int
    unclean: bool
    words: Why


@dataclass(slots=True)
class PartitionPlan:
    """Collects changes to a partition; `record` combines them in one record."""

    topic_id: bytes
    index: int
    before: PartitionImage
    is_live: Callable[[int], bool]
    """Whether a broker may lead: registered, not fenced, not shutting down."""
    min_isr: int
    cause: Why
    """What caused the change."""
    election: Election = Election.ONLINE
    isr: Ids | None = None
    replicas: Ids | None = None
    adding: Ids | None = None
    removing: Ids | None = None
    recovery_state: int | None = None
    unclean_shutdown: AbstractSet[int] = frozenset()
    """Replicas that may have lost unflushed records: they leave ISR and ELR."""
    wiped: AbstractSet[int] = frozenset()
    """Replicas whose disk was replaced: never elected, not even as the last known leader."""

    def record(self) -> PartitionChangeRecord | None:
        """The change, or None if nothing changes."""
        before = self.before
        goal = self._goal()
        isr, elr, last_known = goal.isr, self._elr(goal), self._last_known(goal)
        verdict = self._elect(goal, elr, last_known)
        leader = reason = None
        recovery = self.recovery_state
        if verdict.leader != before.leader:
            leader, reason = verdict.leader, self.cause.therefore(verdict.words)
            if verdict.unclean:
                # The new leader's log is authoritative from now on; longer replicas truncate to it.
                isr, elr, last_known, recovery = (leader,), (), (), RECOVERING
            elif leader in elr:
                isr, elr = (leader,), _without(elr, (leader,))
            elif leader == NO_LEADER and before.leader in set(goal.replicas) - self.wiped:
                last_known = (before.leader, *_without(last_known, (before.leader,)))
        elif before.has_leader and not set(before.replicas) <= set(goal.replicas):
            # A removed replica must no longer act as a follower in this epoch.
            leader, reason = before.leader, self.cause.therefore(Why("fewer-replicas"))
        if self._suffices(goal, isr):
            elr = last_known = ()
        changes = (
            _changed(isr, before.isr),
            leader,
            _changed(goal.replicas, before.replicas),
            _changed(goal.removing, before.removing_replicas),
            _changed(goal.adding, before.adding_replicas),
            _changed(elr, before.elr),
            _changed(last_known, before.last_known_elr),
            None if recovery == before.leader_recovery_state else recovery,
        )
        if changes == _NOTHING:
            return None
        changes_isr = (isr, elr, goal.replicas) != (before.isr, before.elr, before.replicas)
        if leader is None and verdict.leader == NO_LEADER:
            # Still no leader, but the replica that it waits for may have changed.
            reason = self.cause.therefore(verdict.words)
        return PartitionChangeRecord(
            self.topic_id,
            self.index,
            *changes,
            None if reason is None else str(reason),
            why=None if reason is None else reason.packed(),
            why_changed=self.cause.packed() if changes_isr else None,
        )

    def _goal(self) -> _Goal:
        """The requested assignment and ISR; a reassignment is completed if that ISR allows it."""
        before = self.before
        isr = before.isr if self.isr is None else self.isr
        goal = _Goal(
            before.replicas if self.replicas is None else self.replicas,
            _without(isr, self.unclean_shutdown),
            before.adding_replicas if self.adding is None else self.adding,
            before.removing_replicas if self.removing is None else self.removing,
        )
        return goal.completed(self.min_isr) or goal

    def _suffices(self, goal: _Goal, isr: Ids) -> bool:
        """Whether records that this whole ISR has count as committed."""
        return len(isr) >= min(self.min_isr, len(goal.replicas))

    def _elr(self, goal: _Goal) -> Ids:
        if self._suffices(goal, goal.isr):
            return ()
        candidates = (*self.before.elr, *_without(self.before.isr, self.before.elr))
        gone = {*goal.isr, *self.unclean_shutdown}
        return tuple(each for each in candidates if each in goal.replicas and each not in gone)

    def _last_known(self, goal: _Goal) -> Ids:
        """Replicas that had all committed records until an unclean shutdown, last leader first."""
        before = self.before
        if self._suffices(goal, goal.isr):
            return ()
        head = before.last_known_elr[:1]
        trusted = {*before.elr, *before.isr, *goal.isr} - self.unclean_shutdown
        known = dict.fromkeys([*before.last_known_elr, *before.elr, *before.isr])
        return tuple(
            each
            for each in known
            if each in goal.replicas
            and each not in self.wiped
            and ((each,) == head or each not in trusted)
        )

    def _elect(self, goal: _Goal, elr: Ids, last_known: Ids) -> Verdict:
        current = self.before.leader

        def may_lead(replica: int) -> bool:
            eligible = goal.isr or elr
            return replica in eligible and replica in goal.replicas and self.is_live(replica)

        preferred = goal.replicas[0]
        if self.election is Election.PREFERRED and may_lead(preferred):
            return Verdict(preferred, False, Why("preferred-in-sync", leader=preferred))
        if may_lead(current):
            return Verdict(current, False, Why("goes-on", leader=current))
        for replica in goal.replicas:
            if may_lead(replica):
                return Verdict(replica, False, _why_safe(replica, preferred, goal.isr, elr))
        if not goal.isr and not elr and last_known and self.is_live(last_known[0]):
            return Verdict(last_known[0], True, Why("last-known", leader=last_known[0]))
        if self.election is Election.UNCLEAN:
            for replica in goal.replicas:
                if self.is_live(replica):
                    return Verdict(replica, True, Why("any-live", leader=replica))
        return Verdict(NO_LEADER, False, _why_nobody(goal.isr, elr, last_known))


@dataclass(frozen=True, slots=True)
class _Goal:
    """The assignment and the ISR that a plan aims at."""

    replicas: Ids
    isr: Ids
    adding: Ids
    removing: Ids

    def completed(self, min_isr: int) -> _Goal | None:
        """The state after the reassignment, or None if there is none or it cannot be completed yet.

        It is completed when all added replicas are in sync, and the remaining ISR is large enough
        for committed records. (For Apache Kafka a single member is enough; but then one lost disk
        loses records that min.insync.replicas promises to keep on several.)
        """
        if not self.adding and not self.removing:
            return None
        isr = _without(self.isr, self.removing)
        replicas = _without(self.replicas, self.removing)
        if not replicas or not set(self.adding) <= set(isr):
            return None
        if len(isr) < min(min_isr, len(replicas)):
            return None
        return _Goal(replicas, isr, (), ())


def _why_safe(leader: int, preferred: int, isr: Ids, elr: Ids) -> Why:
    if not isr:
        return Why("of-elr", leader=leader, elr=elr)
    if leader == preferred:
        return Why("preferred-of-isr", leader=leader, isr=isr)
    return Why("first-of-isr", leader=leader, isr=isr)


def _why_nobody(isr: Ids, elr: Ids, last_known: Ids) -> Why:
    if isr or elr:
        return Why("nobody-live", waiting=(*isr, *elr))
    if last_known:
        return Why("nobody-known", waiting=last_known[0])
    return Why("nobody-left")


def _without(ids: Ids, others: AbstractSet[int] | Ids) -> Ids:
    return tuple(each for each in ids if each not in others)


_NOTHING: Final = (None,) * 8


def _changed(new: Ids, old: Ids) -> Ids | None:
    return None if new == old else new
