"""Clients that know one broker and stay with it, whatever happens to its leadership.

Both are like real ones: a producer that does not know of an election yet, and a consumer that
reads from the replica in its rack (KIP-392) and names no leader epoch, as many libraries do. No
epoch fences such a reader. What it reads is right only because a high watermark, a follower's
too, covers only committed records.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from raftka.client.producer.producer import Producer
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH, TopicPartition
from raftka.model.ports import BrokenConnection
from raftka.model.records import Record, iter_batches, iter_records
from raftka.net.channel import Channel
from raftka.net.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    PartitionData,
)
from raftka.simulations.checkers.history import value_of
from raftka.simulations.load.contents import contents, identity
from raftka.simulations.load.workload import CLIENT_ERRORS, client_ports, report_corrupt
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.life import current_node
from raftka.simulations.machines.machine import BROKER_PORT
from raftka.simulations.world import World

_NO_SESSION: Final = -1
"""A fetch without a session (KIP-227)."""
_FETCH_VERSION: Final = 11
"""The first version in which consumers may read from followers; it names topics, not their ids."""
_WAIT_MS: Final = 1000
_TIMEOUT_S: Final = 3.0
_RETRY_S: Final = 0.02
_RETRY_MAX_S: Final = 0.1
_READERS_MAX: Final = 3


async def write(world: World, host: str, name: str, to: TopicPartition, records: int) -> None:
    """Write records with acks=1, one to a batch."""
    config = {
        "bootstrap.servers": f"{host}:{BROKER_PORT}",
        "client.id": name,
        "acks": 1,
        "enable.idempotence": False,
        "linger.ms": 0,
        "batch.size": 1,
        "retries": 0,
        "max.block.ms": 1000,
        "request.timeout.ms": 1000,
        "delivery.timeout.ms": 1000,
    }
    clock = SimClock()
    async with Producer(config, **client_ports(world, name)) as producer:
        try:
            for number in range(records):
                at_ms = clock.wall_ms()
                what = value_of(name, number, False, 0, at_ms)
                made = contents(what, number, compacted=world.compacts(to.topic))
                await producer.send(
                    to.topic,
                    made.value,
                    made.key,
                    partition=to.partition,
                    headers=made.headers,
                    timestamp_ms=at_ms,
                )
            await producer.flush()
        except CLIENT_ERRORS as error:
            world.trace.event("send-refused", node=name, error=str(error))


@asynccontextmanager
async def readers(world: World, host: str, cause: int) -> AsyncIterator[None]:
    """Meanwhile read the partitions that the broker leads, each by a reader of its own."""
    led = [each for each in world.targets() if (m := world.leader_of(*each)) and m.host == host]
    async with trio.open_nursery() as nursery:
        for number, target in enumerate(led[:_READERS_MAX]):
            nursery.start_soon(_read, world, host, f"loyal-reader-{cause}-{number}", target)
        yield
        nursery.cancel_scope.cancel()


async def _read(world: World, host: str, name: str, target: TopicPartition) -> None:
    current_node.set(name)
    ports = client_ports(world, name)
    reader = _Reader(world, host, name, target)
    while True:
        try:
            connection = await ports["network"].connect(host, BROKER_PORT)
            channel = Channel(connection, name, ports["clock"])
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(channel.run)
                    await reader.converse(channel)
            finally:
                channel.close("the reader leaves")
        except* BrokenConnection:
            pass
        await trio.sleep(_RETRY_MAX_S)


class _Reader:
    """Reads one partition at one broker, from the offset that others have read up to."""

    def __init__(self, world: World, host: str, name: str, target: TopicPartition) -> None:
        self._world = world
        self._history = world.history
        self._host = host
        self._name = name
        self._target = target
        self._offset = world.history.of(target).read_end
        self._last: int | None = None

    async def converse(self, channel: Channel) -> None:
        """Fetch over one connection until it breaks."""
        pause_s = _RETRY_S
        while True:
            answer = await channel.request(self._request(), _FETCH_VERSION, _TIMEOUT_S)
            parts = [part for topic in answer.responses for part in topic.partitions]
            if any(part.error_code != ErrorCode.NONE for part in parts):
                # No leader at present, or a log that is not that long yet.
                await trio.sleep(pause_s)
                pause_s = min(2 * pause_s, _RETRY_MAX_S)
                continue
            pause_s = _RETRY_S
            for part in parts:
                self._take(part)

    def _request(self) -> FetchRequest:
        partition = FetchPartition(
            partition=self._target.partition,
            current_leader_epoch=NO_EPOCH,
            fetch_offset=self._offset,
            partition_max_bytes=1 << 20,
        )
        return FetchRequest(
            max_wait=_WAIT_MS,
            min_bytes=1,
            session_epoch=_NO_SESSION,
            topics=[FetchTopic(topic=self._target.topic, partitions=[partition])],
            rack_id=self._host,
        )

    def _take(self, part: PartitionData) -> None:
        if part.records is None or isinstance(part.records, list):
            return
        try:
            for header, batch in iter_batches(part.records):
                for record in iter_records(batch):
                    if record.offset >= self._offset:
                        self._polled(record)
                self._offset = max(self._offset, header.last_offset + 1)
        except KafkaError as error:
            report_corrupt(self._world, self._name, error)

    def _polled(self, record: Record) -> None:
        value = identity(record.value, record.headers)
        self._history.polled(self._name, self._target, self._last, record.offset, value)
        self._last = record.offset
