"""The promises of a share group (KIP-932), checked against deliveries and acknowledgements. Pure.

- An acknowledged record is never delivered again.
- While one member has acquired a record, the same leader delivers it to no other.
- An acknowledgement counts only from the member that has acquired the record.
- No record is delivered more often than the limit.
- A dead letter has a record that was rejected, or delivered up to the limit (KIP-1191).
- A record that was not acknowledged, and not delivered up to the limit, is delivered again: none is
  skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from raftka.model.ids import TopicPartition
from raftka.simulations.checkers.looks import Looks

Report = Callable[[str, str], None]
"""(name of a violation, its story)"""


class Where(NamedTuple):
    """One record of the group's topics."""

    partition: TopicPartition
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}@{self.offset}"


def _always() -> bool:
    return True


@dataclass
class _Held:
    """A record that a member has acquired, and until when."""

    member: str
    leader_epoch: int
    since_s: float
    until_s: float
    is_connected: Callable[[], bool]
    has_said: bool = False
    """Whether the member has acknowledged it: then the leader may have released it."""

    def lasts(self, leader_epoch: int, now_s: float) -> bool:
        """Whether the leader of that epoch must know of the acquisition."""
        is_known = self.leader_epoch == leader_epoch and now_s < self.until_s
        return is_known and self.is_connected()


class ShareChecker:
    """All deliveries and acknowledgements of one share group."""

    def __init__(
        self, limit: int, lock_s: float, report: Report, looks: Looks | None = None
    ) -> None:
        """`limit`: of deliveries; `lock_s`: how long a member holds a record at least."""
        self.looks = Looks() if looks is None else looks
        self._limit = limit
        self._lock_s = lock_s
        self._report = report
        self._held: dict[Where, _Held] = {}
        self._over: dict[Where, float] = {}
        """Records certainly acknowledged, and when."""
        self._counts: dict[Where, int] = {}
        self._doubtful: set[Where] = set()
        """Records acknowledged in a request whose outcome is unknown."""
        self._rejected: set[Where] = set()
        """Records that a member has rejected, whether or not that counts."""
        self._accepted: set[Where] = set()
        """Records that a member has accepted, whether or not that counts: if it does, they have no
        dead letter, though a leader that does not know of it accepts a rejection, too.
        """
        self._surely_rejected: set[Where] = set()
        """Records whose rejection the leader confirmed to the member that held them."""

    @property
    def over_count(self) -> int:
        """How many records were certainly acknowledged."""
        return len(self._over)

    def forget(self) -> None:
        """An administrator resets the group's offsets: acknowledged records may come again."""
        self._held.clear()
        self._over.clear()
        self._counts.clear()
        self._doubtful.clear()
        self._rejected.clear()
        self._accepted.clear()
        self._surely_rejected.clear()

    def delivered(
        self,
        member: str,
        where: Where,
        count: int,
        leader_epoch: int,
        asked_s: float,
        now_s: float,
        is_connected: Callable[[], bool] = _always,
    ) -> None:
        """A member receives a record in the answer to a request that it sent at `asked_s`; it holds
        the record only while it `is_connected`.
        """
        self.looks("acknowledged-delivered-again", "delivered-beyond-limit", "delivered-to-two")
        over_s = self._over.get(where)
        if over_s is not None and over_s <= asked_s:
            self._report(
                "acknowledged-delivered-again",
                f"{where} was acknowledged by {over_s:.3f} s, and is delivered to {member} that"
                f" asked at {asked_s:.3f} s",
            )
        if count > self._limit:
            self._report(
                "delivered-beyond-limit",
                f"{where} is delivered to {member} for time {count}; the limit is {self._limit}",
            )
        held = self._held.get(where)
        if held is not None and held.member != member and held.lasts(leader_epoch, now_s):
            self._report(
                "delivered-to-two",
                f"{where} is delivered to {member} at {now_s:.3f} s, and {held.member} holds it"
                f" until {held.until_s:.3f} s",
            )
        self.counted(where, count)
        until_s = asked_s + self._lock_s
        self._held[where] = _Held(member, leader_epoch, now_s, until_s, is_connected)

    def counted(self, where: Where, count: int) -> None:
        """A record was delivered with that delivery count, maybe by a leader that was replaced."""
        self._counts[where] = max(count, self._counts.get(where, 0))

    def renewed(self, member: str, where: Where, said_s: float) -> None:
        """The leader confirmed a renewal, which the member sent at that time."""
        held = self._held.get(where)
        if held is not None and held.member == member:
            held.until_s = max(held.until_s, said_s + self._lock_s)

    def let_go(self, member: str, where: Where) -> None:
        """A member may no longer hold a record that it has released."""
        held = self._held.get(where)
        if held is not None and held.member == member:
            del self._held[where]

    def all_let_go(self, member: str) -> None:
        """A member's connection has gone: what it held may go to others."""
        for where in [where for where, held in self._held.items() if held.member == member]:
            del self._held[where]

    def acknowledged(
        self,
        where: Where,
        now_s: float,
        *,
        member: str = "",
        said_s: float = 0.0,
        epoch: int = -1,
        is_rejected: bool = False,
    ) -> None:
        """The leader confirmed that a record is accepted or rejected, as the member requested at
        `said_s`. `epoch` is the leader's; -1 where it is unknown, or where the record may be gone.
        A leader confirms to any member, too, what is already settled.
        """
        held = self._held.get(where)
        if epoch >= 0:
            self.looks("acknowledged-by-another")
        if held is not None and held.lasts(epoch, now_s):
            if held.member == member:
                if is_rejected and where not in self._accepted:
                    self._surely_rejected.add(where)
            elif held.since_s <= said_s and not held.has_said:
                self._report(
                    "acknowledged-by-another",
                    f"{member} acknowledges {where} at {said_s:.3f} s, and that counts;"
                    f" {held.member} was given it at {held.since_s:.3f} s, by the same leader",
                )
        self._over.setdefault(where, now_s)
        self._held.pop(where, None)

    def said(self, member: str, where: Where) -> None:
        """A member acknowledges a record, or reports a gap at that offset."""
        held = self._held.get(where)
        if held is not None and held.member == member:
            held.has_said = True

    def in_doubt(self, where: Where, *, is_rejected: bool = False) -> None:
        """A member has acknowledged a record, and does not know whether that counts."""
        self._doubtful.add(where)
        (self._rejected if is_rejected else self._accepted).add(where)

    def missing(self, all_records: Iterable[Where]) -> list[Where]:
        """The records that the group still has to deliver."""
        return [
            where
            for where in all_records
            if where not in self._over
            and where not in self._doubtful
            and self._counts.get(where, 0) < self._limit
        ]

    def letters_found(self, letters: Iterable[Where]) -> list[Where]:
        """Check the dead letters in the queue; returns certainly rejected records without one."""
        found = set(letters)
        for where in sorted(found):
            self.looks("dead-letter-of-nobody")
            if where not in self._rejected and self._counts.get(where, 0) < self._limit:
                self._report(
                    "dead-letter-of-nobody",
                    f"there is a dead letter of {where}, which no member has rejected, and which"
                    f" was delivered {self._counts.get(where, 0)} times; the limit is"
                    f" {self._limit}",
                )
        return sorted(self._surely_rejected - found)
