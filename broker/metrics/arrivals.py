"""How long the first unread record of a group has been waiting. Pure.

If this broker leads the partition, the record's batch has the time. For partitions of other
leaders, the end offsets at earlier scrapes bound the time: a record beyond the end at one scrape,
and below it at the next, arrived between them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from raftka.model.ids import TopicPartition

_SAMPLES: Final = 120
"""At a scrape interval of 15 s, half an hour."""

FirstMs = Callable[[TopicPartition, int], int | None]
"""When the record at an offset was written (ms since 1970); None if unknown here."""


class Position(NamedTuple):
    """The position of a group in a partition."""

    group_id: str
    at: TopicPartition
    offset: int
    done_beyond: int = 0
    """The number of completed records after the offset, for share groups."""

    def lag(self, end: int) -> int:
        """The number of unread records, never negative: `end` may be older than the offset."""
        return max(0, end - self.offset - self.done_beyond)


class Arrivals:
    """The end offsets of earlier scrapes."""

    def __init__(self, first_ms: FirstMs) -> None:
        self._first_ms = first_ms
        self._ends: dict[TopicPartition, deque[tuple[int, int]]] = {}
        """(time, end offset) for each partition, oldest first."""

    def look(self, ends: Mapping[TopicPartition, int], now_ms: int) -> None:
        """Store the end offsets of a scrape, and drop partitions without one."""
        self._ends = {at: self._ends.get(at, deque(maxlen=_SAMPLES)) for at in ends}
        for at, end in ends.items():
            samples = self._ends[at]
            if not samples or samples[-1][1] != end:
                samples.append((now_ms, end))

    def seconds(
        self, positions: Iterable[Position], ends: Mapping[TopicPartition, int], now_ms: int
    ) -> dict[Position, float]:
        """How long each group's first unread record has waited, 0 without one; call `look` first.

        Never negative. If no scrape has seen the record arrive, it is at least as old as the first
        scrape, and that is returned.
        """
        found: dict[Position, float] = {}
        for each in positions:
            if each.at in ends:
                is_behind = each.lag(ends[each.at]) > 0
                waits_ms = now_ms - self._since_ms(each, now_ms) if is_behind else 0
                found[each] = max(0, waits_ms) / 1000
        return found

    def _since_ms(self, position: Position, now_ms: int) -> int:
        known = self._first_ms(position.at, position.offset)
        if known is not None and known >= 0:
            return known
        for seen_ms, end in self._ends[position.at]:
            if end > position.offset:
                return seen_ms
        return now_ms
