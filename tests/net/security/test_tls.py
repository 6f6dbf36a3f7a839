"""The TLS stream over the connection port."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from raftka.model.access import ANONYMOUS, Principal
from raftka.model.ports import BrokenConnection, Connection, Piece
from raftka.model.tls_settings import Store, TlsSettings
from raftka.net.router import CloseConnection
from raftka.net.security import tls
from raftka.net.security.names import NameRules
from raftka.net.security.openssl import OpenSsl
from tests.support.certificates import Authority
from tests.support.memory_network import MemoryConnection, VirtualClock

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("certificates"))
    made.issue("node")
    made.issue("alice")
    return made


def settings(authority: Authority, who: str | None = "node", /, **changes: Any) -> TlsSettings:
    keystore = Store() if who is None else Store("PEM", str(authority.folder / f"{who}.pem"))
    made = TlsSettings(keystore, Store("PEM", str(authority.certificate)))
    return made._replace(**changes)


def pair() -> tuple[MemoryConnection, MemoryConnection]:
    client, server = MemoryConnection("127.0.0.1:9092"), MemoryConnection("10.0.0.7:1")
    client.other, server.other = server, client
    return client, server


class Narrow(MemoryConnection):
    """Accepts few bytes at once, as a full buffer does."""

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        (first, *rest) = pieces
        assert not isinstance(first, tuple)
        super().send_now([first[:1000]])
        left = first[1000:]
        return [left, *rest] if len(left) else rest

    async def send(self, pieces: Sequence[Piece]) -> None:
        super().send_now(list(pieces))
        await trio.lowlevel.checkpoint()


class Polled(MemoryConnection):
    """Can be read without waiting."""

    def receive_now(self, buffer: bytearray | memoryview) -> int | None:
        if not self._incoming:
            return 0 if self._ended else None
        size = min(len(buffer), len(self._incoming))
        memoryview(buffer)[:size] = self._incoming[:size]
        del self._incoming[:size]
        return size


async def secured(
    authority: Authority,
    client: TlsSettings,
    server: TlsSettings,
    ends: tuple[MemoryConnection, MemoryConnection] | None = None,
    rules: str = "DEFAULT",
) -> tuple[Connection, Connection, Principal]:
    """(the client's stream, the server's, the client's principal)."""
    inner, outer = ends or pair()
    context = OpenSsl().context(server, server=True)
    listener = tls.TlsListener(lambda: context, NameRules(rules), VirtualClock())
    found: list[tuple[Connection, Principal]] = []

    async def serve() -> None:
        found.append(await listener.secure(outer))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        mine = await tls.connect(inner, OpenSsl().context(client, server=False), "127.0.0.1")
    ((theirs, who),) = found
    return mine, theirs, who


async def read(connection: Connection, size: int) -> bytes:
    found = bytearray()
    buffer = bytearray(70_000)
    while len(found) < size:
        received = await connection.receive_into(buffer)
        assert received, "the stream ended early"
        found += buffer[:received]
    return bytes(found)


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
async def test_what_is_sent_arrives_in_both_versions(authority: Authority, version: str) -> None:
    only: dict[str, Any] = {"protocols": (version,)}
    mine, theirs, who = await secured(
        authority, settings(authority, None, **only), settings(authority, **only)
    )
    assert who is ANONYMOUS
    data = bytes(range(256)) * 2000
    assert mine.send_now([data, b"", memoryview(b"end")]) == []
    assert await read(theirs, len(data) + 3) == data + b"end"
    await theirs.send([b"answer"])
    assert await read(mine, 6) == b"answer"
    mine.close()
    assert await theirs.receive_into(bytearray(10)) == 0


async def test_what_is_not_taken_at_once_goes_first_the_next_time(authority: Authority) -> None:
    client, server = Narrow("127.0.0.1:9092"), MemoryConnection("10.0.0.7:1")
    client.other, server.other = server, client
    mine, theirs, _ = await secured(
        authority, settings(authority, None), settings(authority), (client, server)
    )
    pieces: list[Piece] = [bytes([number]) * 5000 for number in range(4)]
    rest = mine.send_now(list(pieces))
    assert rest, "the stream below took only a part"
    await mine.send(rest)
    assert await read(theirs, 20_000) == b"".join(bytes([n]) * 5000 for n in range(4))
    rest = mine.send_now([b"x" * 5000])
    assert rest == [b""], "all is encrypted, and not all of it sent"
    await mine.send(rest)
    assert await read(theirs, 5000) == b"x" * 5000


class Full(MemoryConnection):
    """Accepts the first bytes that are sent, and then nothing."""

    is_full = False

    async def send(self, pieces: Sequence[Piece]) -> None:
        if self.is_full:
            (first, *_) = pieces
            assert isinstance(first, bytes)
            super().send_now([first[:1000]])
            await trio.sleep_forever()
        await super().send(pieces)


@pytest.mark.parametrize("cancelled", [False, True])
async def test_no_farewell_comes_in_the_middle_of_a_record(
    authority: Authority, cancelled: bool
) -> None:
    """The other side would take it for the rest of the record, and that for a forgery."""
    client, server = Full("127.0.0.1:9092"), MemoryConnection("10.0.0.7:1")
    client.other, server.other = server, client
    mine, theirs, _ = await secured(
        authority, settings(authority, None), settings(authority), (client, server)
    )
    await mine.send([b"whole"])
    assert await read(theirs, 5) == b"whole"
    client.is_full = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mine.send, [bytes(5000)])
        await trio.testing.wait_all_tasks_blocked()
        if not cancelled:
            mine.close()
        nursery.cancel_scope.cancel()
    mine.close()
    received = await server.receive_into(bytearray(10_000))
    assert received == 1000


