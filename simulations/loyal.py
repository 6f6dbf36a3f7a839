"""Clients that know one broker and stay with it, whatever becomes of its leadership.

Both are as real ones are: a producer that has not heard of an election yet, and a consumer that
reads from the replica in its rack (KIP-392) and names no leader epoch, as many libraries do. No
epoch fences such a reader. What it is given is right only because a high watermark, a follower's
too, covers nothing but committed records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import trio

from client.channel import Channel
from client.producer.producer import Producer
from model.errors import ErrorCode
from model.ids import NO_EPOCH, TopicPartition
from model.records import iter_batches, iter_records
from model.world import BrokenConnection
from net.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic, PartitionData
from simulations.checkers.history import value_of
from simulations.clock import SimClock
from simulations.cluster import BROKER_PORT
from simulations.contents import headers_of, key_of
from simulations.logs import current_node
from simulations.workload import CLIENT_ERRORS, client_ports
from simulations.world import World

_NO_SESSION: Final = -1
"""A fetch without a session (KIP-227)."""
_FETCH_VERSION: Final = 11
"""The first that lets consumers read from followers; it names topics, not their ids."""
_WAIT_MS: Final = 1000
_TIMEOUT_S: Final = 3.0
_RETRY_S: Final = 0.02
_RETRY_MAX_S: Final = 0.1


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
                await producer.send(
                    to.topic,
                    value_of(name, number, False, 0, at_ms),
                    key_of(number),
                    partition=to.partition,
                    headers=headers_of(number),
                    timestamp_ms=at_ms,
                )
            await producer.flush()
        except CLIENT_ERRORS as error:
            world.trace.event("send-refused", node=name, error=str(error))


async def read(world: World, host: str, name: str, targets: Sequence[TopicPartition]) -> None:
    """Read partitions at one broker until cancelled, from where others have read up to by now."""
    current_node.set(name)
    ports = client_ports(world, name)
    reader = _Reader(world, host, name, targets)
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
        await trio.sleep(_RETRY_S)


@dataclass
class _Place:
    """Where a reader is in one partition."""

    offset: int
    last: int | None = None
    """What it has read last."""
    refused: int = 0
    """How often the broker has refused it in a row."""
    not_before_s: float = 0.0


class _Reader:
    """Reads partitions at one broker."""

    def __init__(
        self, world: World, host: str, name: str, targets: Sequence[TopicPartition]
    ) -> None:
        self._world = world
        self._host = host
        self._name = name
        self._places = {each: _Place(world.history.of(each).read_end) for each in targets}

    async def converse(self, channel: Channel) -> None:
        """Fetch over one connection until it breaks."""
        while True:
            now = trio.current_time()
            asked = [each for each, place in self._places.items() if place.not_before_s <= now]
            if not asked:
                soonest = min(place.not_before_s for place in self._places.values())
                await trio.sleep_until(soonest)
                continue
            answer = await channel.request(self._request(asked), _FETCH_VERSION, _TIMEOUT_S)
            for topic in answer.responses:
                for part in topic.partitions:
                    self._take(TopicPartition(topic.topic, part.partition_index), part)

    def _request(self, asked: Sequence[TopicPartition]) -> FetchRequest:
        topics: dict[str, FetchTopic] = {}
        for target in asked:
            topic = topics.setdefault(target.topic, FetchTopic(topic=target.topic))
            topic.partitions.append(
                FetchPartition(
                    partition=target.partition,
                    current_leader_epoch=NO_EPOCH,
                    fetch_offset=self._places[target].offset,
                    partition_max_bytes=1 << 20,
                )
            )
        return FetchRequest(
            max_wait=_WAIT_MS,
            min_bytes=1,
            session_epoch=_NO_SESSION,
            topics=list(topics.values()),
            rack_id=self._host,
        )

    def _take(self, target: TopicPartition, part: PartitionData) -> None:
        place = self._places[target]
        if part.error_code != ErrorCode.NONE:
            # No replica there, no leader at present, or a log that is not that long yet.
            wait_s = min(_RETRY_S * 2 ** min(place.refused, 10), _RETRY_MAX_S)
            place.not_before_s = trio.current_time() + wait_s
            place.refused += 1
            return
        place.refused = 0
        if part.records is None or isinstance(part.records, list):
            return
        told = self._world.history.polled
        for header, batch in iter_batches(part.records):
            for record in iter_records(batch):
                if record.offset >= place.offset:
                    told(self._name, target, place.last, record.offset, record.value or b"")
                    place.last = record.offset
            place.offset = max(place.offset, header.last_offset + 1)
