"""One transactional id: an immutable value, and its transitions.

Every transition returns a new value, which the log's record holds too; nothing else changes it.
Names and numbers are those of Apache Kafka's records and APIs.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import Final

from raftka.model.dataclass import dataclass
from raftka.model.ids import NO_EPOCH, NO_PRODUCER_ID, NO_TIMESTAMP, TopicPartition

EPOCH_MAX: Final = 32_767
"""Only markers use it, so that there is always one epoch left to fence a producer with."""

EPOCH_BUMPS: Final = 2
"""The lowest transaction.version in which each end of a transaction bumps the epoch (KIP-890)."""


class State(Enum):
    """The state of a transactional id; `value` is its number in records."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7

    @property
    def label(self) -> str:
        """The state's name in DescribeTransactions, such as PrepareCommit."""
        return "".join(word.capitalize() for word in self.name.split("_"))


PREPARED: Final = (State.PREPARE_COMMIT, State.PREPARE_ABORT)
IDLE: Final = (State.EMPTY, State.COMPLETE_COMMIT, State.COMPLETE_ABORT)
"""The states without an open or ending transaction."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transactional id as its newest record holds it. Times in ms since 1970."""

    producer_id: int
    producer_epoch: int
    """NO_EPOCH before the id was first used."""
    timeout_ms: int
    state: State = State.EMPTY
    partitions: frozenset[TopicPartition] = frozenset()
    updated_ms: int = NO_TIMESTAMP
    started_ms: int = NO_TIMESTAMP
    previous_producer_id: int = NO_PRODUCER_ID
    """The producer id before this record."""
    next_producer_id: int = NO_PRODUCER_ID
    """Reserved while the last epoch of a producer id is in use."""
    client_version: int = 0
    """transaction.version of the client that made the last transition."""
    last_epoch: int = NO_EPOCH
    """The epoch before the current one, to recognize a retry; no record holds it, so a retry across
    a failover is fenced, as in Apache Kafka."""

    @property
    def is_exhausted(self) -> bool:
        """Whether the producer id has no epochs left."""
        return self.producer_epoch >= EPOCH_MAX - 1

    def initialized(self, timeout_ms: int, epoch: int, last_epoch: int, now_ms: int) -> Transaction:
        """The producer starts with this epoch, without a transaction."""
        return self._step(
            state=State.EMPTY,
            producer_epoch=epoch,
            last_epoch=last_epoch,
            timeout_ms=timeout_ms,
            partitions=frozenset(),
            started_ms=NO_TIMESTAMP,
            updated_ms=now_ms,
        )

    def rotated(
        self, producer_id: int, timeout_ms: int, *, keep_last: bool, now_ms: int
    ) -> Transaction:
        """The producer starts with a new id, since its old one has no epochs left."""
        last_epoch = self.producer_epoch if keep_last else NO_EPOCH
        return replace(self.initialized(timeout_ms, 0, last_epoch, now_ms), producer_id=producer_id)

    def with_partitions(
        self, partitions: frozenset[TopicPartition], client_version: int, now_ms: int
    ) -> Transaction:
        """Add partitions to the transaction; the first ones open it."""
        return self._step(
            state=State.ONGOING,
            partitions=self.partitions | partitions,
            started_ms=now_ms if self.state in IDLE else self.started_ms,
            updated_ms=now_ms,
            client_version=client_version,
        )

    def prepared(
        self, *, commit: bool, client_version: int, next_producer_id: int, now_ms: int
    ) -> Transaction:
        """Decide the outcome. A version 2 client's epoch is bumped by it; markers carry the new
        one."""
        epoch, last_epoch = self.producer_epoch, self.last_epoch
        if client_version >= EPOCH_BUMPS:
            epoch, last_epoch = min(epoch + 1, EPOCH_MAX), epoch
        return self._step(
            state=State.PREPARE_COMMIT if commit else State.PREPARE_ABORT,
            producer_epoch=epoch,
            last_epoch=last_epoch,
            next_producer_id=next_producer_id,
            # An abort may precede the first partition: its transaction starts now.
            started_ms=now_ms if self.state in IDLE else self.started_ms,
            updated_ms=now_ms,
            client_version=client_version,
        )

    def fenced(self) -> Transaction:
        """Bump the epoch of a producer that is still writing; part of an abort."""
        epoch = min(self.producer_epoch + 1, EPOCH_MAX)
        return replace(self, producer_epoch=epoch, last_epoch=NO_EPOCH)

    def completed(self, now_ms: int) -> Transaction:
        """Every partition has its marker. The reserved producer id replaces one that is used up."""
        is_commit = self.state is State.PREPARE_COMMIT
        done = self._step(
            state=State.COMPLETE_COMMIT if is_commit else State.COMPLETE_ABORT,
            partitions=frozenset(),
            next_producer_id=NO_PRODUCER_ID,
            updated_ms=now_ms,
        )
        if self.client_version >= EPOCH_BUMPS and self.next_producer_id != NO_PRODUCER_ID:
            return replace(done, producer_id=self.next_producer_id, producer_epoch=0)
        return done

    def without(self, partitions: frozenset[TopicPartition]) -> Transaction:
        """Remove partitions that no longer need a marker. No record holds this."""
        return replace(self, partitions=self.partitions - partitions)

    def _step(self, **changes: object) -> Transaction:
        return replace(self, previous_producer_id=self.producer_id, **changes)  # type: ignore[arg-type]
