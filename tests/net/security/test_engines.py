"""OpenSSL and the simulator's stand-in for it are held to the same answers, word for word."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from raftka.model.ports import Tls, TlsFailure, TlsStream
from raftka.model.tls_settings import Store, TlsSettings
from raftka.net.security.openssl import OpenSsl
from raftka.simulations.machines.tls import Certificate, SimTls
from tests.support.certificates import Authority

NOW_MS = 1_800_000_000_000.0


class Office(Protocol):
    """The source of certificates, and the engine that uses them."""

    @property
    def tls(self) -> Tls: ...

    def store(self, who: str, host: str, *, expired: bool = False, theirs: bool = False) -> Store:
        """A keystore; `theirs` is one that another authority has signed."""
        ...

    def trust(self) -> Store: ...


class RealOffice:
    """OpenSSL, and its command."""

    def __init__(self, folder: Path) -> None:
        self.tls = OpenSsl()
        self._ours = Authority(folder)
        (folder / "theirs").mkdir()
        self._theirs = Authority(folder / "theirs", "stranger")

    def store(self, who: str, host: str, *, expired: bool = False, theirs: bool = False) -> Store:
        authority = self._theirs if theirs else self._ours
        days = 0 if expired else 2
        return Store("PEM", str(authority.issue(who, hosts=f"DNS:{host}", days=days)))

    def trust(self) -> Store:
        return Store("PEM", str(self._ours.certificate))


class SimOffice:
    """The simulator's."""

    tls = SimTls(lambda: NOW_MS)

    def store(self, who: str, host: str, *, expired: bool = False, theirs: bool = False) -> Store:
        made = Certificate(
            f"CN={who},O=Raftka",
            (host,),
            "stranger" if theirs else "ours",
            until_ms=NOW_MS if expired else NOW_MS + 1,
        )
        return Store("PEM", certificates=made.text, key=made.key)

    def trust(self) -> Store:
        return Store("PEM", certificates="ours")


