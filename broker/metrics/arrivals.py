"""For how long the first record that a group has not read has been there. Pure.

Where this broker leads the partition, its batch has the time. Of partitions that others lead, the
ends at former scrapes say when the record had come by: what was not there at one scrape, and was at
the next, has come between them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from raftka.model.ids import TopicPartition

_SAMPLES: Final = 120
"""At a scrape every 15 s, half an hour."""

FirstMs = Callable[[TopicPartition, int], int | None]
"""When the record at an offset was written (ms since 1970); None when that is not known here."""


class Position(NamedTuple):
    """How far a group has come in a partition."""

    group_id: str
    at: TopicPartition
    offset: int
    done_beyond: int = 0
    """How many of the records from the offset on are done: share groups finish them in any
    order."""

    def lag(self, end: int) -> int:
        """Records that wait to be read, never negative: `end` may be older than the offset."""
        return max(0, end - self.offset - self.done_beyond)


class Arrivals:
    """Remembers the ends that scrapes have seen."""

    def __init__(self, first_ms: FirstMs) -> None:
        self._first_ms = first_ms
        self._ends: dict[TopicPartition, deque[tuple[int, int]]] = {}
        """(when, end) for each partition, the oldest first."""

    def look(self, ends: Mapping[TopicPartition, int], now_ms: int) -> None:
        """A scrape has seen these ends; partitions without one are forgotten."""
        self._ends = {at: self._ends.get(at, deque(maxlen=_SAMPLES)) for at in ends}
        for at, end in ends.items():
            samples = self._ends[at]
            if not samples or samples[-1][1] != end:
                samples.append((now_ms, end))

    def seconds(
        self, positions: Iterable[Position], ends: Mapping[TopicPartition, int], now_ms: int
    ) -> dict[Position, float]:
        """For how long each group's first unread record has waited, 0 without one; after `look`.

        Never negative. What is not known, because no scrape has seen it come, is as old as the
        first scrape at least, and that is said.
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
