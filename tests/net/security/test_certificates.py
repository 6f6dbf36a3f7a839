"""Keystores, truststores and cipher suites, and the errors about wrong ones."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from raftka.model import logs
from raftka.model.tls_settings import Store, TlsSettings
from raftka.net.security.certificates import make_context, openssl_name
from raftka.net.security.contexts import Certificates
from raftka.net.security.openssl import OpenSsl
from tests.support.certificates import Authority

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("certificates"))
    made.issue("node")
    made.issue("alice")
    return made


def settings(authority: Authority, **changes: Any) -> TlsSettings:
    keystore = Store("PEM", str(authority.folder / "node.pem"))
    return TlsSettings(keystore, Store("PEM", str(authority.certificate)))._replace(**changes)


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
    with logs.captured() as lines:
        for now[0] in (4.0, 6.0, 8.0):
            assert certificates.context() is first
    (line,) = lines
    assert f"{file} holds no private key" in line.words
    file.write_text((authority.folder / "alice.pem").read_text())
    now[0] = 10.0
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
