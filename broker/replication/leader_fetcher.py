"""Fetches from one leader broker: one task, one connection, all partitions in each fetch.

The next fetch is also the acknowledgement of the last, so it leaves before anything else is done.
While nothing is new the leader holds a fetch for replica.fetch.wait.max.ms; when a partition is
added meanwhile, another fetch goes after it, which makes the leader answer the first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
import trio

from broker.handlers.list_offsets import EARLIEST, LATEST
from broker.replication.follower_session import FollowerSession
from broker.replication.following import Following
from model.errors import ErrorCode, KafkaError
from model.ids import Endpoint, TopicPartition
from model.world import SHORTEST_WAIT_S, BrokenConnection, Clock, Connection, Network
from net.answers import Turn
from net.connection import FrameReader, FrameTooLarge
from net.protocol import codec
from net.protocol.messages.fetch import FetchRequest, FetchResponse, ReplicaState
from net.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)

log = structlog.get_logger()

_FETCH_VERSION = 17
_LIST_OFFSETS_VERSION = 9
_MAX_FRAME_BYTES = 1 << 30
_RECONNECT_S = 0.02
_FOREVER_S = 3600.0


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


class LeaderFetcher:
    """Copies from one leader broker."""

    def __init__(
        self,
        leader_id: int,
        local_id: int,
        *,
        network: Network,
        clock: Clock,
        turn: Turn,
        config: FetcherConfig,
        endpoint: Callable[[int], Endpoint | None],
        broker_epoch: Callable[[], int],
        contact: Callable[[bool], None],
    ) -> None:
        self._leader_id = leader_id
        self._local_id = local_id
        self._network = network
        self._clock = clock
        self._turn = turn
        self._config = config
        self._endpoint = endpoint
        self._broker_epoch = broker_epoch
        self._contact = contact
        self._session = FollowerSession(self._new_request, config.partition_max_bytes)
        self._in_flight = 0
        self._failures = 0
        """Since the last answer; a connection that is only accepted is no success."""
        self._correlation = itertools.count(1)
        self._woken = False
        self._waiting: trio.CancelScope | None = None

    @property
    def max_lag(self) -> int:
        """Records that the most lagging partition misses."""
        return self._session.max_lag

    def add(self, following: Following) -> None:
        """Copy one more partition, at once."""
        self._session.add(following)
        self.wake()

    def remove(self, topic_partition: TopicPartition) -> None:
        """Copy one partition less."""
        self._session.remove(topic_partition)
        self.wake()

    def wake(self) -> None:
        """There is something to say to the leader, or another place to find it at."""
        self._woken = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def run(self) -> None:
        """Fetch until cancelled, connecting again after each failure."""
        while True:
            self._woken = False
            endpoint = self._endpoint(self._leader_id) if self._session.following else None
            if endpoint is None:
                await self._pause(_FOREVER_S)
                continue
            try:
                connection = await self._network.connect(*endpoint)
            except BrokenConnection as error:
                self._report(error)
            else:
                self._contact(True)
                try:
                    await self._converse(connection)
                    continue
                except (BrokenConnection, codec.MalformedMessage, FrameTooLarge) as error:
                    self._report(error)
                    self._contact(False)
                except KafkaError as error:
                    self._report(error)
                finally:
                    connection.close()
            self._failures += 1
            await self._pause(
                min(_RECONNECT_S * 2 ** min(self._failures, 10), self._config.backoff_max_s)
            )

    def _report(self, error: Exception) -> None:
        if not self._failures and self._session.following:
            log.info(
                f"fetching {len(self._session.following)} partitions from broker "
                f"{self._leader_id} is interrupted: {error}"
            )

    async def _converse(self, connection: Connection) -> None:
        """Fetch over one connection until it breaks, or there is nothing left to fetch."""
        session = self._session
        session.restart()
        self._in_flight = 0
        reader = FrameReader(_MAX_FRAME_BYTES)
        while session.following:
            self._woken = False
            if session.lost and not self._in_flight:
                await self._find(connection, reader)
                continue
            retry_s = session.retry(self._clock.monotonic())
            if not session.lost and (session.has_news or not self._in_flight):
                request = session.request()
                if request is not None:
                    await self._send(connection, request, _FETCH_VERSION)
                    self._in_flight += 1
            if self._in_flight:
                self._process(await self._receive(connection, reader, retry_s))
            else:
                await self._pause(min(retry_s, _FOREVER_S))

    def _new_request(self) -> FetchRequest:
        config = self._config
        return FetchRequest(
            replica_state=ReplicaState(
                replica_id=self._local_id, replica_epoch=self._broker_epoch()
            ),
            max_wait=config.wait_max_ms,
            min_bytes=config.min_bytes,
            max_bytes=config.response_max_bytes,
        )

    async def _send(self, connection: Connection, request: Any, version: int) -> None:
        client_id = f"broker-{self._local_id}-fetcher-{self._leader_id}"
        await connection.send(
            codec.encode_request(request, version, next(self._correlation), client_id)
        )

    async def _receive(
        self, connection: Connection, reader: FrameReader, retry_s: float
    ) -> list[memoryview]:
        """The answers that came; none when there is something to send before."""
        timeout_s = self._config.socket_timeout_s
        with trio.move_on_after(max(SHORTEST_WAIT_S, min(timeout_s, retry_s))) as scope:
            self._waiting = scope
            if self._woken:
                scope.cancel()
            received = await connection.receive_into(reader.space(), reader.missing)
            self._waiting = None
            if not received:
                raise BrokenConnection(f"{connection.peer} has closed the connection")
            return reader.frames(received)
        self._waiting = None
        if not self._woken and retry_s >= timeout_s:
            raise BrokenConnection(f"{connection.peer}: no answer within {timeout_s:g} s")
        return []

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until there is something to say."""
        with trio.CancelScope() as scope:
            self._waiting = scope
            if self._woken:
                scope.cancel()
            await self._clock.sleep(seconds)
        self._waiting = None

    def _process(self, frames: list[memoryview]) -> None:
        self._turn.begin()
        try:
            for frame in frames:
                self._in_flight -= 1
                _, response = codec.decode_response(FetchResponse, _FETCH_VERSION, frame)
                self._failures = 0
                self._session.answered(response, self._clock.monotonic(), self._clock.wall_ms())
        finally:
            self._turn.end()

    async def _find(self, connection: Connection, reader: FrameReader) -> None:
        """Ask the leader where the logs begin and end that our offsets are out of range of."""
        lost = list(self._session.lost.values())
        ends = await self._offsets(connection, reader, lost, LATEST)
        starts = await self._offsets(connection, reader, lost, EARLIEST)
        self._session.found(starts, ends, self._clock.monotonic(), self._clock.wall_ms())

    async def _offsets(
        self,
        connection: Connection,
        reader: FrameReader,
        lost: list[Following],
        timestamp: int,
    ) -> dict[TopicPartition, int]:
        request = ListOffsetsRequest(replica_id=self._local_id)
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
