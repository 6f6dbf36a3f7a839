"""Cycles among transactions: cyclic information flow, G1c by Adya's name.

A transaction that read a record of another one comes after it, and each transaction of a producer
comes after its former ones. Readers of committed records are given a record when its transaction
has ended, so that no transaction may, through others, come after itself. The order of two writes in
a partition is no edge: Kafka interleaves the records of open transactions on purpose (Jepsen's work
on Kafka permits G0 for that reason).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

_ON_THE_WAY: Final = 1
_DONE: Final = 2


def cycle(after: Mapping[int, Collection[int]]) -> list[int] | None:
    """A way from a node back to itself, its first node once; None when there is none.

    `after` has for each node those that it comes after. Takes time in proportion to the edges.
    """
    marks: dict[int, int] = {}
    for first in after:
        if first in marks:
            continue
        way, left = [first], [_edges(after, first)]
        marks[first] = _ON_THE_WAY
        while way:
            following = next(left[-1], None)
            if following is None:
                marks[way.pop()] = _DONE
                left.pop()
            elif marks.get(following) == _ON_THE_WAY:
                return way[way.index(following) :]
            elif following not in marks:
                marks[following] = _ON_THE_WAY
                way.append(following)
                left.append(_edges(after, following))
    return None


def _edges(after: Mapping[int, Collection[int]], node: int) -> Iterator[int]:
    return iter(sorted(after.get(node, ())))
