"""Counts the records that were acknowledged and read, and the gaps between acknowledgements.

Pure: the caller passes each event with its time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class Verdict(NamedTuple):
    """The counts behind the verdict. A record is known by the number of its line."""

    sent: int
    acknowledged: int
    failed: int
    """Records that were reported to the producer as not written."""
    read: int
    """Different records that the group read."""
    lost: int
    """Records that were acknowledged, but never read."""
    duplicated: int
    """Records that are in the log more than once: the producer is idempotent, so none may be."""
    read_again: int
    """Records read more than once from the same offset, as members may after a rebalance."""
    unknown: int
    """Records whose content differs from what was sent."""

    @property
    def kept(self) -> bool:
        """Whether every acknowledged record is there, once."""
        return not (self.lost or self.duplicated or self.unknown or self.failed)


class Ledger:
    """The account of one run."""

    def __init__(self) -> None:
        self.sent = 0
        self.failed: list[str] = []
        self.acknowledged: dict[int, tuple[int, int]] = {}
        """(partition, offset) by line number."""
        self.reads = 0
        self._places: dict[int, Counter[tuple[int, int]]] = {}
        self._unknown = 0
        self._acks: dict[int, list[float]] = {}

    def note_ack(self, number: int, partition: int, offset: int, now: float) -> None:
        """The cluster acknowledged a record."""
        self.acknowledged[number] = (partition, offset)
        times = self._acks.setdefault(partition, [])
        # A batch acknowledges many records at one time; one entry is enough.
        if not times or times[-1] != now:
            times.append(now)

    def note_failure(self, number: int, words: str) -> None:
        """The producer gave up on a record."""
        self.failed.append(f"line {number}: {words}")

    def note_read(self, number: int, partition: int, offset: int, *, intact: bool) -> None:
        """A member of the group read a record."""
        self.reads += 1
        self._places.setdefault(number, Counter())[partition, offset] += 1
        if not intact:
            self._unknown += 1

    @property
    def read(self) -> int:
        """The number of different records read so far."""
        return len(self._places)

    def unread(self) -> int:
        """Acknowledged records that no member has read yet."""
        return sum(number not in self._places for number in self.acknowledged)

    def verdict(self) -> Verdict:
        """The account so far."""
        places = self._places.values()
        return Verdict(
            sent=self.sent,
            acknowledged=len(self.acknowledged),
            failed=len(self.failed),
            read=len(self._places),
            lost=self.unread(),
            duplicated=sum(len(each) - 1 for each in places),
            read_again=sum(each.total() - len(each) for each in places),
            unknown=self._unknown,
        )

    def outage(self, partitions: Iterable[int], since: float) -> float | None:
        """Seconds without an acknowledgement after `since`, on the partition with the longest gap.

        None while a partition has had none since then. An acknowledgement that was already on its
        way when the broker died does not come from the new leader, so the longest gap counts, not
        the first.
        """
        longest = 0.0
        for partition in partitions:
            times = self._acks.get(partition, [])
            before = max((each for each in times if each <= since), default=since)
            after = [each for each in times if each > since]
            if not after:
                return None
            points = [max(before, since), *after]
            longest = max(longest, *(b - a for a, b in zip(points, after, strict=False)))
        return longest
