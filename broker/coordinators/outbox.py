"""The output of a shard: records for its log, and answers and effects for when those are committed.

Records are grouped into entries: batches of records, and end-of-transaction markers. Reading the
log gives the same entries, so that writing and loading share one format.
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
"""An upper bound, for the lengths and deltas around a key and a value."""


class Producer(NamedTuple):
    """The producer whose transaction a record belongs to."""

    id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of the log."""

    records: Sequence[Record]
    producer: Producer | None = None
    """Set for records that take effect only when this producer's transaction commits."""
    atomic: bool = False
    """The log appends all of them in one batch, or none."""
    guard: Guard | None = None
    """The guard that the partition issued when it verified the transaction (KIP-890)."""


Entry = Batch | EndMarker
"""An element of a coordinator's log."""


class Ticket(Protocol):
    """A request that waits for its answer."""

    def resolve(self, answer: object, /) -> None:
        """Answer it with its response message."""
        ...

    def fail(self, error: KafkaError, /) -> None:
        """Refuse it; the ticket encodes the error for its API."""
        ...


@dataclass(slots=True)
class Outbox:
    """Filled by the operations of a shard, drained by the shard's runtime, each in order."""

    records: list[Record] = field(default_factory=list)
    """Records that may be split over several batches. The shard has applied them already."""
    answers: list[tuple[Ticket, object]] = field(default_factory=list)
    """(ticket, response message or KafkaError)"""
    effects: list[object] = field(default_factory=list)
    """Passed to the runtime's `perform` once all that the shard has decided is committed; dropped
    if the shard is lost before that."""
    supersedes: bool = False
    """Whether the pending records supersede the whole log before them: the log may start there once
    they are committed. Cleared when the records are taken."""
    bytes_max: int = 2**31
    """The largest batch that the log accepts; set by the runtime."""
    _before: list[Batch] = field(default_factory=list)
    """Entries that precede `records`."""

    def answer(self, ticket: Ticket | None, response: object) -> None:
        """Answer a request; the ticket may be None if the caller has gone."""
        if ticket is not None:
            self.answers.append((ticket, response))

    def write(self, records: Sequence[Record]) -> None:
        """Add records that must be in one batch. Call it before they are applied.

        Raises KafkaError RECORD_LIST_TOO_LARGE, with nothing added, if they do not fit into a
        batch.
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
        """Raises KafkaError `code` if a record of a request does not fit into a batch.

        The log would refuse the batch, and with it every decision of the shard.
        """
        words = self.excess(record, what)
        if words:
            raise KafkaError(code, words)

    def excess(self, record: Record, what: str, *, copies: int = 1) -> str:
        """Why `copies` of a record do not fit into a batch, for people; empty if they do."""
        size = HEADER_BYTES + batch_bytes([record]) * copies
        if size <= self.bytes_max:
            return ""
        return f"{what} takes {size} bytes; one record holds {self.bytes_max} (message.max.bytes)"

    def __bool__(self) -> bool:
        """Whether there are records to append."""
        return bool(self.records or self._before)

    def take(self) -> list[Batch]:
        """All records, in the order in which the shard decided them."""
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
    """An upper bound of the records' size in a batch."""
    size = 0
    for key, value in records:
        size += len(key) + len(value or b"") + _RECORD_OVERHEAD_BYTES
    return size


def deliver(ticket: Ticket, answer: object) -> None:
    """Pass an outbox's answer to its ticket."""
    if isinstance(answer, KafkaError):
        ticket.fail(answer)
    else:
        ticket.resolve(answer)
