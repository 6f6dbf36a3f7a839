"""The open transactions of one partition, and its last stable offset.

A read_committed consumer gets records before the last stable offset: the first offset of the oldest
open transaction, or the high watermark. An ended transaction counts as open until its marker is
below the high watermark: another leader might not have the marker (KIP-98).
"""

from __future__ import annotations

from collections import deque
from typing import Final

from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.storage.transaction_index import AbortedTransaction

EVERYTHING_STABLE: Final = 2**63 - 1


class OpenTransactions:
    """The open transactions of one log."""

    __slots__ = ("_first_offsets", "_waits", "ended", "first_unstable")

    def __init__(self, rules_off: RulesOff = ALL_HOLD) -> None:
        self.first_unstable = EVERYTHING_STABLE
        """The first offset of the oldest transaction that is open, or whose end is not committed;
        EVERYTHING_STABLE without one."""
        self._first_offsets: dict[int, int] = {}
        """By producer id, ascending, since offsets grow."""
        self.ended: deque[tuple[int, int]] = deque()
        """(offset of the marker, first offset) of transactions with a maybe uncommitted marker."""
        self._waits = Rule.MARKERS_ARE_COMMITTED_FIRST not in rules_off

    def __len__(self) -> int:
        return len(self._first_offsets)

    def begin(self, producer_id: int, first_offset: int) -> None:
        """The producer has appended the first batch of a transaction."""
        self._first_offsets[producer_id] = first_offset
        if first_offset < self.first_unstable:
            self.first_unstable = first_offset

    def end(self, producer_id: int, marker_offset: int) -> AbortedTransaction | None:
        """The producer's transaction has its marker; return the index entry if it is an abort.

        None if the producer has no open transaction.
        """
        first_offset = self._first_offsets.pop(producer_id, None)
        if first_offset is None:
            return None
        if self._waits:
            self.ended.append((marker_offset, first_offset))
        else:
            self._find_first()
        stable = next(iter(self._first_offsets.values()), marker_offset + 1)
        return AbortedTransaction(producer_id, first_offset, marker_offset, stable)

    def forget(self, producer_id: int) -> None:
        """Drop the producer's transaction, if there is one: it will never be ended."""
        if self._first_offsets.pop(producer_id, None) is not None:
            self._find_first()

    def committed(self, high_watermark: int) -> None:
        """Everything before the high watermark is committed, including markers."""
        ended = self.ended
        if not ended or ended[0][0] >= high_watermark:
            return
        while ended and ended[0][0] < high_watermark:
            ended.popleft()
        self._find_first()

    def restore(self, first_offsets: dict[int, int]) -> None:
        """Restore the open transactions of a snapshot: first offsets by producer id."""
        self.ended.clear()
        self._first_offsets = dict(sorted(first_offsets.items(), key=lambda each: each[1]))
        self._find_first()

    def _find_first(self) -> None:
        first = next(iter(self._first_offsets.values()), EVERYTHING_STABLE)
        self.first_unstable = min((each[1] for each in self.ended), default=first)
        if first < self.first_unstable:
            self.first_unstable = first