@pytest.fixture(scope="module", params=["OpenSSL", "stand-in"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Office:
    if request.param == "stand-in":
        return SimOffice()
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    return RealOffice(tmp_path_factory.mktemp("certificates"))


class Ends(NamedTuple):
    client: TlsStream
    server: TlsStream


def ends(office: Office, client: TlsSettings, server: TlsSettings, host: str = "node1") -> Ends:
    return Ends(
        office.tls.context(client, server=False).client(host),
        office.tls.context(server, server=True).server(),
    )


def agree(both: Ends) -> list[str]:
    """Complete a handshake; returns the client's and the server's error."""
    said: list[str] = []
    done: set[TlsStream] = set()
    for _ in range(6):
        for side, other in (both, both[::-1]):
            if side not in done:
                try:
                    if side.shake_hands():
                        done.add(side)
                except TlsFailure as error:
                    said.append(str(error))
                    done.add(side)
            if data := side.give():
                other.take(data)
    if not said:
        assert len(done) == 2
    return said


def read_all(stream: TlsStream) -> bytes:
    found, buffer = b"", bytearray(100_000)
    while size := stream.read(buffer):
        found += buffer[:size]
    return found


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_bytes_pass_and_the_end_is_announced(office: Office, version: str) -> None:
    server = TlsSettings(office.store("node", "node1"), protocols=(version,))
    both = ends(office, TlsSettings(truststore=office.trust()), server)
    assert agree(both) == [] and both.server.subject is None
    buffer = bytearray(10)
    assert both.server.read(buffer) is None
    data = bytes(range(256)) * 300
    both.client.write(data)
    sent = both.client.give()
    records = -(-len(data) // 16384)
    assert len(data) + 21 * records <= len(sent) <= len(data) + 29 * records
    for start in range(0, len(sent), 7000):
        both.server.take(sent[start : start + 7000])
    assert read_all(both.server) == data
    both.client.write(b"last")
    both.client.finish()
    both.server.take(both.client.give())
    assert read_all(both.server) == b"last" and both.server.read(buffer) == 0


def test_a_client_is_who_its_certificate_says(office: Office) -> None:
    server = TlsSettings(office.store("node", "node1"), office.trust(), client_auth="required")
    both = ends(office, TlsSettings(office.store("alice", "x"), office.trust()), server)
    assert agree(both) == [] and both.server.subject == "CN=alice,O=Raftka"
    asks = server._replace(client_auth="requested")
    both = ends(office, TlsSettings(truststore=office.trust()), asks)
    assert agree(both) == [] and both.server.subject is None


Case = Callable[[Office, TlsSettings, TlsSettings], tuple[TlsSettings, TlsSettings]]
NOT_ACCEPTED = "the certificate is not accepted: "
CASES: dict[str, tuple[Case, str]] = {
    "not ours": (
        lambda office, c, s: (c, s._replace(keystore=office.store("node", "node1", theirs=True))),
        NOT_ACCEPTED,
    ),
    "another name": (
        lambda office, c, s: (c, s._replace(keystore=office.store("node", "node2"))),
        NOT_ACCEPTED + "Hostname mismatch, certificate is not valid for 'node1'.",
    ),
    "expired": (
        lambda office, c, s: (c, s._replace(keystore=office.store("node", "node1", expired=True))),
        NOT_ACCEPTED + "certificate has expired",
    ),
    "no certificate": (
        lambda office, c, s: (c, s._replace(client_auth="required")),
        "peer did not return a certificate",
    ),
    "a client's, not ours": (
        lambda office, c, s: (
            c._replace(keystore=office.store("eve", "x", theirs=True)),
            s._replace(client_auth="required"),
        ),
        NOT_ACCEPTED,
    ),
    "a client's, expired": (
        lambda office, c, s: (
            c._replace(keystore=office.store("eve", "x", expired=True)),
            s._replace(client_auth="requested"),
        ),
        NOT_ACCEPTED + "certificate has expired",
    ),
    "no common version": (
        lambda office, c, s: (
            c._replace(protocols=("TLSv1.2",)),
            s._replace(protocols=("TLSv1.3",)),
        ),
        "unsupported protocol",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_refused_in_the_same_words(office: Office, name: str) -> None:
    change, words = CASES[name]
    client = TlsSettings(truststore=office.trust())
    server = TlsSettings(office.store("node", "node1"), office.trust())
    both = ends(office, *change(office, client, server))
    said = agree(both)
    assert any(each.startswith(words) for each in said), said
    if len(said) == 1:
        # In TLS 1.3 a client has finished before its certificate is verified.
        with pytest.raises(TlsFailure):
            both.client.read(bytearray(10))


def test_a_name_need_not_be_checked(office: Office) -> None:
    server = TlsSettings(office.store("node", "node2"))
    client = TlsSettings(truststore=office.trust(), checks_host=False)
    assert agree(ends(office, client, server)) == []


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x0a" * 20])
def test_what_is_no_tls_is_refused(office: Office, garbage: bytes) -> None:
    server = office.tls.context(TlsSettings(office.store("node", "node1")), server=True).server()
    server.take(garbage)
    with pytest.raises(TlsFailure):
        server.shake_hands()


def test_half_a_handshake_waits_and_its_end_is_an_end(office: Office) -> None:
    both = ends(
        office,
        TlsSettings(truststore=office.trust()),
        TlsSettings(office.store("node", "node1")),
    )
    assert not both.client.shake_hands()
    hello = both.client.give()
    both.server.take(hello[: len(hello) // 2])
    assert not both.server.shake_hands() and not both.server.shake_hands()
    both.server.take(b"")
    with pytest.raises(TlsFailure, match="eof"):
        both.server.shake_hands()


def test_damage_in_a_record_ends_the_connection(office: Office) -> None:
    both = ends(
        office,
        TlsSettings(truststore=office.trust()),
        TlsSettings(office.store("node", "node1")),
    )
    assert agree(both) == []
    read_all(both.server)
    both.client.write(b"x" * 100)
    sent = bytearray(both.client.give())
    sent[-3] ^= 0x40
    both.server.take(sent)
    with pytest.raises(TlsFailure, match="bad record mac"):
        both.server.read(bytearray(200))


def test_the_stand_in_notices_a_record_that_was_lost() -> None:
    """The network of a simulation loses none, so it is a defect of the code in between."""
    office = SimOffice()
    both = ends(
        office,
        TlsSettings(truststore=office.trust()),
        TlsSettings(office.store("node", "node1")),
    )
    assert agree(both) == []
    both.client.write(b"lost")
    both.client.give()
    both.client.write(b"found")
    both.server.take(both.client.give())
    with pytest.raises(AssertionError, match="in the place of"):
        both.server.read(bytearray(200))


def test_the_stand_in_agrees_on_keys_once() -> None:
    office = SimOffice()
    both = ends(
        office,
        TlsSettings(truststore=office.trust()),
        TlsSettings(office.store("node", "node1")),
    )
    assert agree(both) == []
    hello = {"kind": "hello", "versions": ["TLSv1.2"], "host": "node1"}
    both.client._say(**hello)  # type: ignore[attr-defined]
    both.server.take(both.client.give())
    with pytest.raises(TlsFailure, match="no renegotiation"):
        both.server.read(bytearray(200))
