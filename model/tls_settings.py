"""What a context of TLS is made of, with Kafka's names of the settings (ssl.*)."""

from __future__ import annotations

from raftka.model.named_tuple import NamedTuple


class Store(NamedTuple):
    """A keystore or a truststore, as Kafka's settings name it."""

    type: str = "JKS"
    location: str | None = None
    password: str | None = None
    certificates: str | None = None
    """PEM in the setting itself."""
    key: str | None = None
    key_password: str | None = None


class TlsSettings(NamedTuple):
    """All that a context is made of."""

    keystore: Store = Store()
    truststore: Store = Store()
    protocols: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    ciphers: tuple[str, ...] = ()
    client_auth: str = "none"
    checks_host: bool = True
