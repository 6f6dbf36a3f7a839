"""Hostile handshakes, of TLS and of SASL: nobody gets in, all others go on undisturbed, and what a
client can have a node keep is bounded."""

from __future__ import annotations

import random
import shutil
import ssl
import struct
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, NamedTuple

import pytest
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
from raftka.model.tls_settings import Store, TlsSettings
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
from raftka.net.security.names import NameRules
from raftka.net.security.oauth import OAuthServer
from raftka.net.security.openssl import OpenSsl
from raftka.net.security.plain import PlainServer
from raftka.net.security.scram import Known, ScramServer, disguise
from raftka.net.security.tls import TlsListener, connect
from raftka.net.security.tokens import Bearer
from raftka.net.server import Server
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.network import Fabric
from tests.support.certificates import Authority

ROUNDS = 150
SCRAM = "SCRAM-SHA-256"
MAX_TOKEN_BYTES = 4096
AT_THE_END = 777
"""The correlation id of what must not be answered."""


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
    """A server, and somebody who has been its client all the time."""

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
    """A server that asks for a login, over TLS when `listener` is given."""
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
    """Send them on one connection, and hear what comes; whether the server closed it.

    An answer to the last of them, a request that is for those who have logged in, is the end of
    all security.
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


FIRST = {
    "PLAIN": [b"\0alice\0wrong", b"alice\0alice\0wrong", b"\0\0", b"\0" * 2000],
    SCRAM: [
        b"n,,n=alice,r=mine",
        b"n,a=bob,n=alice,r=mine",
        b"y,,n=alice,r=mine,tokenauth=true",
        b"p=tls-unique,,n=alice,r=mine",
        b"n,,n==2C=3D=00,r=mine",
        b"n,,m=x,n=alice,r=mine",
        b"n,,n=alice,r=" + b"r" * 3000,
    ],
    "OAUTHBEARER": [
        b"n,,\x01auth=Bearer a.b.c\x01\x01",
        b"n,a=bob,\x01auth=Bearer \x01\x01",
        b"\x01",
        b"n,,\x01auth=Basic x\x01a=b\x01\x01",
    ],
}
NEXT = [
    b"",
    b"\x01",
    b"c=biws,r=minenonce,p=" + b"QUFB" * 11,
    b"c=biws,r=minenonce,p=%%%",
    b"c=biws,r=other,p=AAAA",
    b"c=,r=minenonce,p=",
    b"p=AAAA",
    b"r=minenonce,c=biws,p=AAAA,p=BBBB",
]


def spoiled(dice: random.Random, data: bytes) -> bytes:
    """As it is, or not quite."""
    kind = dice.randrange(6)
    if kind == 0 and data:
        return data[: dice.randrange(len(data))]
    if kind == 1 and data:
        changed = bytearray(data)
        changed[dice.randrange(len(data))] = dice.getrandbits(8)
        return bytes(changed)
    if kind == 2:
        return data + dice.randbytes(dice.choice((1, 50, 900)))
    if kind == 3:
        return dice.randbytes(dice.choice((0, 1, 100)))
    return data


def login_attempt(dice: random.Random) -> list[bytes]:
    """Frames of a login that must fail, in an order of some kind; then a request."""
    mechanism = dice.choice((*FIRST, *FIRST, "GSSAPI", "", "x" * 300))
    version = dice.choice((0, 1, 1))
    tokens = [dice.choice(FIRST.get(mechanism, NEXT)), dice.choice(NEXT), dice.choice(NEXT)]
    tokens = [spoiled(dice, token) for token in tokens[: dice.randint(0, 3)]]
    frames = [request(SaslHandshakeRequest(mechanism=mechanism), version)]
    for token in tokens:
        wrapped = request(SaslAuthenticateRequest(auth_bytes=token), dice.choice((0, 1, 2)))
        frames.append(framed(token) if version == 0 else wrapped)
    kind = dice.randrange(8)
    if kind == 0:
        dice.shuffle(frames)
    elif kind == 1:
        frames += frames
    elif kind == 2:
        frames.insert(dice.randint(0, len(frames)), request(ApiVersionsRequest(), 0))
    elif kind == 3:
        frames[-1] = spoiled(dice, frames[-1])
    elif kind == 4:
        size = dice.choice((MAX_TOKEN_BYTES + 1, 100_000, (1 << 31) - 1, -1))
        frames.append(struct.pack(">i", size) + bytes(100))
    return [*frames, request(HeartbeatRequest(), 4, AT_THE_END)]


async def test_nobody_gets_in_by_a_strange_login(autojump_clock: object) -> None:
    dice = random.Random(1)
    closed = 0
    async with place(None, None) as found:
        for number in range(ROUNDS):
            closed += await attack(found.fabric, login_attempt(dice))
            if number % 50 == 0:
                await found.ping()
    assert closed == ROUNDS, "each was refused, or was not through in time"


def keys(authority: Authority) -> tuple[TlsContext, TlsContext]:
    """(the client's, the server's) context."""
    authority.issue("node", hosts="DNS:server")
    trusted = Store("PEM", str(authority.certificate))
    own = Store("PEM", str(authority.folder / "node.pem"))
    library = OpenSsl()
    return (
        library.context(TlsSettings(truststore=trusted), server=False),
        library.context(TlsSettings(own, trusted, client_auth="requested"), server=True),
    )


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[TlsContext, TlsContext]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    return keys(Authority(tmp_path_factory.mktemp("certificates")))


def record(kind: int, data: bytes, version: int = 0x0303) -> bytes:
    return struct.pack(">BHH", kind, version, len(data)) + data


def half(dice: random.Random, hello: bytes) -> list[bytes]:
    return [hello[: dice.randrange(1, len(hello))]]


def noise(dice: random.Random, hello: bytes) -> list[bytes]:
    return [dice.randbytes(dice.choice((1, 5, 6, 200, 20_000)))]


def flipped(dice: random.Random, hello: bytes) -> list[bytes]:
    changed = bytearray(hello)
    for _ in range(dice.randint(1, 6)):
        changed[dice.randrange(len(hello))] = dice.getrandbits(8)
    return [bytes(changed)]


def oversized(dice: random.Random, hello: bytes) -> list[bytes]:
    return [struct.pack(">BHH", 22, 0x0303, 65535), *[bytes(16_000)] * 4]


def out_of_order(dice: random.Random, hello: bytes) -> list[bytes]:
    first = record(dice.choice((20, 21, 23, 24)), dice.randbytes(dice.choice((1, 2, 60))))
    return dice.choice(([first, hello], [hello, first], [first] * 40))


def repeated(dice: random.Random, hello: bytes) -> list[bytes]:
    return [hello] * dice.randint(2, 5)


def in_crumbs(dice: random.Random, hello: bytes) -> list[bytes]:
    """Each byte in a record of its own, and never the last one."""
    crumbs = [record(22, hello[at : at + 1]) for at in range(5, len(hello) - 1)]
    return [b"".join(crumbs[at : at + 50]) for at in range(0, len(crumbs), 50)]


def empty_records(dice: random.Random, hello: bytes) -> list[bytes]:
    return [record(22, b"") * 2000]


def huge_message(dice: random.Random, hello: bytes) -> list[bytes]:
    """A ClientHello of 16 MB, as far as one is let."""
    begin = b"\x01" + (1 << 24).to_bytes(4, "big")[1:]
    return [record(22, begin + bytes(16_000)), *[record(22, bytes(16_000))] * 30]


HANDSHAKES: list[Callable[[random.Random, bytes], list[bytes]]] = [
    *(half, noise, flipped, oversized, out_of_order),
    *(repeated, in_crumbs, empty_records, huge_message),
]


def plain_login(dice: random.Random, hello: bytes) -> list[bytes]:
    """A login in clear where TLS is spoken, with the right password."""
    return [
        request(SaslHandshakeRequest(mechanism="PLAIN"), 1),
        request(SaslAuthenticateRequest(auth_bytes=b"\0alice\0secret"), 1),
        request(HeartbeatRequest(), 4, AT_THE_END),
    ]


@pytest.mark.parametrize("shape", [*HANDSHAKES, plain_login])
async def test_strange_handshakes_of_tls_end_by_themselves(
    autojump_clock: object,
    contexts: tuple[TlsContext, TlsContext],
    shape: Callable[[random.Random, bytes], list[bytes]],
) -> None:
    client, server = contexts
    listener = TlsListener(lambda: server, NameRules("DEFAULT"), SimClock())
    hello = client.client("server")
    assert not hello.shake_hands()
    first = hello.give()
    dice = random.Random(shape.__name__)
    async with place(listener, client) as found:
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(8):
                pieces = shape(dice, first)
                assert await quietly_attack(found.fabric, pieces), shape.__name__
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak - before < 4_000_000
    assert not listener._under_way


async def quietly_attack(fabric: Fabric, pieces: list[bytes]) -> bool:
    """As `attack`, where answers are alerts."""
    connection = await fabric.host("attacker").connect("server", 9092)
    try:
        for piece in pieces:
            await connection.send([piece])
            await trio.sleep(0.001)
        with trio.move_on_after(30):
            while await connection.receive_into(bytearray(20_000)):
                pass
            return True
        return False
    except BrokenConnection:
        return True
    finally:
        connection.close()


@pytest.mark.parametrize("what", ["garbage", "plain bytes", "records out of order", "cut"])
async def test_what_is_wrong_behind_the_handshake_ends_the_connection(
    autojump_clock: object, contexts: tuple[TlsContext, TlsContext], what: str
) -> None:
    client, server = contexts
    listener = TlsListener(lambda: server, NameRules("DEFAULT"), SimClock())
    async with place(listener, client) as found:
        connection = await found.fabric.host("attacker").connect("server", 9092)
        secured = await connect(connection, client, "server")
        stream = secured._tls
        stream.write(request(ApiVersionsRequest(), 0))
        first = stream.give()
        stream.write(request(ApiVersionsRequest(), 0))
        second = stream.give()
        sent = {
            "garbage": [record(23, bytes(100))],
            "plain bytes": [request(ApiVersionsRequest(), 0)],
            "records out of order": [second, first],
            "cut": [first[: len(first) // 2]],
        }[what]
        for piece in sent:
            await connection.send([piece])
        ended = False
        with trio.move_on_after(45):
            try:
                while await connection.receive_into(bytearray(20_000)):
                    pass
            except BrokenConnection:
                pass
            ended = True
        connection.close()
        assert ended


def test_no_client_may_ask_for_new_keys(contexts: tuple[TlsContext, TlsContext]) -> None:
    _, server = contexts
    assert server._context.options & ssl.OP_NO_RENEGOTIATION  # type: ignore[attr-defined]
