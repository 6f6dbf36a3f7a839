"""The TLS stream over the connection port, and what it makes of keys and certificates."""

from __future__ import annotations

import shutil
import subprocess
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
from raftka.net.security.certificates import make_context, openssl_name
from raftka.net.security.contexts import Certificates
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
    """Takes little at once, as a full buffer does."""

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
    """Can be asked without waiting."""

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
    """(the client's stream, the server's, who the client is)."""
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
    """Takes the beginning of what is sent, and then nothing."""

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
    """What both sides say of a handshake that fails."""
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


def test_keys_come_in_files_or_settings_and_from_pkcs12(
    authority: Authority, tmp_path: Path
) -> None:
    key = (authority.folder / "node.key").read_text()
    chain = (authority.folder / "node.crt").read_text()
    for made in (key, key.replace("\n", " ").strip()):
        store = Store("PEM", certificates=chain.replace("\n", " "), key=made)
        make_context(settings(authority, keystore=store), server=True)
    file = tmp_path / "node.p12"
    subprocess.run(
        [
            *("openssl", "pkcs12", "-export", "-out", str(file), "-passout", "pass:secret"),
            *("-inkey", str(authority.folder / "node.key")),
            *("-in", str(authority.folder / "node.crt")),
        ],
        check=True,
        capture_output=True,
    )
    pytest.importorskip("cryptography")
    right = Store("PKCS12", str(file), "secret")
    make_context(settings(authority, keystore=right), server=True)
    with pytest.raises(ValueError, match="does not open it"):
        make_context(settings(authority, keystore=right._replace(password="x")), server=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keystore": Store()}, "a listener of TLS needs a certificate"),
        ({"keystore": Store("PEM", key="x")}, "go together"),
        ({"protocols": ("TLSv1.1",)}, "TLSv1.1 cannot be spoken"),
        ({"protocols": ()}, "none cannot be spoken"),
        ({"ciphers": ("TLS_X_WITH_Y",)}, "none of X-Y is known"),
        ({"truststore": Store(), "client_auth": "required"}, "needs a truststore"),
        ({"truststore": Store("PEM", certificates="x")}, "no certificate in PEM"),
        ({"keystore": Store("BANANA", "x")}, "ssl.keystore.type=BANANA is not known"),
        ({"truststore": Store("BCFKS", "x")}, "ssl.truststore.type=BCFKS is not known"),
        ({"keystore": Store("PEM", "/gone")}, "ssl.keystore.location: /gone cannot be read: No"),
        ({"truststore": Store("PEM", "/")}, "ssl.truststore.location: / cannot be read: Is a dir"),
        ({"keystore": Store("PEM", "f", None, "c", "k")}, "ssl.keystore.key are both set"),
        (
            {"truststore": Store("PEM", "f", None, "c")},
            "ssl.truststore.location and ssl.truststore.certificates are both set",
        ),
        (
            {"ciphers": ("TLS_AES_128_GCM_SHA256",), "protocols": ("TLSv1.2",)},
            "ssl.cipher.suites names none for the versions",
        ),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    authority: Authority, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        make_context(settings(authority, **changes), server=True)


def test_a_keystore_that_cannot_be_used_says_what_is_wrong_with_it(
    authority: Authority, tmp_path: Path
) -> None:
    authority.issue("other")
    key, chain, other = (
        (authority.folder / name).read_text() for name in ("node.key", "node.crt", "other.crt")
    )
    locked = subprocess.run(
        [
            *("openssl", "pkcs8", "-topk8", "-in", str(authority.folder / "node.key")),
            *("-passout", "pass:secret"),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    def trouble(pem: str, password: str | None = None) -> str:
        (tmp_path / "store.pem").write_text(pem)
        store = Store("PEM", str(tmp_path / "store.pem"), key_password=password)
        with pytest.raises(ValueError, match="keystore") as found:
            make_context(settings(authority, keystore=store), server=True)
        return str(found.value)

    assert "holds no private key" in trouble(chain)
    assert "holds no certificate" in trouble(key)
    assert "its first certificate" in trouble(key + other + chain)
    assert "set ssl.key.password" in trouble(locked + chain)
    assert "ssl.key.password does not open" in trouble(locked + chain, "wrong")
    assert "is damaged" in trouble(key + chain.replace("M", "*"))
    (tmp_path / "store.pem").write_text("\ufeff" + locked + chain, encoding="utf-8")
    right = Store("PEM", str(tmp_path / "store.pem"), key_password="secret")
    make_context(settings(authority, keystore=right), server=True)


@pytest.mark.parametrize(
    ("suites", "lowest", "highest"),
    [
        ((), "TLSv1_2", "TLSv1_3"),
        (("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",), "TLSv1_2", "TLSv1_2"),
        (("TLS_AES_256_GCM_SHA384",), "TLSv1_3", "TLSv1_3"),
        (
            ("TLS_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
            "TLSv1_2",
            "TLSv1_3",
        ),
    ],
)
def test_a_version_none_of_whose_suites_is_named_is_not_spoken(
    authority: Authority, suites: tuple[str, ...], lowest: str, highest: str
) -> None:
    context = make_context(settings(authority, ciphers=suites), server=True)
    assert (context.minimum_version.name, context.maximum_version.name) == (lowest, highest)


def test_a_store_that_only_java_reads_is_named_with_the_way_out(
    authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "node.jks").write_bytes(b"\xfe\xed\xfe\xed" + bytes(20))
    store = Store("JKS", str(tmp_path / "node.jks"), "x")
    with pytest.raises(ValueError, match="-deststoretype pkcs12"):
        make_context(settings(authority, keystore=store), server=True)


def test_new_files_are_used_and_wrong_ones_are_not(authority: Authority, tmp_path: Path) -> None:
    file = tmp_path / "node.pem"
    file.write_text((authority.folder / "node.pem").read_text())
    made = settings(authority, keystore=Store("PEM", str(file)))
    now = [0.0]
    certificates = Certificates(lambda: made, lambda: now[0], OpenSsl(), server=True)
    first = certificates.context()
    now[0] = 2.0
    assert certificates.context() is first
    file.write_text("no certificate")
    now[0] = 4.0
    assert certificates.context() is first
    file.write_text((authority.folder / "alice.pem").read_text())
    now[0] = 6.0
    assert certificates.context() is not first


@pytest.mark.parametrize(
    ("suite", "name"),
    [
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE-ECDSA-AES256-SHA384"),
        ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
        ("TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
    ],
)
def test_cipher_suites_have_their_names_from_iana(suite: str, name: str) -> None:
    assert openssl_name(suite) == name
