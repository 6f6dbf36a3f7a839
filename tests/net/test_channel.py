"""One connection: order, versions, and what happens when it breaks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from raftka.model.errors import KafkaError
from raftka.model.ports import BrokenConnection, Connection
from raftka.net.channel import Channel
from raftka.net.connection import FrameReader
from raftka.net.protocol import codec
from raftka.net.protocol.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
)
from raftka.net.protocol.messages.describe_cluster import DescribeClusterRequest
from raftka.net.protocol.messages.metadata import MetadataRequest, MetadataResponse
from tests.support.memory_network import MemoryNetwork, VirtualClock
from tests.support.wire import joined

Frame = tuple[codec.RequestHeader, bytes]
Script = Callable[[Connection, Callable[[], Awaitable[Frame]]], Awaitable[None]]


async def opened(nursery: trio.Nursery, script: Script, idle_s: float = float("inf")) -> Channel:
    """A channel to a broker that follows `script`."""
    network = MemoryNetwork(nursery)

    async def serve(connection: Connection) -> None:
        reader = FrameReader(1 << 20)
        frames: list[bytes] = []

        async def take() -> Frame:
            while not frames:
                size = await connection.receive_into(reader.space())
                if size == 0:
                    raise BrokenConnection("the client is gone")
                frames.extend(bytes(frame) for frame in reader.frames(size))
            frame = frames.pop(0)
            return codec.decode_request_header(frame), frame

        await script(connection, take)

    network.serve("b", 1, serve)
    channel = Channel(await network.connect("b", 1), "me", VirtualClock(), idle_s)
    nursery.start_soon(channel.run)
    return channel


async def answer(connection: Connection, header: codec.RequestHeader, text: str) -> None:
    response = MetadataResponse(cluster_id=text)
    pieces = codec.encode_response(response, header.api_version, header.correlation_id)
    await connection.send([joined(pieces)])


async def test_answers_go_to_their_requests(nursery: trio.Nursery, autojump_clock: object) -> None:
    async def script(connection: Connection, take: Callable[[], Awaitable[Frame]]) -> None:
        headers = [(await take())[0] for _ in range(3)]
        assert [header.client_id for header in headers] == ["me"] * 3
        for number, header in enumerate(headers):
            await answer(connection, header, str(number))

    channel = await opened(nursery, script)
    futures = [channel.send(MetadataRequest(), 9, 10) for _ in range(3)]
    assert channel.in_flight == 3
    assert [(await future).cluster_id for future in futures] == ["0", "1", "2"]


async def test_all_in_flight_fail_when_the_broker_dies(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def script(connection: Connection, take: Callable[[], Awaitable[Frame]]) -> None:
        await take()
        await take()

    channel = await opened(nursery, script)
    futures = [channel.send(MetadataRequest(), 9, 10) for _ in range(2)]
    for future in futures:
        with pytest.raises(BrokenConnection, match="b:1: the other side closed the connection"):
            await future
    with pytest.raises(BrokenConnection):
        await channel.send(MetadataRequest(), 9, 10)


async def test_an_overdue_answer_breaks_the_connection(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def script(connection: Connection, take: Callable[[], Awaitable[Frame]]) -> None:
        await take()
        await trio.sleep_forever()

    channel = await opened(nursery, script)
    with pytest.raises(BrokenConnection, match="no answer to Metadata within its time"):
        await channel.request(MetadataRequest(), 9, 5)
    assert trio.current_time() == pytest.approx(5, abs=0.1)


async def test_a_shorter_time_is_kept_beside_a_longer_one(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def script(connection: Connection, take: Callable[[], Awaitable[Frame]]) -> None:
        await answer(connection, (await take())[0], "first")
        await trio.sleep_forever()

    channel = await opened(nursery, script, idle_s=300)
    await channel.request(MetadataRequest(), 9, 60)
    await trio.sleep(1)
    with pytest.raises(BrokenConnection, match="no answer to Metadata within its time"):
        await channel.request(MetadataRequest(), 9, 5)
    assert trio.current_time() == pytest.approx(6, abs=0.1)


async def test_a_connection_that_nobody_uses_is_closed(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def script(connection: Connection, take: Callable[[], Awaitable[Frame]]) -> None:
        while True:
            await answer(connection, (await take())[0], "x")

    channel = await opened(nursery, script, idle_s=60)
    await trio.sleep(30)
    await channel.request(MetadataRequest(), 9, 5)
    await trio.sleep(50)
    assert channel.broken is None
    await trio.sleep(20)
    assert channel.broken is not None


@pytest.mark.parametrize(
    "junk", [b"\x00\x00\x00\x02ab", b"\xff\xff\xff\xff", b"\0\0\0\5\0\0\0\x63x"]
)
async def test_nonsense_breaks_the_connection(
    nursery: trio.Nursery, autojump_clock: object, junk: bytes
) -> None:
    async def script(connection: Connection, take: Callable[[], Awaitable[Frame]]) -> None:
        await take()
        await connection.send([junk])
        await trio.sleep_forever()

    channel = await opened(nursery, script)
    with pytest.raises(BrokenConnection):
        await channel.request(MetadataRequest(), 9, 5)


async def test_an_answer_that_nobody_asked_for_breaks_the_connection(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def script(connection: Connection, take: Callable[[], Awaitable[Frame]]) -> None:
        await connection.send([b"\0\0\0\4\0\0\0\0"])
        await trio.sleep_forever()

    channel = await opened(nursery, script)
    await trio.sleep(1)
    assert channel.broken is not None
    assert "an answer came to no request" in str(channel.broken)


async def test_an_older_broker_is_asked_in_its_own_version(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    asked: list[int] = []

    async def script(connection: Connection, take: Callable[[], Awaitable[Frame]]) -> None:
        while True:
            header, _ = await take()
            asked.append(header.api_version)
            known = header.api_version <= 2
            response = ApiVersionsResponse(
                error_code=0 if known else 35,
                api_keys=[
                    ApiVersion(api_key=18, min_version=0, max_version=2),
                    ApiVersion(api_key=3, min_version=0, max_version=8),
                    ApiVersion(api_key=60, min_version=90, max_version=99),
                ],
            )
            version = header.api_version if known else 0
            pieces = codec.encode_response(response, version, header.correlation_id)
            await connection.send([joined(pieces)])

    channel = await opened(nursery, script)
    await channel.negotiate("test", "1", 5)
    assert asked == [ApiVersionsRequest.VALID_VERSIONS[1], 2]
    assert channel.version_for(MetadataRequest) == 8
    assert channel.version_for(MetadataRequest, 5) == 5
    with pytest.raises(KafkaError, match="b:1 serves DescribeCluster 90 to 99"):
        channel.version_for(DescribeClusterRequest)
