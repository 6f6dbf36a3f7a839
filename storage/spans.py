"""A set of disjoint intervals of a file, merged when they touch."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class Spans:
    """Intervals [start, end) of positions. Those that touch are merged."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def covers(self, start: int, end: int) -> bool:
        """Whether all of [start, end) is in one interval."""
        slot = bisect_right(self._starts, start) - 1
        return slot >= 0 and end <= self._ends[slot]

    def add(self, start: int, end: int) -> None:
        """Include [start, end)."""
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
