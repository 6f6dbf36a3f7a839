"""The state of transactions during a cleaning, in the order of the log.

Records of aborted transactions are removed. A marker stays as long as batches of its transaction
exist; then it gets a delete horizon, as a tombstone does (KIP-534). Aborted transactions are known
before their batches are read, from the `.txnindex` files.
"""

from __future__ import annotations

from collections.abc import Iterable

from raftka.model.record_batch import BatchHeader
from raftka.storage.transaction_index import AbortedTransaction


class TransactionsPassed:
    """The state at the cleaning's position."""

    __slots__ = ("_aborted", "_aborting", "_committing", "_observed", "kept")

    def __init__(self, aborted: Iterable[AbortedTransaction]) -> None:
        self._aborted = sorted(aborted, key=lambda each: each.first_offset, reverse=True)
        self._aborting: dict[int, AbortedTransaction] = {}
        self._observed: set[int] = set()
        """Producers with a batch of the current aborted transaction."""
        self._committing: set[int] = set()
        self.kept: list[AbortedTransaction] = []
        """Aborted transactions that still have a batch, for the cleaned segment's index."""

    def is_aborted(self, header: BatchHeader) -> bool:
        """Record a batch with records; return whether its transaction was aborted."""
        if self._aborted:
            self._advance(header.last_offset)
        if not header.is_transactional:
            return False
        if header.producer_id in self._aborting:
            self._observed.add(header.producer_id)
            return True
        self._committing.add(header.producer_id)
        return False

    def are_committed(self, header: BatchHeader) -> bool:
        """Record a batch whose records are surely committed; False leaves it to `is_aborted`.

        It may be called ahead of time, and repeatedly: only a marker resets what it records.
        """
        if self._aborted and self._aborted[-1].first_offset <= header.last_offset:
            return False
        if header.is_transactional:
            if header.producer_id in self._aborting:
                return False
            self._committing.add(header.producer_id)
        return True

    def has_nothing_left(self, header: BatchHeader, *, commits: bool) -> bool:
        """Record an end marker; return whether no batch of its transaction was seen."""
        self._advance(header.last_offset)
        producer_id = header.producer_id
        if commits:
            if producer_id in self._committing:
                self._committing.remove(producer_id)
                return False
            return True
        aborted = self._aborting.pop(producer_id, None)
        if aborted is None or producer_id not in self._observed:
            return True
        self._observed.remove(producer_id)
        self.kept.append(aborted)
        return False

    def _advance(self, offset: int) -> None:
        while self._aborted and self._aborted[-1].first_offset <= offset:
            begun = self._aborted.pop()
            self._aborting.setdefault(begun.producer_id, begun)
