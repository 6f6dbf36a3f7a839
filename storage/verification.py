"""Guards: proof that a transaction's first write in a partition was agreed with its coordinator.

Before a producer's first batch of a transaction is appended, the coordinator is asked whether the
partition is in the transaction, or is asked to add it. A late batch of a transaction that has ended
meanwhile must not slip in behind the marker: what it opens would never be ended. So the question
begins with a guard, the append that opens a transaction demands it, and any marker or first batch
of the producer voids it. Source: KIP-890, part 1 ("VerificationGuard").
"""

from __future__ import annotations

from typing import Final

from raftka.model.dataclass import dataclass


class Guard:
    """Stands for one question to the coordinator; known by its identity."""

    __slots__ = ()


WITHOUT_ID: Final = Guard()
"""Of a request that names no transactional.id: it has no place in any transaction."""


@dataclass(slots=True)
class Verification:
    """What a partition remembers of a producer between the question and its first append."""

    guard: Guard
    epoch: int
    lowest_sequence: int
    """Of the batches that wait: a later one must not be appended before it."""
    bumps_epoch: bool
    """The producer's epoch goes up with each transaction (transaction.version 2)."""
    since_ms: int


class Verifications:
    """The producers of one partition whose first write waits for the coordinator."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[int, Verification] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(
        self, producer_id: int, epoch: int, sequence: int, *, bumps_epoch: bool, now_ms: int
    ) -> Guard:
        """The guard for a producer's first write; one for all of its batches that wait."""
        found = self._waiting.get(producer_id)
        if found is None:
            found = Verification(Guard(), epoch, sequence, bumps_epoch, now_ms)
            self._waiting[producer_id] = found
        elif epoch > found.epoch:
            found.epoch, found.lowest_sequence = epoch, sequence
        elif epoch == found.epoch and sequence < found.lowest_sequence:
            found.lowest_sequence = sequence
        return found.guard

    def get(self, producer_id: int) -> Verification | None:
        """What is remembered of a producer; None when nothing of it waits."""
        return self._waiting.get(producer_id)

    def void(self, producer_id: int, epoch: int) -> None:
        """A transactional batch of the producer was appended. One of an earlier epoch says nothing
        of what waits."""
        found = self._waiting.get(producer_id)
        if found is not None and epoch >= found.epoch:
            del self._waiting[producer_id]

    def ended(self, producer_id: int, epoch: int) -> None:
        """A marker of the producer was appended.

        With transaction.version 2 a marker has the epoch after that of its transaction: one with
        the epoch of what waits ends the transaction before. A producer need not wait for it: it
        hears of the end as soon as that is decided.
        """
        found = self._waiting.get(producer_id)
        if found is not None and epoch >= found.epoch + found.bumps_epoch:
            del self._waiting[producer_id]

    def expire(self, now_ms: int, expiration_ms: int) -> None:
        """Forget producers that have not come back."""
        for producer_id, found in list(self._waiting.items()):
            if now_ms - found.since_ms >= expiration_ms:
                del self._waiting[producer_id]

    def clear(self) -> None:
        self._waiting.clear()
