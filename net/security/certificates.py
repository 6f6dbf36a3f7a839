"""Keys and certificates as settings name them, made into what OpenSSL works with.

PEM in files or in the settings themselves (KIP-651), and PKCS12; JKS stores, which only Java reads,
are refused with the command that converts them.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from raftka.model.tls_settings import Store, TlsSettings

_JKS: Final = b"\xfe\xed\xfe\xed"
_VERSIONS: Final = {
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_CLIENT_AUTH: Final = {
    "none": ssl.CERT_NONE,
    "requested": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


def make_context(settings: TlsSettings, *, server: bool) -> ssl.SSLContext:
    """Raises ValueError, in words that show no secret; OSError for files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    unknown = [each for each in settings.protocols if each not in _VERSIONS]
    if unknown or not settings.protocols:
        raise ValueError(
            f"ssl.enabled.protocols: {', '.join(unknown) or 'none'} cannot be spoken;"
            f" {' and '.join(_VERSIONS)} can"
        )
    versions = sorted(_VERSIONS[each] for each in settings.protocols)
    context.minimum_version, context.maximum_version = versions[0], versions[-1]
    # A client could have a server agree on keys again and again (TLS 1.2), at no cost of its own.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if names := [openssl_name(each) for each in settings.ciphers if not _is_of_13(each)]:
        try:
            context.set_ciphers(":".join(names))
        except ssl.SSLError as error:
            raise ValueError(f"ssl.cipher.suites: none of {', '.join(names)} is known") from error
    if server:
        context.verify_mode = _CLIENT_AUTH[settings.client_auth]
    else:
        context.check_hostname = settings.checks_host
        context.verify_mode = ssl.CERT_REQUIRED
    _trust(context, settings.truststore, server=server)
    _identify(context, settings.keystore, server=server)
    return context


def openssl_name(suite: str) -> str:
    """OpenSSL's name of a cipher suite of TLS 1.2 (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)."""
    if "_WITH_" not in suite:
        return suite
    exchange, _, cipher = suite.removeprefix("TLS_").partition("_WITH_")
    cipher = cipher.replace("AES_128", "AES128").replace("AES_256", "AES256")
    cipher = cipher.replace("CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305").replace("_CBC", "")
    parts = cipher if exchange == "RSA" else f"{exchange}_{cipher}"
    return parts.replace("_", "-")


def _is_of_13(suite: str) -> bool:
    """Suites of TLS 1.3 are all on; OpenSSL has them apart from the others."""
    return suite.startswith("TLS_") and "_WITH_" not in suite


def _trust(context: ssl.SSLContext, store: Store, *, server: bool) -> None:
    pem = None
    if store.certificates is not None:
        pem = store.certificates
    elif store.location is not None:
        data = _read(store.location)
        pem = _pem_of(data, store, "ssl.truststore")[1]
    if pem is None:
        if not server:
            context.load_default_certs()
        elif context.verify_mode is not ssl.CERT_NONE:
            raise ValueError("ssl.client.auth needs a truststore (ssl.truststore.location)")
        return
    try:
        context.load_verify_locations(cadata=_spread(pem))
    except (ssl.SSLError, ValueError) as error:
        raise ValueError("the truststore holds no certificate in PEM that can be read") from error


def _identify(context: ssl.SSLContext, store: Store, *, server: bool) -> None:
    password = store.key_password
    if store.certificates is not None or store.key is not None:
        if store.certificates is None or store.key is None:
            raise ValueError("ssl.keystore.certificate.chain and ssl.keystore.key go together")
        key, chain = _spread(store.key), _spread(store.certificates)
    elif store.location is not None:
        key, chain = _pem_of(_read(store.location), store, "ssl.keystore")
        if store.type.upper() != "PEM":
            password = None
        elif password is None:
            password = store.password
    elif server:
        raise ValueError("ssl.keystore.location is not set: a listener of TLS needs a certificate")
    else:
        return
    with _hidden_file((key + "\n" + chain).encode()) as path:
        try:
            context.load_cert_chain(path, password=password or "")
        except (ssl.SSLError, ValueError) as error:
            raise ValueError(
                "the keystore's key and certificate cannot be used: they must be in PEM, go"
                " together, and ssl.key.password must open the key"
            ) from error


def _pem_of(data: bytes, store: Store, name: str) -> tuple[str, str]:
    """(key, certificates) of a store's file, in PEM."""
    if store.type.upper() == "PEM":
        text = data.decode("latin-1")
        return "", text
    if data.startswith(_JKS):
        raise ValueError(
            f"{name}.location is a JKS store, which only Java reads. Convert it: keytool"
            " -importkeystore -srckeystore OLD -destkeystore NEW -deststoretype pkcs12, and set"
            f" {name}.type=PKCS12"
        )
    return _pem_of_pkcs12(data, store, name)


def _pem_of_pkcs12(data: bytes, store: Store, name: str) -> tuple[str, str]:
    try:
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
            pkcs12,
        )
    except ImportError as error:
        raise ValueError(f"{name} is a PKCS12 store: install raftka[pkcs12], or use PEM") from error
    password = store.password.encode() if store.password is not None else None
    try:
        found = pkcs12.load_pkcs12(data, password)
    except ValueError as error:
        raise ValueError(
            f"{name}.location is no PKCS12 store, or {name}.password does not open it"
        ) from error
    key = ""
    if found.key is not None:
        key = found.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    certificates = [found.cert] if found.cert is not None else []
    certificates += found.additional_certs
    pem = "".join(each.certificate.public_bytes(Encoding.PEM).decode() for each in certificates)
    return key, pem


def _spread(pem: str) -> str:
    """PEM in one line, as it often stands in a setting, over the lines that it needs."""
    text = pem.strip().replace("\\n", "\n")
    if "\n" in text:
        return text
    text = text.replace("-----BEGIN ", "\n-----BEGIN ").replace("-----END ", "\n-----END ")
    lines = []
    for line in filter(None, text.split("\n")):
        head, dashes, rest = line.rpartition("-----")
        if line.startswith("-----"):
            lines += [head + dashes, *rest.split()]
        else:
            lines += line.split()
    return "\n".join(lines) + "\n"


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


@contextmanager
def _hidden_file(data: bytes) -> Iterator[str]:
    """A path to some bytes that are gone afterwards; in memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("raftka-key")
        try:
            os.write(descriptor, data)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        yield file.name
