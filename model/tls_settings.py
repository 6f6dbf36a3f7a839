"""The inputs of a TLS context, with Kafka's names of the settings (ssl.*)."""

from __future__ import annotations

from raftka.model.named_tuple import NamedTuple


class Store(NamedTuple):
    """A keystore or a truststore in Kafka's settings."""

    type: str = "JKS"
    location: str | None = None
    password: str | None = None
    certificates: str | None = None
    """PEM in the setting itself."""
    key: str | None = None
    key_password: str | None = None


class TlsSettings(NamedTuple):
    """The inputs of a context."""

    keystore: Store = Store()
    truststore: Store = Store()
    protocols: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    ciphers: tuple[str, ...] = ()
    client_auth: str = "none"
    checks_host: bool = True
