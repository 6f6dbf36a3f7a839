"""Cycles among transactions: cyclic information flow, G1c by Adya's name.

A transaction that read another's record comes after it, and so does each transaction of a producer
after its earlier ones. A read_committed consumer receives a record only once its transaction has
ended, so no transaction may come after itself. The order of two writes in a partition is no edge:
Kafka interleaves the records of open transactions on purpose (Jepsen's work on Kafka permits G0 for
that reason).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

_ON_THE_WAY: Final = 1
_DONE: Final = 2


def cycle(after: Mapping[int, Collection[int]]) -> list[int] | None:
    """A path from a node back to itself, with its first node once; None when there is none. `after`
    maps each node to those that it comes after. Takes time in proportion to the edges.
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
