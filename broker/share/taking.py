"""What one fetch acquires of a share-partition, and in which pieces it is answered."""

from __future__ import annotations

from raftka.broker.share.batches import Delivery
from raftka.broker.share.ranges import Range
from raftka.broker.share.terms import Acquired, Wish


class Taking:
    """Gives ranges to one member, up to what it wishes."""

    def __init__(self, member: str, deadline_s: float, wish: Wish) -> None:
        self.wish = wish
        self.acquired: list[Acquired] = []
        self._member = member
        self._deadline_s = deadline_s
        self._taken = 0
        self._may_join = False
        """Whether the next range may be in one piece with the one before."""

    @property
    def is_full(self) -> bool:
        return self._taken >= self.wish.records

    def begin_batch(self) -> None:
        """The next ranges are of another batch of the log."""
        if self.acquired:
            last = self.acquired[-1]
            self._may_join = last.last - last.first + 1 < self.wish.batch_size

    def fitting(self, first: int, last: int) -> int:
        """Up to where the member may be given, from `first` on."""
        return min(last, first + self.wish.records - self._taken - 1) if self.wish.strict else last

    def take(self, taken: Range) -> None:
        taken.state, taken.member, taken.deadline_s = (
            Delivery.ACQUIRED,
            self._member,
            self._deadline_s,
        )
        taken.deliveries += 1
        self._taken += taken.size
        if self.acquired and self._may_join:
            last = self.acquired[-1]
            if last.last + 1 == taken.first and last.deliveries == taken.deliveries:
                self.acquired[-1] = last._replace(last=taken.last)
                return
        self.acquired.append(Acquired(taken.first, taken.last, taken.deliveries))
        self._may_join = True


def throttled(each: Range, first: int, last: int, limit: int) -> tuple[int, bool]:
    """(up to where to take, whether nothing else goes along): records that fail again and again
    are delivered in smaller and smaller pieces, and for the last time, by the `limit` of
    deliveries, alone, so that one bad record takes no good ones with it."""
    begins = max(2, (limit + 1) // 2)
    if each.deliveries < begins:
        return last, False
    left = each.size >> (each.deliveries - begins + 1)
    if each.deliveries >= limit - 1 or left < 1:
        left = 1
    return min(last, first + left - 1), True
