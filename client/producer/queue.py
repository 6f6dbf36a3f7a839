"""The batches of one partition, and the order in which they may be sent.

Theory of operation. A broker accepts a producer's batches only in the order of their sequence
numbers, and recognizes a repetition among the last five. So:

- A batch gets its number when it is first sent, and keeps it for each further attempt.
- A batch that must be sent again returns to its place, before all that were never sent. Places are
  counted as batches are first sent, since numbers may be withdrawn and times may be equal.
- While any batch is being retried, one batch is in flight at a time: its result decides what
  the next one's means.
- When a number can no longer be used (the broker reports a gap), the producer takes a new epoch. A
  queue adopts it once nothing of it is in flight, and starts from 0 again.
- For a batch that is given up after it was sent, it is unknown whether its numbers were used. Later
  batches may be stored as well, so they are retried under the same numbers: under others they would
  be stored twice. No batch gets a number meanwhile. A success of the last of them shows that no
  number is missing, a gap error that one is; if no batch is left, the producer takes a new epoch.
"""

from __future__ import annotations

from collections import deque

from raftka.client.producer.batch import NO_IDENTITY, Batch, Identity, next_sequence
from raftka.model.ids import TopicPartition

MAX_IN_FLIGHT = 5
_HALF = 0x40000000
"""Half of all sequence numbers."""


class PartitionQueue:
    """Pure: times are seconds of the monotonic clock."""

    __slots__ = (
        "_acknowledged",
        "_in_doubt",
        "_next_sequence",
        "_restart",
        "_taken",
        "identity",
        "in_flight",
        "in_flight_max",
        "pending",
        "target",
    )

    def __init__(self, target: TopicPartition, in_flight_max: int = MAX_IN_FLIGHT) -> None:
        self.target = target
        self.pending: deque[Batch] = deque()
        self.in_flight: list[Batch] = []
        self.in_flight_max = in_flight_max
        self.identity = NO_IDENTITY
        self._next_sequence = 0
        self._acknowledged = 0
        """The number after the last one that a broker is known to have."""
        self._restart = False
        self._in_doubt = False
        """Whether a batch was given up that may have been stored."""
        self._taken = 0
        """The number of batches sent so far."""

    @property
    def empty(self) -> bool:
        return not self.pending and not self.in_flight

    @property
    def restart_wanted(self) -> bool:
        """Whether the numbers can no longer be used: a new epoch is needed."""
        return self._restart or (self._in_doubt and not self._numbered())

    def sendable(self, now: float) -> Batch | None:
        """The next batch if the order allows sending it now; the caller decides about linger."""
        if not self.pending or self._restart:
            return None
        batch = self.pending[0]
        if batch.not_before > now or (self._in_doubt and batch.base_sequence < 0):
            return None
        if not self.in_flight:
            return batch
        if batch.attempts > 0 or len(self.in_flight) >= self.in_flight_max:
            return None
        if any(sent.attempts > 1 for sent in self.in_flight):
            return None
        return batch

    def take(self, batch: Batch, identity: Identity) -> None:
        """`batch` is sent now, under the producer's identity (NO_IDENTITY: not idempotent)."""
        assert self.pending[0] is batch
        if identity != self.identity and not self._numbered():
            self._adopt(identity)
        if batch.base_sequence < 0 and self.identity != NO_IDENTITY:
            batch.number(self.identity, self._next_sequence)
            self._next_sequence = next_sequence(self._next_sequence, len(batch))
        if not batch.place:
            batch.place, self._taken = (self._taken,), self._taken + 1
        self.pending.popleft()
        batch.closed = True
        batch.attempts += 1
        self.in_flight.append(batch)

    def finish(self, batch: Batch) -> None:
        """`batch` is stored."""
        self.in_flight.remove(batch)
        if batch.base_sequence >= 0:
            end = next_sequence(batch.base_sequence, len(batch))
            if _distance(self._acknowledged, end) < _HALF:
                self._acknowledged = end
            self._doubt(self._in_doubt)

    def give_up(self, batch: Batch) -> None:
        """`batch` is not retried, whether it is stored or not."""
        self.in_flight.remove(batch)
        self._doubt(batch.base_sequence >= 0)

    def put_back(self, batch: Batch, not_before: float) -> None:
        """`batch` must be retried, not before that time."""
        self.in_flight.remove(batch)
        batch.not_before = not_before
        self._insert(batch)

    def split(self, batch: Batch) -> tuple[Batch, Batch]:
        """`batch` was too large: its halves take its place."""
        first, second = batch.halves()
        self.in_flight.remove(batch)
        self._insert(second)
        self._insert(first)
        return first, second

    def is_first(self, batch: Batch) -> bool:
        """Whether all earlier batches have answers, so that a gap before it is real."""
        older = [b for b in (*self.in_flight, *self.pending) if b.base_sequence >= 0]
        return all(batch.place < other.place for other in older if other is not batch)

    def want_restart(self) -> None:
        """The numbers given so far can no longer be used."""
        self._restart = True

    def restart(self, identity: Identity) -> bool:
        """Number from 0 under a new identity. False while a batch is in flight: try later."""
        if self.in_flight:
            return False
        for batch in self.pending:
            if batch.base_sequence >= 0:
                batch.number(NO_IDENTITY, -1)
        self._adopt(identity)
        return True

    def hurry(self) -> None:
        """A retry may succeed now: skip the back-off."""
        for batch in self.pending:
            batch.not_before = 0.0

    def drop_expired(self, now: float, timeout_s: float) -> list[Batch]:
        """Remove and return the waiting batches that have expired."""
        expired: list[Batch] = []
        while self.pending and self.pending[0].created + timeout_s <= now:
            batch = self.pending.popleft()
            self._doubt(batch.base_sequence >= 0)
            expired.append(batch)
        return expired

    def drop_waiting(self) -> list[Batch]:
        """Remove and return all batches that are not in flight; after numbers, a restart is due."""
        dropped = list(self.pending)
        self.pending.clear()
        return dropped

    def _numbered(self) -> bool:
        return bool(self.in_flight) or any(batch.base_sequence >= 0 for batch in self.pending)

    def _adopt(self, identity: Identity) -> None:
        self.identity = identity
        self._next_sequence = self._acknowledged = 0
        self._restart = self._in_doubt = False

    def _doubt(self, more: bool) -> None:
        """A broker stores a number only after all before it: the last one answers for them."""
        known = self._acknowledged == self._next_sequence
        self._in_doubt = (self._in_doubt or more) and not known

    def _insert(self, batch: Batch) -> None:
        place = 0
        for other in self.pending:
            if other.attempts == 0 or batch.place < other.place:
                break
            place += 1
        self.pending.insert(place, batch)


def _distance(one: int, other: int) -> int:
    """The distance from one number up to the other, with wrapping."""
    return (other - one) & 0x7FFFFFFF
