"""The offsets of a share-partition between its start and its end: ranges in one state each.

The ranges cover every offset from the first to the last without gaps, in order. Equal neighbours
are merged, so that the cost grows with the number of differences, not of records.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from math import inf
from operator import attrgetter
from typing import Final

from raftka.broker.share.batches import COMPLETE, Delivery
from raftka.broker.share.terms import Cause, DeadLetter

NOBODY: Final = ""
SETTLED: Final = 0
"""The write number of a range that waits for no write."""


class Range:
    """Offsets with the same state. Only `Ranges` changes `first` and `last`."""

    __slots__ = ("cause", "deadline_s", "deliveries", "first", "last", "member", "state", "write")

    def __init__(
        self, first: int, last: int, state: Delivery = Delivery.AVAILABLE, deliveries: int = 0
    ) -> None:
        self.first = first
        self.last = last
        self.state = state
        self.deliveries = deliveries
        self.member = NOBODY
        """The member that has acquired it; kept while its acknowledgement is being written."""
        self.deadline_s = inf
        """When its acquisition expires, in monotonic seconds."""
        self.write = SETTLED
        """The write that must be committed before the state is final."""
        self.cause: Cause | None = None
        """Why it becomes a dead letter; None once it is on its way to the queue."""

    @property
    def size(self) -> int:
        """The number of offsets."""
        return self.last - self.first + 1

    @property
    def may_be_acquired(self) -> bool:
        """Whether it is available, and no pending write can change that."""
        return self.state is Delivery.AVAILABLE and not self.write

    @property
    def is_over(self) -> bool:
        """Whether it is complete, and no pending write can change that."""
        return self.state in COMPLETE and not self.write

    def differs(self, other: Range) -> bool:
        """Whether the two must not be merged."""
        return (
            self.state is not other.state
            or self.deliveries != other.deliveries
            or self.member != other.member
            or self.deadline_s != other.deadline_s
            or self.write != other.write
            or self.cause is not other.cause
        )

    def _tail(self, first: int) -> Range:
        """A copy of the range for the offsets from `first` on."""
        tail = Range(first, self.last, self.state, self.deliveries)
        tail.member, tail.deadline_s, tail.write = self.member, self.deadline_s, self.write
        tail.cause = self.cause
        return tail


_first = attrgetter("first")


class Ranges:
    """All ranges of a share-partition."""

    __slots__ = ("_listed", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        """The first offset that is covered."""
        self._listed: list[Range] = []

    def __iter__(self) -> Iterator[Range]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)

    @property
    def end(self) -> int:
        """The offset after the last one."""
        return self._listed[-1].last + 1 if self._listed else self.start

    def append(self, added: Range) -> None:
        """Add offsets at the end."""
        assert added.first == self.end, (added.first, self.end)
        self._listed.append(added)

    def between(self, first: int, last: int) -> list[Range]:
        """Ranges that consist of exactly these offsets, as far as they are covered.

        Call `tidy` after changing them.
        """
        self._cut_at(first)
        self._cut_at(last + 1)
        low = self._place(first)
        found = []
        for each in self._listed[low:]:
            if each.first > last:
                break
            found.append(each)
        return found

    def overlapping(self, first: int, last: int) -> list[Range]:
        """The ranges that contain some of these offsets, unchanged."""
        found = []
        for each in self._listed[max(0, self._place(first)) :]:
            if each.first > last:
                break
            if each.last >= first:
                found.append(each)
        return found

    def tidy(self) -> None:
        """Merge equal neighbours."""
        kept: list[Range] = []
        for each in self._listed:
            if kept and not kept[-1].differs(each):
                kept[-1].last = each.last
            else:
                kept.append(each)
        self._listed = kept

    def take_dead_letters(self, limit: int) -> tuple[list[DeadLetter], bool]:
        """(records for the dead letter queue, whether a pending write will add more).

        `limit`: the delivery limit, from which the reason is derived if only a previous leader knew
        it.
        """
        found: list[DeadLetter] = []
        has_more = False
        for each in self._listed:
            cause = each.cause
            if cause is None:
                continue
            if each.write:
                has_more = True
                continue
            if cause is Cause.FORGOTTEN:
                cause = Cause.EXCEEDED if each.deliveries >= limit else Cause.REJECTED
            found.append(DeadLetter(each.first, each.last, each.deliveries, cause))
            each.cause = None
        return found, has_more

    def begin_at(self, start: int) -> None:
        """Drop all offsets before `start`; if nothing is left, `start` is the end too."""
        self._cut_at(start)
        self._listed = self._listed[self._place(start) :] if start < self.end else []
        self.start = max(self.start, start)

    def _place(self, offset: int) -> int:
        """The index of the range with the offset; of the first range for an offset before all."""
        return max(0, bisect_right(self._listed, offset, key=_first) - 1)

    def _cut_at(self, offset: int) -> None:
        """Split the range that contains the offset, so that one starts there."""
        if not self._listed:
            return
        place = self._place(offset)
        within = self._listed[place]
        if within.first < offset <= within.last:
            tail = within._tail(offset)
            within.last = offset - 1
            self._listed.insert(place + 1, tail)
