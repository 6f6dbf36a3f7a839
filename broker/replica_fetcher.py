"""Follower fetching: one task and one connection per leader broker, all partitions in each fetch.

The next fetch is also the acknowledgement of the last, so it leaves before anything else is done.
While nothing is new the leader holds the fetch for replica.fetch.wait.max.ms; when a partition is
added meanwhile, another fetch goes after it, which makes the leader answer the first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
import trio

from broker.fetch_session import INITIAL_EPOCH, NO_SESSION
from broker.following import Following, Outcome
from broker.handlers.list_offsets import EARLIEST, LATEST
from broker.replica import Replica
from broker.replica_manager import ReplicaManager
from model.errors import ErrorCode, KafkaError
from model.ids import Endpoint, TopicPartition
from model.world import BrokenConnection, Clock, Connection, Network
from net.answers import Turn
from net.connection import FrameReader
from net.protocol import codec
from net.protocol.messages.fetch import (
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
    ReplicaState,
)
from net.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from storage.failure import LogDirFailure

log = structlog.get_logger()

_FETCH_VERSION = 17
_LIST_OFFSETS_VERSION = 9
_MAX_FRAME_BYTES = 1 << 30
_RECONNECT_S = 0.02


@dataclass(frozen=True)
class FetcherConfig:
    """Settings of follower fetching."""

    wait_max_ms: int = 500
    """replica.fetch.wait.max.ms"""
    min_bytes: int = 1
    """replica.fetch.min.bytes"""
    partition_max_bytes: int = 1024 * 1024
    """replica.fetch.max.bytes"""
    response_max_bytes: int = 10 * 1024 * 1024
    """replica.fetch.response.max.bytes"""
    backoff_max_s: float = 1.0
    """replica.fetch.backoff.ms"""
    socket_timeout_s: float = 30.0
    """replica.socket.timeout.ms"""


class ReplicaFetchers:
    """All fetchers of one broker. `run` must be running for partitions to be copied."""

    def __init__(
        self,
        replicas: ReplicaManager,
        network: Network,
        clock: Clock,
        turn: Turn,
        *,
        config: FetcherConfig,
        endpoint: Callable[[int], Endpoint | None],
        broker_epoch: Callable[[], int],
    ) -> None:
        self.replicas = replicas
        self.network = network
        self.clock = clock
        self.turn = turn
        self.config = config
        self.endpoint = endpoint
        """Where a broker listens for the others; None while it is not registered."""
        self.broker_epoch = broker_epoch
        self.on_broken: Callable[[int], None] = lambda leader_id: None
        """Told of each leader whose connection breaks."""
        self.on_connected: Callable[[int], None] = lambda leader_id: None
        """Told of each leader that can be reached again."""
        self._fetchers: dict[int, LeaderFetcher] = {}
        self._following: dict[TopicPartition, LeaderFetcher] = {}
        self._new_fetcher = trio.Event()

    async def run(self) -> None:
        """One task per leader, until cancelled."""
        started: set[int] = set()
        async with trio.open_nursery() as nursery:
            while True:
                for leader_id, fetcher in list(self._fetchers.items()):
                    if leader_id not in started:
                        started.add(leader_id)
                        nursery.start_soon(fetcher.run)
                await self._new_fetcher.wait()
                self._new_fetcher = trio.Event()

    def follow(self, replica: Replica) -> None:
        """Copy it from the leader of its present view, or from nobody when there is none."""
        self.leave(replica.topic_partition)
        leader_id = replica.state.view.leader
        if leader_id < 0:
            return
        fetcher = self._fetchers.get(leader_id)
        if fetcher is None:
            fetcher = self._fetchers[leader_id] = LeaderFetcher(self, leader_id)
            self._new_fetcher.set()
        self._following[replica.topic_partition] = fetcher
        fetcher.add(Following(replica, self.replicas.mutations, self.config.backoff_max_s))

    def leave(self, topic_partition: TopicPartition) -> None:
        """Copy it no more."""
        fetcher = self._following.pop(topic_partition, None)
        if fetcher is not None:
            fetcher.remove(topic_partition)

    @property
    def max_lag(self) -> int:
        """Records that the most lagging partition misses, as far as is known."""
        return max((fetcher.max_lag for fetcher in self._fetchers.values()), default=0)


class LeaderFetcher:
    """Copies from one leader broker."""

    def __init__(self, fetchers: ReplicaFetchers, leader_id: int) -> None:
        self._owner = fetchers
        self._leader_id = leader_id
        self._following: dict[tuple[bytes, int], Following] = {}
        self._by_name: dict[TopicPartition, tuple[bytes, int]] = {}
        self._changed: dict[tuple[bytes, int], None] = {}
        """Partitions that the leader has to be told of: new, moved on, or left."""
        self._asked: dict[tuple[bytes, int], tuple[int, int]] = {}
        """The session as the leader has it: the offset asked for and our log's start offset."""
        self._delayed: dict[tuple[bytes, int], Following] = {}
        """Partitions that the leader refuses at present."""
        self._lost: dict[tuple[bytes, int], Following] = {}
        """Partitions whose offset is out of the leader's range."""
        self._lag: dict[tuple[bytes, int], int] = {}
        self._session_id = NO_SESSION
        self._session_epoch = INITIAL_EPOCH
        self._in_flight = 0
        self._correlation = itertools.count(1)
        self._woken = False
        self._waiting: trio.CancelScope | None = None

    @property
    def max_lag(self) -> int:
        return max(self._lag.values(), default=0)

    def add(self, following: Following) -> None:
        """Copy one more partition, from the next fetch on."""
        key = following.key
        self._following[key] = following
        self._by_name[following.replica.topic_partition] = key
        self._changed[key] = None
        self._asked.pop(key, None)
        self._wake()

    def remove(self, topic_partition: TopicPartition) -> None:
        """Copy one partition less."""
        key = self._by_name.pop(topic_partition)
        for mapping in (self._following, self._lag, self._delayed, self._lost):
            mapping.pop(key, None)
        self._changed[key] = None
        self._wake()

    def _wake(self) -> None:
        self._woken = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until there is something to say."""
        if self._woken:
            await trio.lowlevel.checkpoint()
            return
        with trio.CancelScope() as scope:
            self._waiting = scope
            await self._owner.clock.sleep(seconds)
        self._waiting = None

    async def run(self) -> None:
        """Fetch until cancelled, connecting again after each failure."""
        failures = 0
        while True:
            self._woken = False
            endpoint = self._owner.endpoint(self._leader_id) if self._following else None
            if endpoint is None:
                await self._pause(1.0 if self._following else 3600.0)
                continue
            try:
                connection = await self._owner.network.connect(*endpoint)
            except BrokenConnection as error:
                failures += 1
                self._report(error, failures)
            else:
                try:
                    failures = 0
                    self._owner.on_connected(self._leader_id)
                    await self._converse(connection)
                except (BrokenConnection, codec.MalformedMessage, KafkaError) as error:
                    self._owner.on_broken(self._leader_id)
                    self._report(error, failures)
                    failures += 1
                finally:
                    connection.close()
            delay_s = min(_RECONNECT_S * 2 ** min(failures, 10), self._owner.config.backoff_max_s)
            await self._owner.clock.sleep(delay_s)

    def _report(self, error: Exception, failures: int) -> None:
        if failures <= 1 and self._following:
            log.info(
                f"fetching {len(self._following)} partitions from broker {self._leader_id} is "
                f"interrupted: {error}"
            )

    async def _converse(self, connection: Connection) -> None:
        """Fetch over one connection until it breaks, or there is nothing left to fetch."""
        self._session_id, self._session_epoch = NO_SESSION, INITIAL_EPOCH
        self._asked.clear()
        self._delayed.clear()
        self._lost.clear()
        self._in_flight = 0
        self._changed = dict.fromkeys(self._following)
        reader = FrameReader(_MAX_FRAME_BYTES)
        while self._following:
            self._woken = False
            if self._lost and not self._in_flight:
                await self._find(connection, reader)
                continue
            now_s = self._owner.clock.monotonic()
            retry_s = self._retry(now_s)
            # Before the first answer there is no session that more could be said in.
            may_add = self._changed and self._session_id != NO_SESSION
            if not self._lost and (may_add or not self._in_flight):
                request = self._request()
                if request is not None:
                    await self._send(connection, request, _FETCH_VERSION)
                    self._in_flight += 1
            if not self._in_flight:
                await self._pause(retry_s)
                continue
            frames = await self._receive(connection, reader, retry_s)
            self._process(frames)

    async def _send(self, connection: Connection, request: Any, version: int) -> None:
        pieces = codec.encode_request(
            request, version, next(self._correlation), f"replica-fetcher-{self._leader_id}"
        )
        await connection.send(pieces)

    async def _receive(
        self, connection: Connection, reader: FrameReader, retry_s: float
    ) -> list[memoryview]:
        """The answers that came; none when there is something to send before."""
        timeout_s = self._owner.config.socket_timeout_s
        with trio.move_on_after(min(timeout_s, retry_s)) as scope:
            self._waiting = scope
            if self._woken:
                scope.cancel()
            received = await connection.receive_into(reader.space())
            if not received:
                raise BrokenConnection(f"{connection.peer} has closed the connection")
            return reader.frames(received)
        self._waiting = None
        if not self._woken and retry_s >= timeout_s:
            raise BrokenConnection(f"{connection.peer}: no answer within {timeout_s:g} s")
        return []

    def _retry(self, now_s: float) -> float:
        """Ask again for partitions whose back-off is over; seconds until the next is."""
        wait_s = float("inf")
        for key, following in list(self._delayed.items()):
            if following.not_before_s <= now_s:
                del self._delayed[key]
                self._changed[key] = None
            else:
                wait_s = min(wait_s, following.not_before_s - now_s)
        return wait_s

    def _request(self) -> FetchRequest | None:
        """The next fetch: what has changed since the last; None when the session would be empty."""
        topics: dict[bytes, FetchTopic] = {}
        forgotten: dict[bytes, ForgottenTopic] = {}
        max_bytes = self._owner.config.partition_max_bytes
        for topic_id, index in self._changed:
            key = (topic_id, index)
            following = self._following.get(key)
            if following is None or key in self._lost or key in self._delayed:
                if self._asked.pop(key, None) is not None:
                    forgotten.setdefault(
                        topic_id, ForgottenTopic(topic_id=topic_id)
                    ).partitions.append(index)
                continue
            wanted = following.request(max_bytes)
            self._asked[key] = (wanted.fetch_offset, wanted.log_start_offset)
            topics.setdefault(topic_id, FetchTopic(topic_id=topic_id)).partitions.append(wanted)
        self._changed.clear()
        if not self._asked and self._session_id == NO_SESSION:
            return None
        config = self._owner.config
        request = FetchRequest(
            replica_state=ReplicaState(
                replica_id=self._owner.replicas.node_id,
                replica_epoch=self._owner.broker_epoch(),
            ),
            max_wait=config.wait_max_ms,
            min_bytes=config.min_bytes,
            max_bytes=config.response_max_bytes,
            session_id=self._session_id,
            session_epoch=self._session_epoch,
            topics=list(topics.values()),
            forgotten_topics_data=list(forgotten.values()),
        )
        self._session_epoch += 1
        return request

    def _process(self, frames: list[memoryview]) -> None:
        turn = self._owner.turn
        turn.begin()
        try:
            for frame in frames:
                self._in_flight -= 1
                _, response = codec.decode_response(FetchResponse, _FETCH_VERSION, frame)
                self._answered(response)
        finally:
            turn.end()

    def _answered(self, response: FetchResponse) -> None:
        if response.error_code != ErrorCode.NONE:
            raise KafkaError(ErrorCode(response.error_code), "the fetch session starts anew")
        if response.session_id == NO_SESSION:
            # No room for a session over there: each fetch names everything.
            self._session_epoch = INITIAL_EPOCH
            self._changed.update(dict.fromkeys(self._following))
        self._session_id = response.session_id
        now_s = self._owner.clock.monotonic()
        for topic in response.responses:
            topic_id = bytes(topic.topic_id)
            for data in topic.partitions:
                key = (topic_id, data.partition_index)
                following = self._following.get(key)
                asked = self._asked.get(key)
                if following is None or asked is None:
                    continue
                self._take(key, following, asked, data, now_s)

    def _take(
        self,
        key: tuple[bytes, int],
        following: Following,
        asked: tuple[int, int],
        data: PartitionData,
        now_s: float,
    ) -> None:
        """One partition's part of an answer."""
        try:
            outcome = following.answered(asked[0], data, now_s)
        except LogDirFailure:
            return  # Its directory is offline, and we have been told to leave it.
        except KafkaError as error:
            log.error(f"{following.replica.topic_partition}: unusable records: {error}")
            outcome = following.back_off(now_s)
        if outcome is Outcome.REFUSED:
            self._delayed[key] = following
        elif outcome is Outcome.LOST:
            self._lost[key] = following
        partition_log = following.replica.log
        end = partition_log.log_end_offset
        self._lag[key] = max(0, data.high_watermark - end)
        if (end, partition_log.log_start_offset) != asked or outcome is not Outcome.COPIED:
            self._changed[key] = None

    async def _find(self, connection: Connection, reader: FrameReader) -> None:
        """Ask the leader where the logs begin and end that our offsets are out of range of."""
        lost = list(self._lost.values())
        self._lost.clear()
        ends = await self._offsets(connection, reader, lost, LATEST)
        starts = await self._offsets(connection, reader, lost, EARLIEST)
        now_s = self._owner.clock.monotonic()
        for following in lost:
            name = following.replica.topic_partition
            if name in starts and name in ends:
                with suppress(LogDirFailure):
                    following.found(starts[name], ends[name])
            elif following.key in self._following:
                following.back_off(now_s)
                self._delayed[following.key] = following
            self._changed[following.key] = None

    async def _offsets(
        self,
        connection: Connection,
        reader: FrameReader,
        lost: list[Following],
        timestamp: int,
    ) -> dict[TopicPartition, int]:
        request = ListOffsetsRequest(replica_id=self._owner.replicas.node_id)
        for following in lost:
            wanted = ListOffsetsPartition(
                partition_index=following.replica.index,
                current_leader_epoch=following.leader_epoch,
                timestamp=timestamp,
            )
            request.topics.append(
                ListOffsetsTopic(name=following.replica.topic, partitions=[wanted])
            )
        await self._send(connection, request, _LIST_OFFSETS_VERSION)
        frames: list[memoryview] = []
        while not frames:
            self._woken = False
            frames = await self._receive(connection, reader, float("inf"))
        _, response = codec.decode_response(ListOffsetsResponse, _LIST_OFFSETS_VERSION, frames[0])
        return {
            TopicPartition(topic.name, part.partition_index): part.offset
            for topic in response.topics
            for part in topic.partitions
            if part.error_code == ErrorCode.NONE
        }
