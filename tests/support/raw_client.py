"""A client of a simulated node that sends the requests of a test, and nothing else."""

from __future__ import annotations

from typing import Any, TypeVar

from raftka.model.ports import Connection
from raftka.model.records import Record, encode_batch
from raftka.net.protocol import codec
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from raftka.simulation import Stage
from raftka.simulations.machines.machine import BROKER_PORT, Machine
from tests.support.wire import joined

R = TypeVar("R", bound=Response)


async def connected(stage: Stage, machine: Machine, client_id: str) -> RawClient:
    """A connection of a host of its own to a machine's broker."""
    connection = await stage.world.fabric.host("asker").connect(machine.host, BROKER_PORT)
    return RawClient(connection, client_id)


class RawClient:
    """One connection; a request at a time unless the test says otherwise."""

    def __init__(self, connection: Connection, client_id: str) -> None:
        self._connection = connection
        self._client_id = client_id
        self._data = bytearray()
        self._sent = 0

    async def send(self, *requests: tuple[Request[Any], int]) -> None:
        frames = []
        for request, version in requests:
            self._sent += 1
            frames += codec.encode_request(request, version, self._sent, self._client_id)
        await self._connection.send([joined(frames)])

    async def answer(self, response: type[R], version: int) -> R:
        while len(self._data) < 4 or len(self._data) < 4 + int.from_bytes(self._data[:4], "big"):
            buffer = bytearray(65536)
            got = await self._connection.receive_into(memoryview(buffer))
            assert got, "the connection was closed"
            self._data += buffer[:got]
        size = int.from_bytes(self._data[:4], "big")
        frame = bytes(self._data[4 : 4 + size])
        del self._data[: 4 + size]
        return codec.decode_response(response, version, frame)[1]

    async def ask(self, request: Request[R], version: int) -> R:
        await self.send((request, version))
        return await self.answer(type(request).RESPONSE, version)

    async def closed(self) -> None:
        """Wait until the other side closes the connection."""
        assert not await self._connection.receive_into(memoryview(bytearray(10)))


def produced(topic: str, size: int, acks: int = 1) -> ProduceRequest:
    """A request to produce one record of that size to partition 0."""
    batch = encode_batch([Record(0, 1, b"k", b"x" * size)])
    part = PartitionProduceData(index=0, records=batch)
    data = TopicProduceData(name=topic, partition_data=[part])
    return ProduceRequest(acks=acks, timeout=5000, topic_data=[data])
