"""Loads the keys and certificates in the settings for OpenSSL.

It supports PEM in files or in the settings themselves (KIP-651), and PKCS12; JKS stores, which only
Java can read, are refused with the command that converts them.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from raftka.model.tls_settings import Store, TlsSettings

_JKS: Final = b"\xfe\xed\xfe\xed"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TYPES: Final = ("PEM", "PKCS12", "JKS")
"""JKS is Kafka's default, but Java 9 and later write PKCS12 under that name."""
_SUITES_OF_13: Final = frozenset(
    {
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    }
)
"""RFC 8446, B.4."""
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
    """Raises ValueError with the name of the setting, and without secrets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    unknown = [each for each in settings.protocols if each not in _VERSIONS]
    if unknown or not settings.protocols:
        raise ValueError(
            f"ssl.enabled.protocols: {', '.join(unknown) or 'none'} cannot be spoken;"
            f" {' and '.join(_VERSIONS)} can"
        )
    versions = sorted(_VERSIONS[each] for each in settings.protocols)
    context.minimum_version, context.maximum_version = versions[0], versions[-1]
    # Otherwise a client could make a server renegotiate keys repeatedly (TLS 1.2), at no cost of
    # its own.
    context.options |= ssl.OP_NO_RENEGOTIATION
    _choose_ciphers(context, settings.ciphers)
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


def _choose_ciphers(context: ssl.SSLContext, suites: Sequence[str]) -> None:
    """Enable only these suites; a TLS version without a listed suite is disabled.

    OpenSSL configures the suites of TLS 1.3 separately, and Python only supports that from 3.15 on:
    before, one listed suite enables all of them. Raises ValueError.
    """
    if not suites:
        return
    of_13 = [each for each in suites if each in _SUITES_OF_13]
    if names := [openssl_name(each) for each in suites if each not in _SUITES_OF_13]:
        try:
            context.set_ciphers(":".join(names))
        except ssl.SSLError as error:
            raise ValueError(f"ssl.cipher.suites: none of {', '.join(names)} is known") from error
    else:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    if not of_13:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    elif (choose := getattr(context, "set_ciphersuites", None)) is not None:
        choose(":".join(of_13))
    if context.minimum_version > context.maximum_version:
        raise ValueError(
            "ssl.cipher.suites names none for the versions that ssl.enabled.protocols allows: name"
            " suites of those versions too, or leave it out"
        )


def _trust(context: ssl.SSLContext, store: Store, *, server: bool) -> None:
    name, pem = "ssl.truststore", None
    _check_store(store, name, inline="certificates" if store.certificates is not None else None)
    if store.certificates is not None:
        pem = store.certificates
    elif store.location is not None:
        pem = _pem_of(_read(store.location, name), store, name)[1]
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
    password, name = store.key_password, "ssl.keystore"
    is_inline = store.certificates is not None or store.key is not None
    _check_store(store, name, inline="key" if is_inline else None)
    if is_inline:
        if store.certificates is None or store.key is None:
            raise ValueError("ssl.keystore.certificate.chain and ssl.keystore.key go together")
        key, chain = _spread(store.key), _spread(store.certificates)
    elif store.location is not None:
        key, chain = _pem_of(_read(store.location, name), store, name)
        if store.type.upper() != "PEM":
            password = None
        elif password is None:
            password = store.password
    elif server:
        raise ValueError("ssl.keystore.location is not set: a listener of TLS needs a certificate")
    else:
        return
    pem = key + "\n" + chain
    for kind, words in (("PRIVATE KEY", "private key"), ("CERTIFICATE", "certificate")):
        if f"{kind}-----" not in pem:
            where = "the setting" if is_inline else store.location
            raise ValueError(f"{name}: {where} holds no {words} in PEM")
    with _hidden_file(pem.encode()) as path:
        try:
            context.load_cert_chain(path, password=password or "")
        except (ssl.SSLError, ValueError) as error:
            raise ValueError(_why_unusable(error, pem, password)) from error


def _why_unusable(error: ssl.SSLError | ValueError, pem: str, password: str | None) -> str:
    """Why OpenSSL does not accept a key with its certificates."""
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return (
            "the keystore's key is not that of its first certificate: the node's own certificate"
            " comes first, then those who signed it"
        )
    if "ENCRYPTED" not in pem:
        return "the keystore's key or certificate is damaged: it is no PEM that can be read"
    if not password:
        return "the keystore's key is encrypted: set ssl.key.password"
    return "ssl.key.password does not open the keystore's key"


def _check_store(store: Store, name: str, *, inline: str | None) -> None:
    """Raise ValueError for a store of unknown type, or one that is given twice."""
    if store.type.upper() not in _TYPES:
        raise ValueError(f"{name}.type={store.type} is not known: use PEM or PKCS12")
    if inline is not None and store.location is not None:
        raise ValueError(f"{name}.location and {name}.{inline} are both set: leave out one")


def _pem_of(data: bytes, store: Store, name: str) -> tuple[str, str]:
    """(key, certificates) of a store's file, as PEM."""
    if store.type.upper() == "PEM":
        return "", data.removeprefix(_BYTE_ORDER_MARK).decode("latin-1")
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
    """Insert the line breaks into a PEM in one line, as settings often have it."""
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


def _read(path: str, name: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        why = error.strerror or str(error)
        raise ValueError(f"{name}.location: {path} cannot be read: {why}") from error


@contextmanager
def _hidden_file(data: bytes) -> Iterator[str]:
    """A path to bytes that are deleted afterwards; in memory if the system supports that."""
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