async def test_what_is_there_can_be_had_without_waiting(authority: Authority) -> None:
    client, server = MemoryConnection("127.0.0.1:9092"), Polled("10.0.0.7:1")
    client.other, server.other = server, client
    mine, theirs, _ = await secured(
        authority, settings(authority, None), settings(authority), (client, server)
    )
    buffer = bytearray(100)
    assert theirs.receive_now(buffer) is None
    mine.send_now([b"hello"])
    assert theirs.receive_now(buffer) == 5 and buffer[:5] == b"hello"
    assert theirs.receive_now(buffer) is None
    mine.close()
    assert theirs.receive_now(buffer) == 0


async def test_a_client_is_who_its_certificate_says(authority: Authority) -> None:
    asks = settings(authority, client_auth="required")
    _, _, who = await secured(authority, settings(authority, "alice"), asks)
    assert who == Principal("User", "CN=alice,O=Raftka")
    _, _, who = await secured(
        authority, settings(authority, "alice"), asks, rules="RULE:^CN=(.*?),.*$/$1/U"
    )
    assert who == Principal("User", "ALICE")


async def refused(authority: Authority, client: TlsSettings, server: TlsSettings) -> str:
    """Both sides' errors when a handshake fails."""
    words: list[str] = []
    inner, outer = pair()
    context = OpenSsl().context(server, server=True)
    listener = tls.TlsListener(lambda: context, NameRules("DEFAULT"), VirtualClock())

    async def serve() -> None:
        try:
            await listener.secure(outer)
        except CloseConnection as error:
            words.append(str(error))
        finally:
            outer.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        try:
            mine = await tls.connect(inner, OpenSsl().context(client, server=False), "127.0.0.1")
            with trio.move_on_after(5):
                await mine.receive_into(bytearray(1))
        except BrokenConnection as error:
            words.append(str(error))
        finally:
            inner.close()
    return "; ".join(words)


async def test_certificates_that_are_wrong_are_refused_in_words(
    authority: Authority, tmp_path: Path
) -> None:
    good, asks = settings(authority), settings(authority, client_auth="required")
    stranger = Authority(tmp_path, "stranger")
    stranger.issue("node")
    other = settings(authority, None, truststore=Store("PEM", str(stranger.certificate)))
    assert "the certificate is not accepted" in await refused(authority, other, good)
    theirs = settings(authority, keystore=Store("PEM", str(tmp_path / "node.pem")))
    assert "certificate is not accepted" in await refused(authority, theirs, asks)
    nobody = settings(authority, None)
    assert "did not return a certificate" in await refused(authority, nobody, asks)
    authority.issue("elsewhere", hosts="DNS:elsewhere.example")
    named = settings(authority, "elsewhere")
    assert "IP address mismatch" in await refused(authority, nobody, named)
    unchecked = settings(authority, None, checks_host=False)
    assert (await secured(authority, unchecked, named))[2] is ANONYMOUS
    authority.issue("expired", days=0)
    assert "expired" in await refused(authority, nobody, settings(authority, "expired"))


async def test_handshakes_of_one_address_are_bounded(authority: Authority) -> None:
    context = OpenSsl().context(settings(authority), server=True)
    listener = tls.TlsListener(lambda: context, NameRules("DEFAULT"), VirtualClock())
    async with trio.open_nursery() as nursery:
        for _ in range(32):
            nursery.start_soon(listener.secure, pair()[1])
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(CloseConnection, match="too many TLS handshakes"):
            await listener.secure(pair()[1])
        nursery.cancel_scope.cancel()
