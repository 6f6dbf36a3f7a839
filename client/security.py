"""Secures a client's connections: builds a network from its settings (KIP-12, KIP-86)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from raftka.client.settings import ClientConfig, ConfigError, Setting, names, optional_text, text
from raftka.model.ports import Clock, Connection, Dice, Network, TlsContext
from raftka.model.scram import HASHES
from raftka.model.settings.jaas import parse_jaas

if TYPE_CHECKING:
    from raftka.net.security.dialing import Login

_NONCE_BYTES = 24
_NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
_TOKENS = "OAUTHBEARER"
_MODULES = {
    "PLAIN": "PlainLoginModule",
    **dict.fromkeys(HASHES, "ScramLoginModule"),
    _TOKENS: "OAuthBearerLoginModule",
}

SECURITY = (
    Setting(
        "security.protocol",
        text,
        "PLAINTEXT",
        "How connections are protected.",
        choices=("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    ),
    Setting(
        "sasl.mechanism",
        text,
        "GSSAPI",
        f"How the client logs in: {', '.join(_MODULES)}.",
    ),
    Setting(
        "sasl.jaas.config",
        optional_text,
        None,
        "A login module with username and password, as Java's clients have it.",
    ),
    Setting("sasl.username", optional_text, None, "The user, in place of sasl.jaas.config."),
    Setting("sasl.password", optional_text, None, "The user's password."),
    Setting(
        "sasl.oauthbearer.token.endpoint.url",
        optional_text,
        None,
        "Where tokens are issued, or file:///path of a file with one.",
    ),
    Setting(
        "sasl.oauthbearer.client.credentials.client.id",
        optional_text,
        None,
        "The name by which the issuer of tokens knows the client.",
    ),
    Setting(
        "sasl.oauthbearer.client.credentials.client.secret",
        optional_text,
        None,
        "The secret that goes with it.",
    ),
    Setting("sasl.oauthbearer.scope", optional_text, None, "The scope to ask the issuer for."),
    Setting("ssl.truststore.type", text, "JKS", "PEM or PKCS12."),
    Setting("ssl.truststore.location", optional_text, None, "The certificates that are trusted."),
    Setting("ssl.truststore.password", optional_text, None, "What opens the truststore."),
    Setting("ssl.truststore.certificates", optional_text, None, "The same in PEM, here."),
    Setting("ssl.keystore.type", text, "JKS", "PEM or PKCS12."),
    Setting("ssl.keystore.location", optional_text, None, "The client's key and certificate."),
    Setting("ssl.keystore.password", optional_text, None, "What opens the keystore."),
    Setting("ssl.keystore.certificate.chain", optional_text, None, "The certificate in PEM, here."),
    Setting("ssl.keystore.key", optional_text, None, "The key in PEM, here."),
    Setting("ssl.key.password", optional_text, None, "What opens the key in PEM."),
    Setting("ssl.enabled.protocols", names, ["TLSv1.2", "TLSv1.3"], "Versions of TLS."),
    Setting("ssl.cipher.suites", names, [], "Cipher suites of TLS 1.2."),
    Setting(
        "ssl.endpoint.identification.algorithm",
        text,
        "https",
        "https: the server's certificate must name its host; empty: it need not.",
    ),
)


def secured(config: ClientConfig, network: Network, clock: Clock, dice: Dice) -> Network:
    """A network whose connections are secured as `config` requires. Raises ConfigError."""
    protocol = config.text("security.protocol")
    if protocol == "PLAINTEXT":
        return network
    from raftka.net.security.dialing import SecuredNetwork

    login = _login(config, network, clock, dice) if protocol.startswith("SASL_") else None
    wrap = None
    if protocol.endswith("SSL"):
        from raftka.net.security import tls

        context = _tls_context(config)

        async def wrap(connection: Connection, host: str) -> Connection:
            return await tls.connect(connection, context, host)

    return SecuredNetwork(network, clock, config.text("client.id"), login=login, wrap=wrap)


def _tls_context(config: ClientConfig, options: Mapping[str, str] = _NO_OPTIONS) -> TlsContext:
    """By the settings, before which come `options` of the same names. Raises ConfigError."""
    from raftka.model.tls_settings import Store, TlsSettings
    from raftka.net.security.openssl import OpenSsl

    def maybe(name: str) -> str | None:
        """A store is taken whole: from the options if they have any of its settings."""
        store = "ssl.truststore." if name.startswith("ssl.truststore.") else "ssl.key"
        if any(each.startswith(store) and not each.endswith(".type") for each in options):
            return options.get(name)
        return options.get(name) or config.optional_text(name)

    settings = TlsSettings(
        Store(
            options.get("ssl.keystore.type") or config.text("ssl.keystore.type"),
            maybe("ssl.keystore.location"),
            maybe("ssl.keystore.password"),
            maybe("ssl.keystore.certificate.chain"),
            maybe("ssl.keystore.key"),
            maybe("ssl.key.password"),
        ),
        Store(
            options.get("ssl.truststore.type") or config.text("ssl.truststore.type"),
            maybe("ssl.truststore.location"),
            maybe("ssl.truststore.password"),
            maybe("ssl.truststore.certificates"),
        ),
        tuple(config.names("ssl.enabled.protocols")),
        tuple(config.names("ssl.cipher.suites")),
        checks_host=config.text("ssl.endpoint.identification.algorithm") != "",
    )
    try:
        return OpenSsl().context(settings, server=False)
    except (ValueError, OSError) as error:
        raise ConfigError(f"TLS cannot be set up: {error}") from error


def _login(config: ClientConfig, network: Network, clock: Clock, dice: Dice) -> Login:
    from raftka.net.security.dialing import login_of

    mechanism = config.text("sasl.mechanism")
    if mechanism not in _MODULES:
        raise ConfigError(f"sasl.mechanism = {mechanism}: it must be one of {', '.join(_MODULES)}")
    if mechanism == _TOKENS:
        return _token_login(config, network, clock)
    user, password = config.optional_text("sasl.username"), config.optional_text("sasl.password")
    options = _jaas_options(config, mechanism)
    user, password = options.get("username", user), options.get("password", password)
    if not user or password is None:
        raise ConfigError(
            f"sasl.mechanism = {mechanism}: it needs a user and a password, in sasl.username and"
            " sasl.password or in sasl.jaas.config"
        )
    return login_of(
        *(mechanism, user, password, lambda: b64encode(dice.randbytes(_NONCE_BYTES)).decode()),
        by_token=options.get("tokenauth", "").lower() == "true",
    )


def _jaas_options(config: ClientConfig, mechanism: str) -> Mapping[str, str]:
    """The options of sasl.jaas.config; empty when it is not set. Raises ConfigError."""
    jaas = config.optional_text("sasl.jaas.config")
    if jaas is None:
        return {}
    try:
        module = parse_jaas(jaas)
    except ValueError as error:
        raise ConfigError(f"sasl.jaas.config: {error}") from error
    if module.kind != _MODULES[mechanism]:
        raise ConfigError(
            f"sasl.jaas.config: {mechanism} needs a {_MODULES[mechanism]}, not {module.name}"
        )
    return module.options


def _token_login(config: ClientConfig, network: Network, clock: Clock) -> Login:
    """The issuer's certificate is checked by ssl.truststore.* when that is given, among the options
    of sasl.jaas.config first, else by the system's authorities. Raises ConfigError."""
    from raftka.net.security.dialing import token_login
    from raftka.net.security.http import Http
    from raftka.net.security.token_source import Credentials, source_of

    options = _jaas_options(config, _TOKENS)

    def found(name: str, option: str) -> str | None:
        return config.optional_text(f"sasl.oauthbearer.{name}") or options.get(option)

    credentials = None
    if client_id := found("client.credentials.client.id", "clientId"):
        secret = found("client.credentials.client.secret", "clientSecret") or ""
        credentials = Credentials(client_id, secret, found("scope", "scope"))
    url = config.optional_text("sasl.oauthbearer.token.endpoint.url")
    try:
        source = source_of(
            url,
            credentials,
            lambda: Http(network, clock, lambda: _tls_context(config, options)),
            clock,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return token_login(source)
