"""A server that requires a login, a client that stays connected, and an attacker."""

from __future__ import annotations

import random
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, NamedTuple

import trio

from raftka.broker.handlers.sasl_authenticate import sasl_authenticate
from raftka.broker.handlers.sasl_handshake import sasl_handshake
from raftka.kraft.sections.scram import ScramKey
from raftka.model import logs
from raftka.model.access import NOTHING
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection, Connection, TlsContext
from raftka.model.scram import MIN_ITERATIONS, NUMBERS, ScramCredential, credential_of
from raftka.model.scram import salted_password as salted
from raftka.net.answers import Turn
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol import codec
from raftka.net.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.protocol.messages.sasl_authenticate import SaslAuthenticateRequest
from raftka.net.protocol.messages.sasl_handshake import SaslHandshakeRequest
from raftka.net.router import Context, Route
from raftka.net.security.authentication import Authentication, Offer, Rules
from raftka.net.security.dialing import SecuredNetwork, login_of
from raftka.net.security.oauth import OAuthServer
from raftka.net.security.plain import PlainServer
from raftka.net.security.scram import Known, ScramServer, disguise
from raftka.net.security.tls import TlsListener, connect
from raftka.net.security.tokens import Bearer
from raftka.net.server import Server
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.network import Fabric

SCRAM = "SCRAM-SHA-256"
MAX_TOKEN_BYTES = 4096
AT_THE_END = 777
"""The correlation id of the request that must not be answered."""


@cache
def credentials() -> dict[ScramKey, ScramCredential]:
    key = salted(SCRAM, "secret", b"salt", MIN_ITERATIONS)
    number = next(number for number, name in NUMBERS.items() if name == SCRAM)
    return {("alice", number): credential_of(SCRAM, key, b"salt", MIN_ITERATIONS)}


class NoKeys:
    async def prepare(self, token: str) -> None:
        pass


def no_token(token: str) -> Bearer:
    raise KafkaError(ErrorCode.SASL_AUTHENTICATION_FAILED, "not one of ours")


def rules() -> Rules:
    (credential,) = credentials().values()
    return Rules(
        {
            "PLAIN": Offer(lambda: PlainServer({"alice": "secret"}), 0.0),
            "OAUTHBEARER": Offer(lambda: OAuthServer(no_token, NoKeys()), 0.0),
            SCRAM: Offer(
                lambda: ScramServer(
                    SCRAM,
                    lambda user, _: Known(user, credential) if user == "alice" else None,
                    "nonce",
                    lambda user: disguise(SCRAM, b"x" * 32, user, MIN_ITERATIONS),
                ),
                0.0,
            ),
        },
        0.1,
        MAX_TOKEN_BYTES,
    )


def heartbeat(context: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
    return HeartbeatResponse()


def versions(context: Context[None], request: ApiVersionsRequest) -> ApiVersionsResponse:
    return ApiVersionsResponse()


ROUTES: list[Route[Any]] = [
    Route(12, "Heartbeat", HeartbeatRequest, 0, 4, NOTHING, heartbeat),
    Route(18, "ApiVersions", ApiVersionsRequest, 0, 4, NOTHING, versions),
    Route(17, "SaslHandshake", SaslHandshakeRequest, 0, 1, NOTHING, sasl_handshake, is_async=True),
    Route(
        36,
        "SaslAuthenticate",
        SaslAuthenticateRequest,
        0,
        2,
        NOTHING,
        sasl_authenticate,
        is_async=True,
    ),
]


class Place(NamedTuple):
    """A server, and a client that stays connected."""

    fabric: Fabric
    steady: Connection
    lines: list[logs.Line]

    async def ping(self) -> None:
        await self.steady.send(codec.encode_request(HeartbeatRequest(), 4, 5, "steady"))
        answer = await read_frame(self.steady)
        assert answer is not None and answer[:4] == struct.pack(">i", 5)


async def read_frame(connection: Connection) -> bytes | None:
    """One frame; None at the end of the stream."""
    data, buffer = bytearray(), bytearray(5000)
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
        received = await connection.receive_into(buffer)
        if not received:
            return None
        data += buffer[:received]
    return bytes(data[4:])


@asynccontextmanager
async def place(listener: TlsListener | None, client: TlsContext | None) -> AsyncIterator[Place]:
    """A server that requires a login, over TLS when `listener` is given."""
    fabric, clock = Fabric(random.Random(1)), SimClock()

    async def wrap(connection: Connection, host: str) -> Connection:
        assert client is not None
        return await connect(connection, client, host)

    server = Server(
        Dispatcher(None, {route.api_key: route for route in ROUTES}),
        name="CLIENT",
        turn=Turn(),
        clock=clock,
        max_frame_bytes=100_000,
        max_idle_s=600,
        authentication=lambda: Authentication(rules(), clock),
        max_token_bytes=MAX_TOKEN_BYTES,
        secure=None if listener is None else listener.secure,
    )
    network = SecuredNetwork(
        fabric.host("steady"),
        clock,
        "steady",
        login=login_of(SCRAM, "alice", "secret", lambda: "mine"),
        wrap=None if client is None else wrap,
    )
    with logs.captured() as lines:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fabric.run)
            nursery.start_soon(server.run, await fabric.host("server").listen("server", 9092))
            found = Place(fabric, await network.connect("server", 9092), lines)
            await found.ping()
            yield found
            await found.ping()
            nursery.cancel_scope.cancel()
    assert [line for line in lines if line.level == "error"] == []


async def attack(fabric: Fabric, pieces: list[bytes]) -> bool:
    """Send the frames on one connection, and read the answers; returns whether the server closed
    it. The last frame is a request for authenticated users, so an answer to it is a breach.
    """
    connection = await fabric.host("attacker").connect("server", 9092)
    try:
        for piece in pieces:
            await connection.send([piece])
            await trio.sleep(0.01)
        with trio.move_on_after(45):
            while (answer := await read_frame(connection)) is not None:
                assert answer[:4] != struct.pack(">i", AT_THE_END), pieces
            return True
        return False
    except BrokenConnection:
        return True
    finally:
        connection.close()


def request(message: object, version: int, number: int = 1) -> bytes:
    return b"".join(codec.encode_request(message, version, number, "x"))  # type: ignore[arg-type]


def framed(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data
