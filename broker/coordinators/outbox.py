"""What a shard hands out: records for its log, and what may leave once those are committed.

Records go out as entries: runs of records, and ends of transactions. Reading the log gives the
same entries back, so that writing and loading speak of one thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import NamedTuple, Protocol

from raftka.model.control_records import EndMarker
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.record_batch import HEADER_BYTES
from raftka.storage.verification import Guard

Record = tuple[bytes, bytes | None]
"""(key, value) for the coordinator's topic; a value of None is a tombstone."""

_RECORD_OVERHEAD_BYTES = 40
"""At most, for the lengths and deltas around a key and a value."""


class Producer(NamedTuple):
    """Whose transaction a record belongs to."""

    id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that follow each other in the log."""

    records: Sequence[Record]
    producer: Producer | None = None
    """Set for records that count only when this producer's transaction commits."""
    atomic: bool = False
    """They land in one batch of the log, or none of them does."""
    guard: Guard | None = None
    """What the partition gave out when it had the transaction verified (KIP-890)."""


Entry = Batch | EndMarker
"""What a coordinator's log consists of."""


class Ticket(Protocol):
    """Stands for a request that waits for its answer."""

    def resolve(self, answer: object, /) -> None:
        """Give it its response message."""
        ...

    def fail(self, error: KafkaError, /) -> None:
        """Refuse it; the ticket knows what a refusal looks like in its API."""
        ...


@dataclass(slots=True)
class Outbox:
    """Filled by the operations of a shard, emptied by the shard's runtime, each in order."""

    records: list[Record] = field(default_factory=list)
    """Records that may land in different batches. The shard has applied them already."""
    answers: list[tuple[Ticket, object]] = field(default_factory=list)
    """(ticket, response message or KafkaError)"""
    effects: list[object] = field(default_factory=list)
    """What the runtime hands to its `perform` once all that the shard has decided is committed;
    nothing of it is done when the shard is lost before that."""
    supersedes: bool = False
    """Whether what will be written says all that the log says before it: the log may begin there
    once that is committed. Cleared when the records are taken."""
    bytes_max: int = 2**31
    """The largest batch that the log takes; set by the runtime."""
    _before: list[Batch] = field(default_factory=list)
    """What was written before `records`."""

    def answer(self, ticket: Ticket | None, response: object) -> None:
        """Answer a request; None, when the caller has gone, is allowed."""
        if ticket is not None:
            self.answers.append((ticket, response))

    def write(self, records: Sequence[Record]) -> None:
        """Add records that must land in one batch. Call it before they are applied.

        Raises KafkaError RECORD_LIST_TOO_LARGE, with nothing added, for more than a batch holds.
        """
        size = batch_bytes(records)
        if size > self.bytes_max:
            raise KafkaError(
                ErrorCode.RECORD_LIST_TOO_LARGE,
                f"{len(records)} records that belong together take {size} bytes; one batch holds"
                f" {self.bytes_max} (message.max.bytes)",
            )
        self._seal()
        self._before.append(Batch(tuple(records), atomic=True))

    def check_fits(self, record: Record, code: ErrorCode, what: str) -> None:
        """Raises KafkaError `code` for a record of a request that no batch holds.

        The log would refuse the batch, and with it all that the shard has decided.
        """
        words = self.excess(record, what)
        if words:
            raise KafkaError(code, words)

    def excess(self, record: Record, what: str, *, copies: int = 1) -> str:
        """Why no batch holds a record of so many times this size, in words; empty if one does."""
        size = HEADER_BYTES + batch_bytes([record]) * copies
        if size <= self.bytes_max:
            return ""
        return f"{what} takes {size} bytes; one record holds {self.bytes_max} (message.max.bytes)"

    def __bool__(self) -> bool:
        """Whether there are records to append."""
        return bool(self.records or self._before)

    def take(self) -> list[Batch]:
        """All records, in the order in which the shard has decided them."""
        self._seal()
        taken, self._before = self._before, []
        return taken

    def take_answers(self) -> list[tuple[Ticket, object]]:
        answers, self.answers = self.answers, []
        return answers

    def take_effects(self) -> list[object]:
        effects, self.effects = self.effects, []
        return effects

    def _seal(self) -> None:
        if self.records:
            self._before.append(Batch(self.records))
            self.records = []


def batch_bytes(records: Sequence[Record]) -> int:
    """What the records take in a batch, at most."""
    size = 0
    for key, value in records:
        size += len(key) + len(value or b"") + _RECORD_OVERHEAD_BYTES
    return size


def deliver(ticket: Ticket, answer: object) -> None:
    """Hand an answer of an outbox to the ticket's owner."""
    if isinstance(answer, KafkaError):
        ticket.fail(answer)
    else:
        ticket.resolve(answer)
