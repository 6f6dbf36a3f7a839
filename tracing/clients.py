"""The calls of applications to clients, the requests they cause, and the responses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from raftka.model.errors import KafkaError
from raftka.model.ports import Buffer
from raftka.model.record_batch import iter_batches
from raftka.model.records import iter_records
from raftka.tracing.memory import Memory
from raftka.tracing.messages import Fields
from raftka.tracing.wire import Message

Write = Callable[..., int]
"""Writes one event; returns its id."""


class Clients:
    """The clients observed by one trace."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._produced: Memory[tuple[str, bytes]] = Memory()
        """The records that a client was asked to send: by client and value."""
        self._sent: dict[tuple[str, int], list[int]] = {}
        """The records in a Produce request, until it is answered."""
        self._sent_before: Memory[int] = Memory()
        """The newest request with a record."""
        self._answered: Memory[int] = Memory()
        """The newest answer to a request with a record."""
        self.answers: Memory[tuple[str, str, str]] = Memory()
        """The newest answer to a client: by client, API and partition."""
        self.newest_failed: dict[str, int] = {}
        self.trouble: dict[str, int] = {}
        """The caller's latest failure: a broken connection, an error code, a request that timed
        out.
        """

    # Requests and answers.

    def sending(
        self, connection: str, client: str, message: Message, fields: Fields
    ) -> tuple[int | None, list[int]]:
        """The cause of a Produce request; a retry is marked as one."""
        found = list(self._records_of(client, message.body))
        if not found:
            return None, []
        self._sent[connection, message.correlation_id] = found
        before = self._sent_before.get(found[0])
        if before is None:
            return found[-1], found[:-1]
        fields["again"] = True
        reasons = (before, self._answered.get(found[0]), self.trouble.get(client))
        return found[-1], [*found[:-1], *sorted({each for each in reasons if each is not None})]

    def sent(self, connection: str, correlation_id: int, event: int) -> None:
        """A Produce request was sent."""
        for record in self._sent.get((connection, correlation_id), ()):
            self._sent_before.put(record, event)

    def answered(self, connection: str, correlation_id: int, event: int) -> None:
        """Its answer arrived."""
        for record in self._sent.pop((connection, correlation_id), ()):
            self._answered.put(record, event)

    def broken(self, connection: str) -> None:
        """The connection is closed: its outstanding requests get no response."""
        for place in [place for place in self._sent if place[0] == connection]:
            del self._sent[place]

    def _records_of(self, client: str, request: Any) -> Iterator[int]:
        if self._produced:
            for _, batch in batches_of(request.topic_data, "partition_data"):
                # A malformed batch has no records to trace: the leader rejects it.
                with suppress(KafkaError):
                    for record in iter_records(batch):
                        event = self._produced.get((client, record.value or b""))
                        if event is not None:
                            yield event

    # Reports of the clients themselves.

    def produced(self, client: str, topic: str, record: int, value: bytes) -> int:
        """A client got a record to send."""
        event = self._write("produce", node=client, topic=topic, record=record)
        self._produced.put((client, value), event)
        return event

    def acknowledged(
        self, client: str, partition: str, offset: int, record: int, value: bytes
    ) -> None:
        """A client learned that a record is stored."""
        produce, cause = self._produced.get((client, value)), None
        if produce is not None:
            # Several responses may arrive together: use the record's own, not the newest one.
            cause = self._answered.get(produce)
        self._write(
            "ack",
            node=client,
            cause=cause,
            partition=partition,
            offset=offset,
            record=record,
            produce=produce,
        )

    def failed(self, client: str, record: int, value: bytes, error: str) -> None:
        """A client learned that a record was not stored, or may not have been."""
        produce = self._produced.get((client, value))
        found = [] if produce is None else [self._answered.get(produce), produce]
        found += [self.trouble.get(client), self._sent_before.get(produce or 0)]
        known = sorted({each for each in found if each is not None})
        cause, *others = reversed(known) if known else (None,)
        extra: Fields = {"after": others} if others else {}
        event = self._write("failed", node=client, cause=cause, record=record, error=error, **extra)
        self.newest_failed[client] = event

    def failure(self, kind: str, client: str) -> int | None:
        """The cause of a failure's event."""
        newest = self.newest_failed if kind == "send-failed" else self.trouble
        return newest.get(client)

    def read(self, client: str, host: str, partition: str, first: int, last: int) -> None:
        """A client received records; `host` is its name on the network."""
        self._write(
            "read",
            node=client,
            cause=self.answers.get((host, "Fetch", partition)),
            partition=partition,
            first_offset=first,
            last_offset=last,
        )


def batches_of(topics: Any, inner: str) -> Iterator[tuple[tuple[Any, int], memoryview]]:
    """((topic's name or id, partition), batch) of a Produce request or Fetch response."""
    for topic in topics:
        name = getattr(topic, "name", "") or getattr(topic, "topic", "") or bytes(topic.topic_id)
        for each in getattr(topic, inner):
            index = each.index if hasattr(each, "index") else each.partition_index
            if isinstance(each.records, Buffer):
                try:
                    for _, batch in iter_batches(each.records):
                        yield (name, index), batch
                except KafkaError:
                    continue  # A damaged batch: the message's event shows that.
