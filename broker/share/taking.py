"""The records that one fetch acquires in a share-partition, and their grouping in the answer."""

from __future__ import annotations

from raftka.broker.share.batches import Delivery
from raftka.broker.share.ranges import Range
from raftka.broker.share.terms import Acquired, Wish


class Taking:
    """Acquires ranges for one member, up to its limit."""

    def __init__(self, member: str, deadline_s: float, wish: Wish) -> None:
        self.wish = wish
        self.acquired: list[Acquired] = []
        self._member = member
        self._deadline_s = deadline_s
        self._taken = 0
        self._may_join = False
        """Whether the next range may be merged with the previous one."""

    @property
    def is_full(self) -> bool:
        return self._taken >= self.wish.records

    def begin_batch(self) -> None:
        """The next ranges belong to another batch of the log."""
        if self.acquired:
            last = self.acquired[-1]
            self._may_join = last.last - last.first + 1 < self.wish.batch_size

    def fitting(self, first: int, last: int) -> int:
        """The last offset that the member may acquire, from `first` on."""
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
    """(the last offset to acquire, whether to acquire nothing else): records that fail repeatedly
    are delivered in smaller and smaller pieces, and the last time (by the delivery `limit`) alone,
    so that one bad record does not affect good ones."""
    begins = max(2, (limit + 1) // 2)
    if each.deliveries < begins:
        return last, False
    left = each.size >> (each.deliveries - begins + 1)
    if each.deliveries >= limit - 1 or left < 1:
        left = 1
    return min(last, first + left - 1), True
