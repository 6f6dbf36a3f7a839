"""Records the traffic at the ports as events, and links each event to its cause.

Links are found by content: a batch in a log is caused by the message with a batch of the same
checksum, a high watermark by the fetch from that offset, an answer by the request with its
correlation id. Nodes are only queried for their high watermarks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final, Protocol

from raftka.model.ports import Connection, Disk, Network
from raftka.model.reasons import Why
from raftka.model.record_batch import BatchHeader, iter_batches
from raftka.tracing.clients import Clients, batches_of
from raftka.tracing.elections import Elections
from raftka.tracing.files import TracedDisk
from raftka.tracing.memory import Memory
from raftka.tracing.messages import Fields, Names, of_kafka, of_raft
from raftka.tracing.timers import Timers
from raftka.tracing.wire import Clear, Ends, Link, Message, Runs, TracedNetwork

_AFTER_MAX: Final = 50
"""The limit of further causes of one event."""


class Write(Protocol):
    """Writes one event; returns its id."""

    def __call__(
        self, kind: str, *, node: str | None = None, cause: int | None = None, **fields: Any
    ) -> int: ...


class Observer:
    """Observes the ports of one node, or of a whole simulation."""

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
        """`high_watermark` returns that of a node's replica of a partition. `sees_all`: both ends
        of every connection are observed, so that a message that does not arrive is known to be
        lost. `lock` serializes threads.
        """
        self._sees_all = sees_all
        self.elections = Elections()
        self.elections.timers = Timers(write, self.elections.silencers)
        self._write = write
        self._names = names
        self._high_watermark = high_watermark
        self._ends = ends
        self._lock = lock
        self._on_the_way: dict[tuple[str, bool], dict[int, int]] = {}
        """Messages in flight, by number; by connection and whether the dialer sent them."""
        self._carried: Memory[tuple[str, str, int]] = Memory()
        """The message that contained a batch: by node, partition and checksum."""
        self._appended: Memory[tuple[str, str, int]] = Memory()
        """The event of a batch in a log: by node, partition and base offset."""
        self._fetched: Memory[tuple[str, str, int]] = Memory()
        """A follower's newest fetch of a partition from an offset."""
        self._newest_fetch: Memory[tuple[str, str]] = Memory()
        """The newest fetch of any follower, by node and partition."""
        self._since: dict[tuple[str, int], list[int]] = {}
        """The appends of a node from one message: by node and that message's event."""
        self.clients = Clients(write)
        self.produced = self.clients.produced
        self.acknowledged = self.clients.acknowledged
        self.failed = self.clients.failed
        self.read = self.clients.read
        self._touched: dict[str, dict[str, int]] = {}
        """By node: the changed partitions, and the event."""
        self._marks: dict[tuple[str, str], tuple[int, int]] = {}
        """High watermark and its event, by node and partition."""
        self._epochs: dict[tuple[str, str], int] = {}
        self._commits: dict[tuple[str, int], Fields] = {}
        """The offsets of pending commits."""
        self._orders: dict[str, int] = {}
        """The event that causes a client's requests."""
        self._last_answer: Memory[tuple[str, str]] = Memory()
        """The newest answer on a connection: by its name and API."""

    def network(
        self, node: str, inner: Network, clear: Clear | None = None, runs: Runs | None = None
    ) -> Network:
        """A process's network port, observed; `clear` and `runs` are as TracedNetwork has them."""
        return TracedNetwork(inner, node, self, self._ends, self._lock, clear, runs)

    def disk(self, node: str, inner: Disk) -> Disk:
        """A process's disk port, observed."""
        on_append, on_event = partial(self._batch_appended, node), partial(self._of_disk, node)
        return TracedDisk(inner, on_append, on_event, self._lock)

    # The wire.

    def message(self, link: Link, message: Message, *, sent: bool) -> None:
        """A message was sent, or arrived."""
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
            if "again" in fields:
                head["again"] = True
            if after:
                head["after"] = after[-_AFTER_MAX:]
            if api == "OffsetCommit" and side == "request":
                self._commits[link.ends.name, message.correlation_id] = fields
            event = self._write("message-sent", node=node, cause=cause, **head)
            if api == "Produce" and side == "request":
                self.clients.sent(link.ends.name, message.correlation_id, event)
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
        """A connection was closed on this side; messages in flight to it are lost."""
        cause = None
        if reason != "closed here":
            cause = self._write(
                "connection-lost",
                node=link.node,
                cause=self._why_lost(link),
                peer=link.there,
                connection=link.ends.name,
                reason=reason,
            )
            self.elections.connection_lost(link.node, link.there, cause)
            if link.dialed:
                self.clients.trouble[link.node] = cause
        self.clients.broken(link.ends.name)
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
        """The cause of an outgoing message, and the other events that it waited for."""
        node = link.node
        if message.protocol == "raft":
            cause = link.last_request if side == "response" else None
            return self.elections.of_message(node, api, side, fields, cause)
        if side == "response":
            after = [*self._shown(node, api, fields), *self._why_refused(fields)]
            return link.requests.get(message.correlation_id), after
        if api == "Produce":
            cause, after = self.clients.sending(link.ends.name, node, message, fields)
            return self._otherwise(node) if cause is None else cause, after
        if api == "Fetch":
            answer = self._last_answer.get((link.ends.name, api))
            since = self._since.pop((node, answer), []) if answer is not None else []
            return self._otherwise(node) if answer is None else answer, [
                *since,
                *self._new_leaders(fields, answer or 0),
            ]
        if api == "Envelope" and (asked := self.elections.asked(fields)) is not None:
            return asked, []
        if api == "BrokerHeartbeat":
            return self.elections.beats_because(node, fields) or self._otherwise(node), []
        if api == "AlterPartition":
            return self._otherwise(node), list(self._why_altered(node, fields))
        return self._orders.get(node, self._otherwise(node)), []

    def _otherwise(self, node: str) -> int | None:
        """Otherwise a request is caused by its sender's latest failure, or by its start."""
        found = (self.clients.trouble.get(node), self.elections.begun.get(node))
        return max((each for each in found if each is not None), default=None)

    def _why_lost(self, link: Link) -> int | None:
        """What broke a connection, as far as this trace contains it."""
        down = self.elections.down.get(link.there)
        if down is not None or link.there not in self.elections.begun:
            return down
        found = self.elections.silencers(link.node, link.there)
        begun = self.elections.begun[link.there]
        return max((*found, begun))

    def _why_refused(self, fields: Fields) -> Iterator[int]:
        """A partition's error response is also caused by its latest election."""
        for each in fields.get("partitions", ()):
            if "error" in each and (led := self.elections.led.get(each.get("partition", ""))):
                yield led

    def _new_leaders(self, fields: Fields, since: int) -> Iterator[int]:
        """A fetch that adds a partition is caused by the election since the last fetch."""
        for each in fields.get("partitions", ()):
            led = self.elections.led.get(each.get("partition", ""))
            if led is not None and led > since:
                yield led

    def _why_altered(self, node: str, fields: Fields) -> Iterator[int]:
        """A leader's AlterPartition is caused by a replica's lag, or by its fetches."""
        for each in fields.get("partitions", ()):
            partition = each.get("partition", "")
            lag, led = self.elections.timers.about, self.elections.led
            found = lag.get((node, partition)), self._newest_fetch.get((node, partition))
            yield from (e for e in (*found, led.get(partition)) if e is not None)

    def _shown(self, node: str, api: str, fields: Fields) -> Iterator[int]:
        """The events behind a response's contents."""
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
                    self.clients.answers.put((node, api, partition), event)
                elif "replica_id" in fields and api == "Fetch":
                    self._newest_fetch.put((node, partition), event)
                    about = f"{partition} n{fields['replica_id']}"
                    self.elections.timers.pushed(node, "replica-lag", about, event)
                    self._fetched.put((node, partition, each.get("fetch_offset", -1)), event)
        if side == "response":
            self._last_answer.put((link.ends.name, api), event)
            self.clients.answered(link.ends.name, message.correlation_id, event)
            if "error" in fields or any("error" in e for e in fields.get("partitions", ())):
                self.clients.trouble[node] = event
            if api == "OffsetCommit":
                self._committed(link, message, fields, event)
        else:
            self.elections.request_arrived(node, api, fields, event)
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
        for (topic, index), batch in batches_of(topics, inner):
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
            begun = self.elections.begun.get(node)
            if cause is None or (begun is not None and cause < begun):
                cause, why = begun, Why("torn-end", offset=fields["offset"])
            else:
                known = {"leader_epoch": fields["leader_epoch"], "offset": fields["offset"]}
                why = Why("diverged", **known)
            fields |= {"reason": str(why), "code": why.code, "with": dict(why.values)}
        else:
            cause = self.elections.of_disk(node, kind, fields)
        event = self._write(kind, node=node, cause=cause, **fields)
        self.elections.disk_told(node, kind, fields, event)

    # High watermarks.

    def _look_at_marks(self, node: str) -> None:
        """Before a node sends: record the high watermarks that have changed since it last sent."""
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

    # Calls of applications to clients, and their results.

    def ordered(self, client: str, event: int) -> None:
        """A client acts on behalf of an administrator's operation or a fault."""
        self._orders[client] = event

    def timer_fired(self, node: str, timer: str, about: str) -> None:
        """Record a fired timer (model/timers.py)."""
        event = self.elections.timer_fired(node, timer, about)
        if timer in ("request", "delivery", "silence"):
            self.clients.trouble[node] = event
