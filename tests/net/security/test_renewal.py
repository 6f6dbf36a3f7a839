"""The client's side of KIP-368: a login is renewed in place, and requests wait meanwhile."""

from __future__ import annotations

import pytest
import trio

from raftka.model.errors import KafkaError
from raftka.model.ports import AuthenticationFailed, BrokenConnection, Connection
from raftka.net.channel import Channel
from raftka.net.connection import FrameReader
from raftka.net.protocol import codec
from raftka.net.protocol.message import Response
from raftka.net.protocol.messages.metadata import MetadataRequest, MetadataResponse
from raftka.net.protocol.messages.sasl_authenticate import (
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
)
from raftka.net.protocol.messages.sasl_handshake import SaslHandshakeResponse
from raftka.net.security.authentication import Authentication, Offer, Rules
from raftka.net.security.dialing import SecuredNetwork, login_of
from raftka.net.security.plain import PlainServer
from tests.support.memory_network import MemoryNetwork, VirtualClock
from tests.support.wire import joined

HANDSHAKE, AUTHENTICATE = 17, 36


class Broker:
    """Answers like a broker whose sessions last ten seconds."""

    def __init__(self, users: dict[str, str]) -> None:
        self.users = users
        self.connections = 0
        self.asked: list[int] = []

    async def serve(self, connection: Connection) -> None:
        self.connections += 1
        offer = Offer(lambda: PlainServer(self.users), 10.0)
        state = Authentication(Rules({"PLAIN": offer}, 0.1, 1000), VirtualClock())
        reader = FrameReader(1 << 20)
        while size := await connection.receive_into(reader.space()):
            for frame in reader.frames(size):
                header = codec.decode_request_header(bytes(frame))
                self.asked.append(header.api_key)
                state.check(header.api_key)
                answer = self._answer(state, header, bytes(frame))
                pieces = codec.encode_response(answer, header.api_version, header.correlation_id)
                # Slow enough that others send requests meanwhile.
                await trio.sleep(0.01)
                await connection.send([joined(pieces)])

    def _answer(self, state: Authentication, header: codec.RequestHeader, frame: bytes) -> Response:
        key = header.api_key
        if key == HANDSHAKE:
            state.handshake("PLAIN", raw=False)
            return SaslHandshakeResponse(mechanisms=["PLAIN"])
        if key != AUTHENTICATE:
            return MetadataResponse(cluster_id=str(state.principal))
        request = codec.decode_request(
            SaslAuthenticateRequest, header.api_version, frame, header.body_offset
        )
        try:
            token, lasts_ms = state.authenticate(bytes(request.auth_bytes))
        except KafkaError as error:
            return SaslAuthenticateResponse(error_code=int(error.code), error_message=error.message)
        return SaslAuthenticateResponse(auth_bytes=token, session_lifetime=lasts_ms)


async def connected(nursery: trio.Nursery, broker: Broker) -> Channel:
    network = MemoryNetwork(nursery)
    network.serve("b", 1, broker.serve)
    secured = SecuredNetwork(
        network, VirtualClock(), "me", login=login_of("PLAIN", "alice", "secret", lambda: "n")
    )
    channel = Channel(await secured.connect("b", 1), "me", VirtualClock(), idle_s=100)
    nursery.start_soon(channel.run)
    return channel


async def test_a_login_is_renewed_on_its_connection_under_load(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    broker = Broker({"alice": "secret"})
    channel = await connected(nursery, broker)
    while trio.current_time() < 60:
        futures = [channel.send(MetadataRequest(), 9, 5) for _ in range(3)]
        assert [(await each).cluster_id for each in futures] == ["User:alice"] * 3
    assert broker.connections == 1
    assert broker.asked.count(AUTHENTICATE) == broker.asked.count(HANDSHAKE) == 1 + 60 // 8.5
    after = {broker.asked[at + 1] for at, key in enumerate(broker.asked) if key == HANDSHAKE}
    assert after == {AUTHENTICATE}


async def test_a_login_that_is_no_longer_taken_ends_the_connection(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    broker = Broker({"alice": "secret"})
    channel = await connected(nursery, broker)
    broker.users = {"alice": "another"}
    await trio.sleep(8.5)
    # The renewal is in progress: this waits for it, and fails with it.
    late = channel.send(MetadataRequest(), 9, 5)
    with pytest.raises(BrokenConnection, match="Invalid username or password"):
        await late
    assert channel.broken is not None
    with pytest.raises(AuthenticationFailed):
        await connected(nursery, broker)


async def test_a_connection_without_use_ends_although_its_login_is_renewed(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    channel = await connected(nursery, Broker({"alice": "secret"}))
    await trio.sleep(99)
    assert channel.broken is None
    await trio.sleep(2)
    assert "not used for long" in str(channel.broken)
