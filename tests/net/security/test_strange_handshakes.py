"""Hostile TLS handshakes: each ends by itself, other clients are undisturbed, and a node's memory
for each client is bounded.
"""

from __future__ import annotations

import random
import shutil
import ssl
import struct
import tracemalloc
from collections.abc import Callable

import pytest
import trio

from raftka.model.ports import BrokenConnection, TlsContext
from raftka.model.tls_settings import Store, TlsSettings
from raftka.net.protocol.messages.api_versions import ApiVersionsRequest
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest
from raftka.net.protocol.messages.sasl_authenticate import SaslAuthenticateRequest
from raftka.net.protocol.messages.sasl_handshake import SaslHandshakeRequest
from raftka.net.security.names import NameRules
from raftka.net.security.openssl import OpenSsl
from raftka.net.security.tls import TlsListener, connect
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.network import Fabric
from tests.support.certificates import Authority
from tests.support.hostile_logins import (
    AT_THE_END,
    place,
    request,
)


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
    """A ClientHello of 16 MB, as far as the server accepts it."""
    begin = b"\x01" + (1 << 24).to_bytes(4, "big")[1:]
    return [record(22, begin + bytes(16_000)), *[record(22, bytes(16_000))] * 30]


HANDSHAKES: list[Callable[[random.Random, bytes], list[bytes]]] = [
    *(half, noise, flipped, oversized, out_of_order),
    *(repeated, in_crumbs, empty_records, huge_message),
]


def plain_login(dice: random.Random, hello: bytes) -> list[bytes]:
    """A login in cleartext to a TLS listener, with the right password."""
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
    """Like `attack`, where answers are alerts."""
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
