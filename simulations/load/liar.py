"""A client whose batches contradict their headers, as a faulty library writes them.

Every checksum is right: only a check of the records finds the error. The leader must refuse such a
batch and store nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

import trio

from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from raftka.model.record_batch import CONTROL_BIT, HEADER_BYTES, BatchHeader, parse_header
from raftka.model.records import Record, encode_batch, seal
from raftka.net.channel import Channel
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from raftka.simulations.load.workload import client_ports
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.machine import BROKER_PORT, Machine
from raftka.simulations.violation import About
from raftka.simulations.world import World

_PRODUCE_VERSION: Final = 11
"""One that names topics, not their ids."""
_TIMEOUT_S: Final = 3.0
_GZIP: Final = 1
_OFFSET_DELTA_AT: Final = 3
"""The position in a short record, after one byte each of length, attributes and timestamp delta."""
_REFUSALS: Final = (ErrorCode.INVALID_RECORD, ErrorCode.UNKNOWN_SERVER_ERROR)
"""Kafka's answers: the second to what cannot be decompressed."""

Lie = Callable[[BatchHeader, bytearray], BatchHeader]
"""Changes the records of a good batch of two, and returns the header to send them with."""


def _count(header: BatchHeader, _: bytearray) -> BatchHeader:
    return header._replace(
        record_count=header.record_count + 1, last_offset_delta=header.last_offset_delta + 1
    )


def _length(header: BatchHeader, body: bytearray) -> BatchHeader:
    body[0] += 2  # One byte more, in zigzag.
    return header


def _offset_delta(header: BatchHeader, body: bytearray) -> BatchHeader:
    body[_OFFSET_DELTA_AT] += 2
    return header


def _codec(header: BatchHeader, _: bytearray) -> BatchHeader:
    return header._replace(attributes=header.attributes | _GZIP)


def _control(header: BatchHeader, _: bytearray) -> BatchHeader:
    return header._replace(attributes=header.attributes | CONTROL_BIT)


LIES: Final[dict[str, Lie]] = {
    "more records than there are": _count,
    "a record that is longer than it is": _length,
    "an offset delta twice": _offset_delta,
    "gzip that is none": _codec,
    "a control batch": _control,
}


KEYLESS: Final = "records without a key"
"""Invalid only on a compacted topic."""


def lying_batch(lie: str, at_ms: int) -> bytes:
    """A batch with one of LIES or KEYLESS, its length and CRC right."""
    key = None if lie == KEYLESS else b"k"
    good = encode_batch([Record(0, at_ms, key, b"a lie"), Record(1, at_ms, key, b"another")])
    if lie == KEYLESS:
        return good
    body = bytearray(good[HEADER_BYTES:])
    header = LIES[lie](parse_header(memoryview(good)), body)
    return seal(header, body)


async def lie(world: World, dice: Random, cause: int) -> None:
    """Send one batch that lies to a partition's leader, which must refuse it."""
    topic = dice.choice(world.plan.topics)
    target = TopicPartition(topic.name, dice.randrange(topic.partitions))
    compacted = world.compacts(topic.name)
    kind = KEYLESS if compacted and dice.random() < 0.5 else dice.choice(list(LIES))
    leader = world.leader_of(*target)
    if leader is None:
        return
    name = f"liar-{cause}"
    code = await send_raw(world, name, leader, target, lying_batch(kind, SimClock().wall_ms()))
    error = ErrorCode(code).name
    world.trace.event("lie-answered", node=name, cause=cause, lie=kind, error=error)
    if code == ErrorCode.NONE:
        world.report(
            "lying-batch-accepted",
            f"{leader.host} has taken a batch for {target} with {kind}",
            about=About(target, node=leader.host, other=name),
        )
    elif code in _REFUSALS:
        world.note("batch that lies refused")


async def send_raw(
    world: World,
    name: str,
    leader: Machine,
    target: TopicPartition,
    records: bytes,
    transactional_id: str | None = None,
) -> int:
    """Send a batch as it is; the error code of the answer. Raises BrokenConnection."""
    ports = client_ports(world, name)
    connection = await ports["network"].connect(leader.host, BROKER_PORT)
    channel = Channel(connection, name, ports["clock"])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.run)
        request = _request(target, records, transactional_id)
        answer = channel.send(request, _PRODUCE_VERSION, _TIMEOUT_S)
        try:
            await answer.wait()
        finally:
            channel.close("the liar leaves")
    # Outside the nursery, which would wrap the error of a silent leader in an exception group.
    return int(answer.result().responses[0].partition_responses[0].error_code)


def _request(
    target: TopicPartition, records: bytes, transactional_id: str | None
) -> ProduceRequest:
    acks = 1 if transactional_id is None else -1
    partition = PartitionProduceData(index=target.partition, records=records)
    topic = TopicProduceData(name=target.topic, partition_data=[partition])
    return ProduceRequest(
        transactional_id=transactional_id, acks=acks, timeout=1000, topic_data=[topic]
    )
