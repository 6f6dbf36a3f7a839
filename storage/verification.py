"""Guards: proof that a transaction's first write in a partition was verified with its coordinator.

Before a producer's first batch of a transaction is appended, the coordinator must confirm that the
partition is in the transaction, or add it. A late batch of an ended transaction must not be
appended after the marker: it would open a transaction that is never ended. So a guard is created
before the coordinator is asked, the append that opens a transaction requires it, and any marker or
first batch of the producer invalidates it. Source: KIP-890, part 1 ("VerificationGuard").
"""

from __future__ import annotations

from typing import Final

from raftka.model.dataclass import dataclass


class Guard:
    """Represents one question to the coordinator; compared by identity."""

    __slots__ = ()


WITHOUT_ID: Final = Guard()
"""The guard of a request without a transactional.id, which cannot be in any transaction."""


@dataclass(slots=True)
class Verification:
    """A producer's state between the question and its first append."""

    guard: Guard
    epoch: int
    lowest_sequence: int
    """The lowest sequence of the waiting batches: a later one must not be appended before it."""
    bumps_epoch: bool
    """Whether the producer's epoch is bumped with each transaction (transaction.version 2)."""
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
        """The guard for a producer's first write; shared by all of its waiting batches."""
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
        """The state of a producer; None if none of its batches wait."""
        return self._waiting.get(producer_id)

    def void(self, producer_id: int, epoch: int) -> None:
        """A transactional batch of the producer was appended. A batch of an earlier epoch does not
        affect waiting ones."""
        found = self._waiting.get(producer_id)
        if found is not None and epoch >= found.epoch:
            del self._waiting[producer_id]

    def ended(self, producer_id: int, epoch: int) -> None:
        """A marker of the producer was appended.

        With transaction.version 2 a marker has the epoch after that of its transaction: a marker
        with the epoch of the waiting batches ends the previous transaction. The producer need not
        wait for it, since its request was answered once the end was decided.
        """
        found = self._waiting.get(producer_id)
        if found is not None and epoch >= found.epoch + found.bumps_epoch:
            del self._waiting[producer_id]

    def expire(self, now_ms: int, expiration_ms: int) -> None:
        """Remove producers that have not returned."""
        for producer_id, found in list(self._waiting.items()):
            if now_ms - found.since_ms >= expiration_ms:
                del self._waiting[producer_id]

    def clear(self) -> None:
        self._waiting.clear()
