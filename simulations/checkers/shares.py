"""The promises of a share group (KIP-932), checked against deliveries and acknowledgements. Pure.

- An acknowledged record is never delivered again.
- While one member has acquired a record, the same leader delivers it to no other.
- No record is delivered more often than the limit.
- A record that was not acknowledged, and not delivered up to the limit, is delivered again: none is
skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from raftka.model.ids import TopicPartition

Report = Callable[[str, str], None]
"""(name of a violation, its story)"""


class Where(NamedTuple):
    """One record of the group's topics."""

    partition: TopicPartition
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}@{self.offset}"


@dataclass
class _Held:
    """A record that a member has, and until when."""

    member: str
    leader_epoch: int
    until_s: float


class ShareChecker:
    """All deliveries and acknowledgements of one share group."""

    def __init__(self, limit: int, lock_s: float, report: Report) -> None:
        self._limit = limit
        self._lock_s = lock_s
        self._report = report
        self._held: dict[Where, _Held] = {}
        self._over: dict[Where, float] = {}
        """Records certainly acknowledged, and when."""
        self._counts: dict[Where, int] = {}
        self._doubtful: set[Where] = set()
        """Records acknowledged by a request whose outcome is unknown."""

    @property
    def over_count(self) -> int:
        """How many records were acknowledged for sure."""
        return len(self._over)

    def delivered(
        self, member: str, where: Where, count: int, leader_epoch: int, asked_s: float, now_s: float
    ) -> None:
        """A member is given a record, by an answer to what it has asked at `asked_s`."""
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
        if (
            held is not None
            and held.member != member
            and held.leader_epoch == leader_epoch
            and now_s < held.until_s
        ):
            self._report(
                "delivered-to-two",
                f"{where} is delivered to {member} at {now_s:.3f} s, and {held.member} holds it"
                f" until {held.until_s:.3f} s",
            )
        self._counts[where] = max(count, self._counts.get(where, 0))
        self._held[where] = _Held(member, leader_epoch, asked_s + self._lock_s)

    def let_go(self, where: Where) -> None:
        """A member may no longer hold a record: it has released it, or has gone."""
        self._held.pop(where, None)

    def all_let_go(self, member: str) -> None:
        """A member's connection has gone: what it held may go to others."""
        for where in [where for where, held in self._held.items() if held.member == member]:
            del self._held[where]

    def acknowledged(self, where: Where, now_s: float) -> None:
        """A member was answered that a record is accepted, or rejected."""
        self._over.setdefault(where, now_s)
        self._held.pop(where, None)

    def in_doubt(self, where: Where) -> None:
        """A member has acknowledged a record, and does not know whether that counts."""
        self._doubtful.add(where)

    def missing(self, all_records: Iterable[Where]) -> list[Where]:
        """The records that the group still has to deliver."""
        return [
            where
            for where in all_records
            if where not in self._over
            and where not in self._doubtful
            and self._counts.get(where, 0) < self._limit
        ]
