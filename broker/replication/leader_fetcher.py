"""Fetches from one leader broker: one connection, all partitions in each fetch.

The next fetch also acknowledges the records of the last one, so the task that receives the answers
sends it before anything else. Without new records the leader holds a fetch for
replica.fetch.wait.max.ms; if a partition is added meanwhile, another fetch follows, which makes the
leader answer the first. A second task sends that one and checks the timeout: a timeout around each
receive would cost more than the rest of an empty fetch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import trio

from raftka.broker.replication.fetcher_config import FetcherConfig
from raftka.broker.replication.follower_session import FollowerSession
from raftka.broker.replication.following import Following
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Endpoint, TopicPartition
from raftka.model.logs import get_logger
from raftka.model.offset_specs import EARLIEST, LATEST
from raftka.model.ports import SHORTEST_WAIT_S, BrokenConnection, Clock, Connection, Network, Piece
from raftka.net.answers import Turn
from raftka.net.connection import FrameReader, FrameTooLarge
from raftka.net.protocol import codec
from raftka.net.protocol.messages.fetch import FetchRequest, FetchResponse, ReplicaState
from raftka.net.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)

log = get_logger(__name__)

_FETCH_VERSION = 17
_LIST_OFFSETS_VERSION = 9
_MAX_FRAME_BYTES = 1 << 30
_RECONNECT_S = 0.02


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
        self._client_id = f"broker-{local_id}-fetcher-{leader_id}"
        self._endpoint = endpoint
        self._broker_epoch = broker_epoch
        self._contact = contact
        self._session = FollowerSession(
            self._new_request, config.partition_max_bytes, config.throttle
        )
        self._in_flight = 0
        self._heard_s = 0.0
        """When the leader last answered, or was asked while it owed no answer."""
        self._retry_s = math.inf
        """When to ask again for partitions that the leader has refused."""
        self._unsent: list[Piece] = []
        """Bytes that the socket did not accept at once."""
        self._finding = False
        """Whether the leader is asked for the range of its logs: no fetch is sent meanwhile."""
        self._ended_by: BrokenConnection | None = None
        """Why this side has closed the connection."""
        self._failures = 0
        """Failures since the last answer: accepting a connection does not count as success."""
        self._correlation = itertools.count(1)
        self._alarm = clock.alarm()

    @property
    def max_lag(self) -> int:
        """The lag of the most lagging partition, in records."""
        return self._session.max_lag

    def add(self, following: Following) -> None:
        """Start to copy a partition, at once."""
        self._session.add(following)
        self.wake()

    def remove(self, topic_partition: TopicPartition) -> None:
        """Stop to copy a partition."""
        self._session.remove(topic_partition)
        self.wake()

    def log_start_moved(self, topic_partition: TopicPartition) -> None:
        """Report the new log start to the leader, which sends consumers here for the remaining
        records (KIP-392)."""
        self._session.tell_again(topic_partition)
        self.wake()

    def wake(self) -> None:
        """Wake the sender: there is something to send, or the leader has another endpoint."""
        self._alarm.ring()

    async def run(self) -> None:
        """Fetch until cancelled; reconnect after each failure."""
        while True:
            endpoint = self._endpoint(self._leader_id) if self._session.following else None
            if endpoint is None:
                await self._alarm.wait(math.inf)
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
            pause_s = min(_RECONNECT_S * 2 ** min(self._failures, 10), self._config.backoff_max_s)
            await self._alarm.wait(self._clock.monotonic() + pause_s)

    def _report(self, error: Exception) -> None:
        if not self._failures and self._session.following:
            log.info(
                f"fetching {len(self._session.following)} partitions from broker "
                f"{self._leader_id} is interrupted: {error}"
            )

    async def _converse(self, connection: Connection) -> None:
        """Fetch over one connection until it breaks, or no partitions are left."""
        self._session.restart()
        self._in_flight, self._unsent, self._ended_by = 0, [], None
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._mind, connection)
            try:
                await self._listen(connection)
            except trio.ClosedResourceError:
                failure = self._ended_by
            except Exception as error:  # Raised below, outside of the nursery's group.
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _listen(self, connection: Connection) -> None:
        """Receive answers, and process each."""
        session, reader = self._session, FrameReader(_MAX_FRAME_BYTES)
        while session.following:
            if session.lost and not self._in_flight:
                self._finding = True
                try:
                    await self._find(connection, reader)
                finally:
                    self._finding = False
            self._speak(connection)
            self._process(await self._receive(connection, reader))

    async def _mind(self, connection: Connection) -> None:
        """Send requests that come up between two answers, and close a silent connection."""
        timeout_s = self._config.socket_timeout_s
        while True:
            heard_s = self._heard_s if self._in_flight else self._clock.monotonic()
            await self._alarm.wait(min(self._retry_s, heard_s + timeout_s))
            if not self._session.following:
                break
            try:
                if self._unsent:
                    await connection.send(self._unsent)
                    self._unsent = []
                self._speak(connection)
            except BrokenConnection as error:
                self._ended_by = error
                break
            if self._in_flight and self._clock.monotonic() >= self._heard_s + timeout_s:
                silence = f"{connection.peer}: no answer within {timeout_s:g} s"
                self._ended_by = BrokenConnection(silence)
                break
        connection.close()

    def _speak(self, connection: Connection) -> None:
        """Send the next fetch if one is due. Raises BrokenConnection."""
        session, now_s = self._session, self._clock.monotonic()
        retry_s = now_s + max(SHORTEST_WAIT_S, session.retry(now_s))
        if retry_s < self._retry_s:
            self._alarm.ring()
        self._retry_s = retry_s
        busy = self._unsent or (self._in_flight and not session.has_news)
        if self._finding or session.lost or busy:
            return
        request = session.request()
        if request is not None:
            self._unsent = connection.send_now(self._frame(request, _FETCH_VERSION))
            if self._unsent:
                self._alarm.ring()

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

    def _frame(self, request: Any, version: int) -> list[Piece]:
        """A request's bytes; from now on its answer is expected."""
        if not self._in_flight:
            self._heard_s = self._clock.monotonic()
        self._in_flight += 1
        return codec.encode_request(request, version, next(self._correlation), self._client_id)

    async def _receive(self, connection: Connection, reader: FrameReader) -> list[memoryview]:
        """The answers that have arrived; none if only a part of one has."""
        received = await connection.receive_into(reader.space(), reader.missing)
        if not received:
            raise BrokenConnection(f"{connection.peer} has closed the connection")
        self._heard_s = self._clock.monotonic()
        return reader.frames(received)

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
        """Ask the leader for the range of the logs where our offsets are out of range."""
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
        await connection.send(self._frame(request, _LIST_OFFSETS_VERSION))
        frames: list[memoryview] = []
        while not frames:
            frames = await self._receive(connection, reader)
        self._in_flight -= 1
        _, response = codec.decode_response(ListOffsetsResponse, _LIST_OFFSETS_VERSION, frames[0])
        return {
            TopicPartition(topic.name, part.partition_index): part.offset
            for topic in response.topics
            for part in topic.partitions
            if part.error_code == ErrorCode.NONE
        }
