"""Fetches records from leaders or nearby replicas, and buffers them until they are polled.

Each broker gets one request at a time, sent as soon as all its records were polled, so that the
next response is in flight while the caller processes the last one.
"""

from __future__ import annotations

import logging
from collections import deque
from operator import attrgetter

from raftka.client.cluster import Cluster
from raftka.client.consumer.completed_fetch import Aborted, CompletedFetch
from raftka.client.consumer.fetch_session import FetchSession, SessionRequest, Wish
from raftka.client.consumer.state import Assignment, ConsumerRecord, PartitionState, Position
from raftka.client.metadata import Broker, PartitionView
from raftka.client.settings import ClientConfig
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_BROKER, ZERO_UUID, TopicPartition
from raftka.net.channel import Channel
from raftka.net.futures import Future
from raftka.net.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)

log = logging.getLogger("raftka.consumer")

LANE = "fetch"
_FIRST_WITH_TOPIC_IDS = 13
_LEADER_MOVED = frozenset(
    {
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.REPLICA_NOT_AVAILABLE,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.OFFSET_NOT_AVAILABLE,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.INCONSISTENT_TOPIC_ID,
        ErrorCode.UNKNOWN_LEADER_EPOCH,
        ErrorCode.LEADER_NOT_AVAILABLE,
    }
)


