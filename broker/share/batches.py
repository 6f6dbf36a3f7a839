"""Delivery states of ranges of offsets, as leaders and the share coordinator exchange them.

Source: KIP-932, "Share-partition state". An offset outside of all ranges was not delivered yet: it
is available, with delivery count 0.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple


class Delivery(enum.IntEnum):
    """The delivery state of a record in a share group; the values are those of Kafka's records.

    ACQUIRED is never written: a new leader treats such a record as available.
    """

    AVAILABLE = 0
    ACQUIRED = 1
    ACKNOWLEDGED = 2
    ARCHIVING = 3
    """To be archived once the group's dead letter queue has it (KIP-1191)."""
    ARCHIVED = 4


COMPLETE = frozenset({Delivery.ACKNOWLEDGED, Delivery.ARCHIVED})
"""The final states."""


class StateBatch(NamedTuple):
    """The offsets from `first` to `last`, inclusive, in one state."""

    first: int
    last: int
    state: Delivery
    deliveries: int
    """Their delivery count."""

    @property
    def size(self) -> int:
        """The number of offsets."""
        return self.last - self.first + 1


_last = attrgetter("last")


def overlay(
    known: Sequence[StateBatch], newer: Iterable[StateBatch], start_offset: int
) -> list[StateBatch]:
    """`known`, overridden by `newer`, without offsets before `start_offset`.

    A record's delivery count and state only increase, so of two batches with the same offset the
    greater one is newer, even if it came first: an abandoned write may arrive late.

    `known` and the result are sorted, without overlaps; adjacent batches in the same state are
    merged. `newer` may overlap and be in any order.
    """
    found = list(known)
    for batch in newer:
        low = high = bisect_left(found, batch.first, key=_last)
        pieces: list[StateBatch] = []
        rest = batch.first
        while high < len(found) and found[high].first <= batch.last:
            old = found[high]
            high += 1
            if old.first < batch.first:
                pieces.append(old._replace(last=batch.first - 1))
                old = old._replace(first=batch.first)
            if rest < old.first:
                pieces.append(batch._replace(first=rest, last=old.first - 1))
            rest = min(old.last, batch.last) + 1
            greater = max(batch, old, key=_progress)
            pieces.append(greater._replace(first=old.first, last=rest - 1))
            if old.last > batch.last:
                pieces.append(old._replace(first=batch.last + 1))
        if rest <= batch.last:
            pieces.append(batch._replace(first=rest))
        found[low:high] = pieces
    return merge(found, start_offset)


def _progress(batch: StateBatch) -> tuple[int, bool, int]:
    # Complete offsets stay so, even if an abandoned rejection (ARCHIVING) arrives late.
    return batch.deliveries, batch.state in COMPLETE, batch.state


def merge(batches: Iterable[StateBatch], start_offset: int = 0) -> list[StateBatch]:
    """Sort batches, drop offsets before `start_offset`, and merge equal neighbours."""
    found: list[StateBatch] = []
    for batch in batches:
        if batch.last < start_offset:
            continue
        if batch.first < start_offset:
            batch = batch._replace(first=start_offset)
        if found:
            before = found[-1]
            if before.last + 1 == batch.first and before[2:] == batch[2:]:
                found[-1] = before._replace(last=batch.last)
                continue
        found.append(batch)
    return found
