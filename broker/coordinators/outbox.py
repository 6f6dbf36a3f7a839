"""What a shard has to say: records for its log, and answers that may leave once those are safe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from raftka.model.errors import KafkaError

Record = tuple[bytes, bytes | None]
"""(key, value) for __consumer_offsets; a value of None is a tombstone."""


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
    """Filled by the operations of a shard, emptied by whoever runs it, each in order."""

    records: list[Record] = field(default_factory=list)
    answers: list[tuple[Ticket, object]] = field(default_factory=list)
    """(ticket, response message or KafkaError)"""

    def answer(self, ticket: Ticket | None, response: object) -> None:
        """Answer a request; None, where nobody waits, is allowed."""
        if ticket is not None:
            self.answers.append((ticket, response))

    def take_records(self) -> list[Record]:
        records, self.records = self.records, []
        return records

    def take_answers(self) -> list[tuple[Ticket, object]]:
        answers, self.answers = self.answers, []
        return answers


def deliver(ticket: Ticket, answer: object) -> None:
    """Hand an answer of an outbox to whoever waits."""
    if isinstance(answer, KafkaError):
        ticket.fail(answer)
    else:
        ticket.resolve(answer)
