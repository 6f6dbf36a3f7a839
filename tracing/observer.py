"""Describes what passes the ports as events, and links each event to its cause.

Links are found by content: a batch in a log comes from the message that carried a batch with the
same checksum, a high watermark from the fetch that asked for that offset, an answer from the
request with its correlation id. No node is asked, except for its high watermarks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from raftka.model.errors import KafkaError
from raftka.model.ports import Buffer, Connection, Disk, Network
from raftka.model.record_batch import BatchHeader, iter_batches
from raftka.model.records import iter_records
from raftka.tracing.elections import Elections
from raftka.tracing.files import TracedDisk
from raftka.tracing.memory import Memory
from raftka.tracing.messages import Fields, Names, of_kafka, of_raft
from raftka.tracing.wire import Ends, Link, Message, TracedNetwork

_AFTER_MAX: Final = 50
"""Events that one event names as further causes, at most."""


class Write(Protocol):
    """Takes one event; its id."""

    def __call__(
        self, kind: str, *, node: str | None = None, cause: int | None = None, **fields: Any
    ) -> int: ...


class Observer:
    """All that passes the ports of one node, or of a whole simulation."""

    def __init__(
        self,
        write: Write,
        names: Names,
        high_watermark: Callable[[str, str], int | None],
        ends: Callable[[Connection, bool], Ends | None],
        *,
        sees_all: bool,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        """`high_watermark` gives that of a node's replica of a partition. `sees_all`: both ends of
        every connection are observed, so that a message that does not arrive is known to be lost.
        `lock` keeps threads apart."""
        self._sees_all = sees_all
        self.elections = Elections()
        self._write = write
        self._names = names
        self._high_watermark = high_watermark
        self._ends = ends
        self._lock = lock
        self._on_the_way: dict[tuple[str, bool], dict[int, int]] = {}
        """Messages that have not arrived, by number; by connection and whether the dialer's."""
        self._carried: Memory[tuple[str, str, int]] = Memory()
        """The message that brought a batch: by node, partition and checksum."""
        self._appended: Memory[tuple[str, str, int]] = Memory()
        """The event of a batch in a log: by node, partition and base offset."""
        self._fetched: Memory[tuple[str, str, int]] = Memory()
        """The newest fetch of a follower that asked a node for an offset of a partition."""
        self._since: dict[tuple[str, int], list[int]] = {}
        """What a node appended from one message: by node and that message's event."""
        self._touched: dict[str, dict[str, int]] = {}
        """Per node: partitions that something has happened to, and the event."""
        self._marks: dict[tuple[str, str], tuple[int, int]] = {}
        """High watermark and its event, by node and partition."""
        self._epochs: dict[tuple[str, str], int] = {}
        self._produced: Memory[tuple[str, bytes]] = Memory()
        """What a client was asked to send: by client and value."""
        self._sent: dict[tuple[str, int], list[int]] = {}
        """The records that a Produce request carries, until it is answered."""
        self._answered: Memory[int] = Memory()
        """The newest answer to a request that carried a record."""
        self._answers: Memory[tuple[str, str, str]] = Memory()
        """The newest answer a client got: by client, API and partition."""
        self._commits: dict[tuple[str, int], Fields] = {}
        """What commits of offsets ask for, until they are answered."""
        self._orders: dict[str, int] = {}
        """What a client does for somebody: the event that its requests follow from."""
        self._last_answer: Memory[tuple[str, str]] = Memory()
        """The newest answer on a connection: by its name and API."""

    def network(self, node: str, inner: Network) -> Network:
        """A process's network port, observed."""
        return TracedNetwork(inner, node, self, self._ends, self._lock)

    def disk(self, node: str, inner: Disk) -> Disk:
        """A process's disk port, observed."""

        def on_append(partition: str, header: BatchHeader) -> None:
            self._batch_appended(node, partition, header)

        def on_event(kind: str, fields: Fields) -> None:
            self._of_disk(node, kind, fields)

        return TracedDisk(inner, on_append, on_event, self._lock)

    # The wire.

    def message(self, link: Link, message: Message, *, sent: bool) -> None:
        """A message went out, or came in."""
        node = link.node
        if message.protocol == "raft":
            api, side, fields = of_raft(message.body)
        else:
            api, side = message.api, "request" if message.is_request else "response"
            fields = of_kafka(api, message.body, self._names)
            if message.carried is not None:
                fields |= {"carries": message.carried[0]}
                fields |= of_kafka(*message.carried, self._names)
        if sent:
            self._look_at_marks(node)
        head: Fields = {
            ("to" if sent else "from"): link.there,
            "connection": link.ends.name,
            "number": link.numbers[sent],
            "protocol": message.protocol,
            "api": api,
            "side": side,
        }
        if message.protocol == "kafka":
            head |= {"version": message.version, "correlation_id": message.correlation_id}
            if message.client_id is not None:
                head["client_id"] = message.client_id
        head |= {"bytes": message.size, **fields}
        if sent:
            cause, after = self._causes(link, message, api, side, fields)
            if after:
                head["after"] = after[-_AFTER_MAX:]
            if api == "OffsetCommit" and side == "request":
                self._commits[link.ends.name, message.correlation_id] = fields
            event = self._write("message-sent", node=node, cause=cause, **head)
            if self._sees_all:
                way = self._on_the_way.setdefault((link.ends.name, link.dialed), {})
                way[link.numbers[True]] = event
        else:
            way = self._on_the_way.get((link.ends.name, not link.dialed), {})
            cause = way.pop(link.numbers[False], None)
            if cause is None and side == "response" and message.protocol == "kafka":
                cause = link.requests.get(message.correlation_id)
            event = self._write("message-received", node=node, cause=cause, **head)
            self._arrived(link, message, api, side, fields, event)
        if message.protocol == "kafka":
            if side == "request":
                link.requests[message.correlation_id] = event
            else:
                link.requests.pop(message.correlation_id, None)

    def broken(self, link: Link, reason: str) -> None:
        """A connection has ended on this side, and what was on its way to it is lost."""
        cause = None
        if reason != "closed here":
            cause = self._write(
                "connection-lost",
                node=link.node,
                cause=self.elections.down.get(link.there),
                peer=link.there,
                connection=link.ends.name,
                reason=reason,
            )
            self.elections.connection_lost(link.node, link.there, cause)
        for place in [place for place in self._sent if place[0] == link.ends.name]:
            del self._sent[place]
        way = self._on_the_way.pop((link.ends.name, not link.dialed), {})
        for number, event in way.items():
            self._write(
                "message-lost",
                node=link.node,
                cause=event,
                connection=link.ends.name,
                number=number,
                reason=reason,
                **({} if cause is None else {"after": [cause]}),
            )

    def _causes(
        self, link: Link, message: Message, api: str, side: str, fields: Fields
    ) -> tuple[int | None, list[int]]:
        """What an outgoing message follows from: the main cause, and what else it waited for."""
        node = link.node
        if message.protocol == "raft":
            cause = link.last_request if side == "response" else None
            return self.elections.of_message(node, api, side, fields, cause)
        if side == "response":
            return link.requests.get(message.correlation_id), list(self._shown(node, api, fields))
        if api == "Produce":
            found = list(self._records_of(node, message.body))
            if found:
                self._sent[link.ends.name, message.correlation_id] = found
            return (found[-1] if found else None), found[:-1]
        if api == "Fetch":
            answer = self._last_answer.get((link.ends.name, api))
            return answer, self._since.pop((node, answer), []) if answer is not None else []
        return self._orders.get(node), []

    def _shown(self, node: str, api: str, fields: Fields) -> Iterator[int]:
        """The events that a response reports."""
        for each in fields.get("partitions", ()):
            partition = each.get("partition")
            first = each.get("base_offset" if api == "Produce" else "first_offset")
            if partition is None or first is None:
                continue
            event = self._appended.get((node, partition, first))
            if event is not None:
                yield event
            mark = self._marks.get((node, partition))
            if api == "Produce" and mark is not None and mark[0] > first:
                yield mark[1]

    def _records_of(self, client: str, request: Any) -> Iterator[int]:
        if self._produced:
            for _, batch in _batches(request.topic_data, "partition_data"):
                for record in iter_records(batch):
                    event = self._produced.get((client, record.value or b""))
                    if event is not None:
                        yield event

    def _arrived(
        self, link: Link, message: Message, api: str, side: str, fields: Fields, event: int
    ) -> None:
        node = link.node
        if message.protocol == "raft":
            if side == "request":
                link.last_request = event
            self.elections.raft_arrived(node, link.there, api, side, fields, event)
            return
        touched = self._touched.setdefault(node, {})
        for each in fields.get("partitions", ()):
            if (partition := each.get("partition")) is not None:
                touched[partition] = event
                if side == "response":
                    self._answers.put((node, api, partition), event)
                elif "replica_id" in fields and api == "Fetch":
                    self._fetched.put((node, partition, each.get("fetch_offset", -1)), event)
        if side == "response":
            self._last_answer.put((link.ends.name, api), event)
            for record in self._sent.pop((link.ends.name, message.correlation_id), ()):
                self._answered.put(record, event)
            if api == "OffsetCommit":
                self._committed(link, message, fields, event)
        else:
            self.elections.request_arrived(api, fields, event)
        if api == "Produce" and side == "request":
            self._bring(node, message.body.topic_data, "partition_data", event)
        elif api == "Fetch" and side == "response":
            self._bring(node, message.body.responses, "partitions", event)

    def _committed(self, link: Link, message: Message, fields: Fields, event: int) -> None:
        asked = self._commits.pop((link.ends.name, message.correlation_id), None)
        if asked is None:
            return
        errors = {each["error"] for each in fields.get("partitions", ()) if "error" in each}
        self._write(
            "commit",
            node=link.node,
            cause=event,
            group=asked.get("group_id"),
            partitions={
                each["partition"]: each.get("committed_offset")
                for each in asked.get("partitions", ())
            },
            errors=sorted(errors),
        )

    def _bring(self, node: str, topics: Any, inner: str, event: int) -> None:
        for (topic, index), batch in _batches(topics, inner):
            name = topic if isinstance(topic, str) else self._names(topic) or topic.hex()
            header = next(iter_batches(batch))[0]
            self._carried.put((node, f"{name}-{index}", header.crc), event)

    # The disk.

    def _batch_appended(self, node: str, partition: str, header: BatchHeader) -> None:
        cause = self._carried.get((node, partition, header.crc))
        fields: Fields = {
            "partition": partition,
            "base_offset": header.base_offset,
            "last_offset": header.last_offset,
            "leader_epoch": header.leader_epoch,
            "records": header.record_count,
            "bytes": header.size,
        }
        if header.producer_id >= 0:
            fields |= {"producer_id": header.producer_id, "sequence": header.base_sequence}
        event = self._write("append", node=node, cause=cause, **fields)
        self._appended.put((node, partition, header.base_offset), event)
        self._touched.setdefault(node, {})[partition] = event
        if cause is not None:
            self._since.setdefault((node, cause), []).append(event)
        if header.leader_epoch > self._epochs.get((node, partition), -1):
            self._epochs[node, partition] = header.leader_epoch
            self._write(
                "leader-epoch",
                node=node,
                cause=event,
                partition=partition,
                leader_epoch=header.leader_epoch,
                start_offset=header.base_offset,
            )

    def _of_disk(self, node: str, kind: str, fields: Fields) -> None:
        if kind == "truncate":
            partition = fields["partition"]
            cause = self._touched.get(node, {}).get(partition)
        else:
            cause = self.elections.of_disk(node, kind, fields)
        event = self._write(kind, node=node, cause=cause, **fields)
        self.elections.disk_told(node, kind, fields, event)

    # High watermarks.

    def _look_at_marks(self, node: str) -> None:
        """Before a node sends: the high watermarks that moved since it last sent."""
        touched = self._touched.get(node)
        if not touched:
            return
        for partition, toucher in list(touched.items()):
            mark = self._high_watermark(node, partition)
            known = self._marks.get((node, partition))
            if mark is None or mark == (0 if known is None else known[0]):
                continue
            cause = self._fetched.get((node, partition, mark), toucher)
            event = self._write(
                "high-watermark", node=node, cause=cause, partition=partition, offset=mark
            )
            self._marks[node, partition] = (mark, event)
        while len(touched) > 64:
            touched.pop(next(iter(touched)))

    # What clients are asked to do, and the answers that they get.

    def ordered(self, client: str, event: int) -> None:
        """A client acts for an administrator's operation or a fault."""
        self._orders[client] = event

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
            # Several answers may have come at once: the record's own counts, not the newest.
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
        """A client learned that a record is not, or may not be, stored."""
        produce = self._produced.get((client, value))
        self._write("failed", node=client, cause=produce, record=record, error=error)

    def read(self, client: str, host: str, partition: str, first: int, last: int) -> None:
        """A client received records; `host` is its name on the network."""
        self._write(
            "read",
            node=client,
            cause=self._answers.get((host, "Fetch", partition)),
            partition=partition,
            first_offset=first,
            last_offset=last,
        )


def _batches(topics: Any, inner: str) -> Iterator[tuple[tuple[Any, int], memoryview]]:
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