class Fetcher:
    """`send` starts fetches; `take` returns buffered records; `news` signals responses."""

    def __init__(
        self, cluster: Cluster, assignment: Assignment, config: ClientConfig, reset: int | None
    ) -> None:
        self.news = cluster.clock.alarm()
        self.failures: dict[TopicPartition, KafkaError] = {}
        """Errors to raise in the caller's next poll, by partition."""
        self._cluster = cluster
        self._clock = cluster.clock
        self._assignment = assignment
        self._reset = reset
        self._min_bytes = config.number("fetch.min.bytes")
        self._max_bytes = config.number("fetch.max.bytes")
        self._max_wait_ms = config.number("fetch.max.wait.ms")
        self._partition_bytes = config.number("max.partition.fetch.bytes")
        self._check_crcs = config.flag("check.crcs")
        self._committed_only = config.text("isolation.level") == "read_committed"
        self._rack = config.text("client.rack")
        # Its connection may be busy with a fetch that waits: long enough for the one after that.
        self._preference_s = config.seconds("metadata.max.age.ms") + self._max_wait_ms / 1000
        self._sessions: dict[int, FetchSession] = {}
        self._asked: set[int] = set()
        self._completed: deque[CompletedFetch] = deque()
        self._served = 0
        """How often a partition was served."""

    @property
    def has_records(self) -> bool:
        return bool(self._completed)

    def send(self, connect: set[int], now: float) -> None:
        """Fetch from each broker without a request in flight; add those to connect to `connect`."""
        view = self._cluster.view
        waiting = [fetch.target for fetch in self._completed]
        by_node: dict[int, list[PartitionState]] = {}
        busy: set[int] = set()
        for state in self._assignment.states:
            if not state.fetchable(now):
                continue
            partition = view.partition(*state.target)
            node = self._source(state, partition, now)
            if node is None:
                self._cluster.refresh_soon()
            elif node in self._asked:
                continue
            elif state.target in waiting:
                busy.add(node)
            elif partition is not None and not state.is_doubtful(partition):
                by_node.setdefault(node, []).append(state)
        for node, states in by_node.items():
            if node in busy:
                continue
            channel = self._cluster.connections.ready(view.brokers[node].endpoint, LANE)
            if channel is None:
                connect.add(node)
            else:
                self._ask(node, channel, states)

    def take(self, limit: int) -> list[ConsumerRecord]:
        """Up to `limit` buffered records. Raises KafkaError for corrupt ones."""
        taken: list[ConsumerRecord] = []
        while self._completed and len(taken) < limit:
            fetch = self._completed[0]
            state = self._assignment.get(fetch.target)
            if state is None or state.position != fetch.position:
                # The partition was revoked, or the caller has called `seek`.
                self._completed.popleft()
                continue
            if state.paused:
                self._completed.rotate(-1)
                if all(self._is_paused(other) for other in self._completed):
                    break
                continue
            taken += fetch.take(limit - len(taken))
            state.position = fetch.position
            if fetch.exhausted:
                self._completed.popleft()
        return taken

    def forget(self, node_id: int) -> None:
        """The connection to a broker ended, and its sessions with it."""
        self._sessions.pop(node_id, None)

    def _is_paused(self, fetch: CompletedFetch) -> bool:
        state = self._assignment.get(fetch.target)
        return state is not None and state.paused and state.position == fetch.position

    def _source(
        self, state: PartitionState, partition: PartitionView | None, now: float
    ) -> int | None:
        """The broker to fetch from: a nearby replica that the leader named, or the leader."""
        brokers = self._cluster.view.brokers
        if state.preferred_replica is not None and state.preferred_until > now:
            if state.preferred_replica in brokers:
                return state.preferred_replica
            state.preferred_replica = None
        if partition is None or partition.leader not in brokers:
            return None
        return partition.leader

    def _ask(self, node: int, channel: Channel, states: list[PartitionState]) -> None:
        session = self._sessions.setdefault(node, FetchSession())
        states.sort(key=attrgetter("turn"))
        version = channel.version_for(FetchRequest)
        wishes = {state.target: self._wish(state) for state in states}
        if any(wish.topic_id == ZERO_UUID for wish in wishes.values()):
            version = min(version, _FIRST_WITH_TOPIC_IDS - 1)
        planned = session.request(wishes)
        answer = channel.send(
            self._request(planned),
            version,
            self._cluster.request_timeout_s + self._max_wait_ms / 1000,
            wait_s=self._max_wait_ms / 1000,
        )
        self._asked.add(node)
        starts = {state.target: state.position for state in states if state.position is not None}

        def handle(future: Future[FetchResponse]) -> None:
            self._asked.discard(node)
            if future.error is not None:
                session.restart()
                self._cluster.refresh_soon()
                for target in starts:
                    self._forget_preference(target)
            else:
                self._handle(node, session, starts, future.result())
            self.news.ring()

        answer.when_done(handle)

    def _wish(self, state: PartitionState) -> Wish:
        topic = self._cluster.view.topics[state.target.topic]
        position = state.position
        assert position is not None
        epoch = topic.partitions[state.target.partition].leader_epoch
        return Wish(topic.id, position.offset, epoch, -1, self._partition_bytes)

    def _request(self, planned: SessionRequest) -> FetchRequest:
        # A broker serves partitions in the order in which a request without a session names them,
        # so a topic is named again where others come between its partitions.
        topics: list[FetchTopic] = []
        for target, wish in planned.wishes.items():
            if not topics or topics[-1].topic != target.topic:
                topics.append(FetchTopic(topic=target.topic, topic_id=wish.topic_id))
            topics[-1].partitions.append(
                FetchPartition(
                    partition=target.partition,
                    current_leader_epoch=wish.current_leader_epoch,
                    fetch_offset=wish.fetch_offset,
                    last_fetched_epoch=wish.last_fetched_epoch,
                    partition_max_bytes=wish.partition_max_bytes,
                )
            )
        forgotten: dict[tuple[str, bytes], ForgottenTopic] = {}
        for target, topic_id in planned.forgotten.items():
            key = (target.topic, topic_id)
            if key not in forgotten:
                forgotten[key] = ForgottenTopic(topic=target.topic, topic_id=topic_id)
            forgotten[key].partitions.append(target.partition)
        return FetchRequest(
            max_wait=self._max_wait_ms,
            min_bytes=self._min_bytes,
            max_bytes=self._max_bytes,
            isolation_level=1 if self._committed_only else 0,
            session_id=planned.session_id,
            session_epoch=planned.session_epoch,
            topics=topics,
            forgotten_topics_data=list(forgotten.values()),
            rack_id=self._rack,
        )

    # Responses

    def _handle(
        self,
        node: int,
        session: FetchSession,
        starts: dict[TopicPartition, Position],
        answer: FetchResponse,
    ) -> None:
        session.answered(answer.error_code, answer.session_id)
        if answer.error_code != ErrorCode.NONE:
            log.info("broker %d ended its fetch session: %s", node, answer.error_code)
            if answer.error_code in _LEADER_MOVED:
                self._cluster.refresh_soon()
            return
        leaders: list[tuple[str, int, int, int]] = []
        for topic in answer.responses:
            name = topic.topic or self._cluster.view.topic_name(topic.topic_id)
            if name is None:
                continue
            for part in topic.partitions:
                target = TopicPartition(name, part.partition_index)
                self._handle_partition(target, part, starts.get(target))
                if part.current_leader.leader_id != NO_BROKER:
                    current = part.current_leader
                    leaders.append((*target, current.leader_id, current.leader_epoch))
        if leaders:
            endpoints = [Broker(n.node_id, n.host, n.port, n.rack) for n in answer.node_endpoints]
            self._cluster.learn_leaders(leaders, endpoints)

    def _handle_partition(
        self, target: TopicPartition, part: PartitionData, start: Position | None
    ) -> None:
        state = self._assignment.get(target)
        if state is None or start is None or state.position != start:
            return
        if part.error_code != ErrorCode.NONE:
            self._failed(state, part.error_code)
            return
        state.high_watermark = part.high_watermark
        state.last_stable_offset = part.last_stable_offset
        state.log_start_offset = part.log_start_offset
        if part.preferred_read_replica >= 0:
            if part.preferred_read_replica not in self._cluster.view.brokers:
                # The layout changed during the fetch: otherwise the leader names it again at once.
                self._cluster.refresh_soon()
                state.retry_at = self._clock.monotonic() + self._cluster.retry_backoff.pause(1)
                return
            state.preferred_replica = part.preferred_read_replica
            state.preferred_until = self._clock.monotonic() + self._preference_s
        records = part.records
        if records is None or isinstance(records, list) or not len(records):
            return
        aborted = None
        if self._committed_only:
            aborted = [
                Aborted(item.producer_id, item.first_offset)
                for item in part.aborted_transactions or ()
            ]
        self._served += 1
        state.turn = self._served
        self._completed.append(
            CompletedFetch(target, records, start, check_crcs=self._check_crcs, aborted=aborted)
        )

    def _failed(self, state: PartitionState, code: int) -> None:
        state.retry_at = self._clock.monotonic() + self._cluster.retry_backoff.pause(1)
        if code in _LEADER_MOVED:
            self._cluster.refresh_soon()
            self._forget_preference(state.target)
        elif code == ErrorCode.OFFSET_OUT_OF_RANGE:
            self._out_of_range(state)
        else:
            log.warning("%s: %s", state.target, ErrorCode(code).name)
            if not KafkaError(ErrorCode(code)).retriable:
                self.failures[state.target] = KafkaError(ErrorCode(code))

    def _out_of_range(self, state: PartitionState) -> None:
        position = state.position
        assert position is not None
        if state.preferred_replica is not None:
            # A follower may lag behind the leader: only the leader's answer counts.
            self._forget_preference(state.target)
            state.retry_at = 0.0
        elif self._reset is None:
            self.failures[state.target] = KafkaError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"offset {position.offset} of {state.target} is outside the log, and"
                " auto.offset.reset = none: seek to where to go on",
            )
        else:
            log.info("%s: offset %d is outside the log", state.target, position.offset)
            self._assignment.reset(state.target, self._reset)

    def _forget_preference(self, target: TopicPartition) -> None:
        state = self._assignment.get(target)
        if state is not None:
            state.preferred_replica = None
