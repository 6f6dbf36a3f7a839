"""Sends batches to the partitions' leaders and handles the responses.

One task decides what is sent; responses are handled as they come, by the connection that brings
them. A batch that fails for a retriable reason is sent again until delivery.timeout.ms is over; a
newly elected leader ends the pause before the next attempt.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from math import inf

import trio

from raftka.client.cluster import Cluster
from raftka.client.metadata import Broker
from raftka.client.producer.accumulator import Accumulator
from raftka.client.producer.batch import BATCH_OVERHEAD, Batch
from raftka.client.producer.identities import Identities
from raftka.client.producer.queue import PartitionQueue
from raftka.client.producer.transactions import Transactions
from raftka.client.settings import ClientConfig
from raftka.model import timers
from raftka.model.errors import RETRIABLE, ErrorCode, KafkaError
from raftka.model.errors import text as error_text
from raftka.model.ids import NO_TIMESTAMP, TopicPartition
from raftka.model.ports import SHORTEST_WAIT_S, BrokenConnection
from raftka.net.channel import Channel
from raftka.net.futures import Future
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)

log = logging.getLogger("raftka.producer")

_FIRST_WITH_TOPIC_IDS = 13
_SOON_S = 0.02
_GAPS = frozenset(
    {
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        ErrorCode.UNKNOWN_PRODUCER_ID,
        ErrorCode.INVALID_PRODUCER_EPOCH,
    }
)
_MOVED = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.LEADER_NOT_AVAILABLE,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.NETWORK_EXCEPTION,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.INCONSISTENT_TOPIC_ID,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.UNKNOWN_LEADER_EPOCH,
    }
)


class Sender:
    """The sending half of a producer; `run` must be running."""

    def __init__(
        self,
        cluster: Cluster,
        accumulator: Accumulator,
        config: ClientConfig,
        transactions: Transactions | None = None,
    ) -> None:
        self._cluster = cluster
        self._clock = cluster.clock
        self._accumulator = accumulator
        self._acks = config.number("acks")
        self._retries = config.number("retries")
        self._compression = config.text("compression.type")
        self._request_size_max = config.number("max.request.size")
        self._in_flight_max = config.number("max.in.flight.requests.per.connection")
        self._idempotent = config.flag("enable.idempotence")
        self._transactions = transactions
        self._identities = transactions or Identities(
            cluster, accumulator, self._idempotent, self._give_up
        )
        self._in_flight: defaultdict[int, int] = defaultdict(int)
        self._connecting: set[int] = set()
        self._alarm = self._clock.alarm()
        self._leaders: dict[TopicPartition, tuple[int, int]] = {}
        self._nursery: trio.Nursery | None = None

    def wake(self) -> None:
        """Wake the sender: there may be something to send."""
        self._alarm.ring()

    async def run(self) -> None:
        """Send until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            while True:
                await self._identities.prepare()
                now = self._clock.monotonic()
                self._give_up(now)
                wake_at = self._send_due(now)
                await self._alarm.wait(max(wake_at, now + SHORTEST_WAIT_S))

    # Sending

    def _send_due(self, now: float) -> float:
        """Send the batches that are due; returns when to check again, unless woken before."""
        while True:
            wake_at = inf
            by_node: dict[int, list[tuple[PartitionQueue, Batch]]] = {}
            for queue in self._accumulator.active():
                wake_at = min(wake_at, self._accumulator.expires_at(queue))
                self._notice_leader(queue)
                batch = queue.sendable(now) if self._may_send(queue) else None
                if batch is None:
                    if queue.pending and not queue.in_flight:
                        wake_at = min(wake_at, max(queue.pending[0].not_before, now + 0.001))
                    continue
                due = self._accumulator.due_at(batch)
                if due > now:
                    wake_at = min(wake_at, due)
                    continue
                leader = self._cluster.view.leader(*queue.target)
                if leader is None:
                    self._cluster.refresh_soon()
                    continue
                if self._in_flight[leader.id] < self._in_flight_max:
                    by_node.setdefault(leader.id, []).append((queue, batch))
            progress = [self._send_to(node, work) for node, work in by_node.items()]
            if not any(progress):
                return wake_at

    def _may_send(self, queue: PartitionQueue) -> bool:
        """Whether the partition is in the transaction, if there are transactions."""
        return self._transactions is None or self._transactions.state.may_write(queue.target)

    def _notice_leader(self, queue: PartitionQueue) -> None:
        """A new leader ends the pause before the next attempt."""
        view = self._cluster.view.partition(*queue.target)
        if view is None:
            return
        current = (view.leader, view.leader_epoch)
        if self._leaders.get(queue.target) != current:
            self._leaders[queue.target] = current
            if view.leader >= 0:
                queue.hurry()

    def _send_to(self, node_id: int, work: list[tuple[PartitionQueue, Batch]]) -> bool:
        """Send one request; False when there is no connection yet."""
        broker = self._cluster.view.brokers[node_id]
        channel = self._cluster.connections.ready(broker.endpoint)
        if channel is None:
            if node_id not in self._connecting and self._nursery is not None:
                self._connecting.add(node_id)
                self._nursery.start_soon(self._connect, broker)
            return False
        transactions = self._transactions
        highest = None if transactions is None else transactions.newest_produce
        version = channel.version_for(ProduceRequest, highest)
        topics: dict[str, TopicProduceData] = {}
        sent: list[Batch] = []
        size = 0
        for queue, batch in work:
            if sent and size + batch.size > self._request_size_max:
                break
            size += batch.size
            queue.take(batch, self._identities.current)
            if transactions is not None:
                transactions.state.written(batch.target)
            sent.append(batch)
            self._add(topics, batch)
        if any(topic.topic_id == bytes(16) for topic in topics.values()):
            version = min(version, _FIRST_WITH_TOPIC_IDS - 1)
        self._post(channel, node_id, version, list(topics.values()), sent)
        return True

    def _add(self, topics: dict[str, TopicProduceData], batch: Batch) -> None:
        name, partition = batch.target
        topic = topics.get(name)
        if topic is None:
            view = self._cluster.view.topics[name]
            topic = topics[name] = TopicProduceData(name=name, topic_id=view.id, partition_data=[])
        topic.partition_data.append(
            PartitionProduceData(
                index=partition,
                records=batch.encode(
                    self._compression, is_transactional=self._transactions is not None
                ),
            )
        )

    def _post(
        self,
        channel: Channel,
        node_id: int,
        version: int,
        topics: list[TopicProduceData],
        sent: list[Batch],
    ) -> None:
        request = ProduceRequest(
            transactional_id=None if self._transactions is None else self._transactions.id,
            acks=self._acks,
            timeout=int(self._cluster.request_timeout_s * 1000),
            topic_data=topics,
        )
        answered = self._acks != 0
        answer = channel.send(request, version, self._cluster.request_timeout_s, answered=answered)
        if not answered and not answer.done:
            for batch in sent:
                self._succeed(batch, -1, NO_TIMESTAMP)
            return
        self._in_flight[node_id] += 1

        def handle(future: Future[ProduceResponse]) -> None:
            self._in_flight[node_id] -= 1
            self._handle(sent, future)
            self._alarm.ring()

        answer.when_done(handle)

    async def _connect(self, broker: Broker) -> None:
        try:
            await self._cluster.channel_to(broker.id)
        except BrokenConnection as error:
            log.info("broker %s cannot be reached: %s", broker, error)
        finally:
            self._connecting.discard(broker.id)
            self._alarm.ring()

    # Responses

    def _handle(self, sent: list[Batch], future: Future[ProduceResponse]) -> None:
        if self._accumulator.is_abandoned:
            return
        if future.error is not None:
            self._cluster.refresh_soon()
            for batch in sent:
                self._failed(batch, ErrorCode.NETWORK_EXCEPTION, str(future.error))
            return
        answer = future.result()
        by_target = {
            TopicPartition(
                topic.name or self._cluster.view.topic_name(topic.topic_id) or "", part.index
            ): part
            for topic in answer.responses
            for part in topic.partition_responses
        }
        self._learn(answer, by_target)
        for batch in sent:
            part = by_target.get(batch.target)
            if part is None:
                self._failed(batch, ErrorCode.NETWORK_EXCEPTION, "the answer left the batch out")
            elif part.error_code in (ErrorCode.NONE, ErrorCode.DUPLICATE_SEQUENCE_NUMBER):
                self._accumulator.queue(batch.target).finish(batch)
                self._succeed(batch, part.base_offset, part.log_append_time)
            else:
                self._failed(batch, part.error_code, part.error_message)

    def _learn(
        self, answer: ProduceResponse, parts: dict[TopicPartition, PartitionProduceResponse]
    ) -> None:
        endpoints = [Broker(n.node_id, n.host, n.port, n.rack) for n in answer.node_endpoints]
        leaders = [
            (*target, part.current_leader.leader_id, part.current_leader.leader_epoch)
            for target, part in parts.items()
            if part.current_leader.leader_id >= 0
        ]
        if leaders:
            self._cluster.learn_leaders(leaders, endpoints)

    def _succeed(self, batch: Batch, base_offset: int, log_append_time_ms: int) -> None:
        if batch in (queue := self._accumulator.queue(batch.target)).in_flight:
            queue.finish(batch)
        self._accumulator.release(batch)
        batch.succeed(base_offset, log_append_time_ms)

    def _failed(self, batch: Batch, code: int, message: str | None) -> None:
        """A batch failed: retry it, split it, or give it up."""
        queue = self._accumulator.queue(batch.target)
        if code in _MOVED:
            self._cluster.refresh_soon()
        pause = self._cluster.retry_backoff.pause(batch.attempts)
        if code == ErrorCode.CONCURRENT_TRANSACTIONS:
            # The coordinator still writes the last transaction's markers, which takes moments.
            pause = min(pause, _SOON_S * batch.attempts)
        again_at = self._clock.monotonic() + pause
        log.debug("%s, attempt %d: %s %s", batch.target, batch.attempts, code, message)
        if code == ErrorCode.MESSAGE_TOO_LARGE and len(batch) > 1:
            before = batch.size
            first, second = queue.split(batch)
            self._accumulator.used_bytes += first.size + second.size - before
            # A flush waits for both halves.
            first.done.when_done(
                lambda _: second.done.when_done(lambda _: batch.done.set_result(None))
            )
        elif self._transactions is not None and self._is_final(queue, batch, code):
            queue.give_up(batch)
            self._end(batch, KafkaError(ErrorCode(code), message or None))
        elif self._idempotent and code in _GAPS and self._transactions is None:
            if queue.is_first(batch):
                log.warning(
                    "%s: the leader has lost count of this producer (%s): starting a new epoch",
                    batch.target,
                    error_text(code),
                )
                queue.want_restart()
            queue.put_back(batch, again_at)
        elif (code in RETRIABLE or code in _GAPS) and batch.attempts <= self._retries:
            queue.put_back(batch, again_at)
        else:
            queue.give_up(batch)
            self._end(batch, KafkaError(ErrorCode(code), message or None))

    def _is_final(self, queue: PartitionQueue, batch: Batch, code: int) -> bool:
        """Whether a batch of a transaction has failed: an abort comes next, not a new epoch."""
        assert self._transactions is not None
        return not self._transactions.takes_retries or (code in _GAPS and queue.is_first(batch))

    def _give_up(self, now: float) -> None:
        for batch in self._accumulator.expired(now):
            size = batch.size - BATCH_OVERHEAD
            why = self.why_waiting(batch)
            timers.fired("delivery", str(batch.target))
            self._end(
                batch,
                KafkaError(
                    ErrorCode.REQUEST_TIMED_OUT,
                    f"{len(batch)} records ({size} bytes) for {batch.target} were not acknowledged"
                    f" within delivery.timeout.ms: {why}",
                ),
            )

    def why_waiting(self, batch: Batch) -> str:
        """Why a batch has no answer yet, for the log."""
        if self._cluster.last_error is not None:
            return str(self._cluster.unreachable())
        leader = self._cluster.view.leader(*batch.target)
        if leader is None:
            return "the partition has no leader"
        return f"after {batch.attempts} attempts; its leader is {leader}"

    def _end(self, batch: Batch, error: KafkaError) -> None:
        self._accumulator.release(batch)
        batch.fail(error)
        if self._transactions is not None:
            self._transactions.batch_failed(batch.target, error.code)
