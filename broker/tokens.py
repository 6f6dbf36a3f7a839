"""OAUTHBEARER from a node's settings: the tokens that a listener accepts, and the node's own.

Loaded by the first listener that accepts tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raftka.model.settings.config import Problem, WrongSettings
from raftka.model.settings.sasl_rules import jaas_options
from raftka.model.tls_settings import Store, TlsSettings
from raftka.net.security.authentication import Offer
from raftka.net.security.http import Http
from raftka.net.security.issuer_keys import FileKeys, UrlKeys
from raftka.net.security.oauth import MECHANISM, OAuthServer
from raftka.net.security.openssl import OpenSsl
from raftka.net.security.token_source import Credentials, path_of, source_of
from raftka.net.security.tokens import Bearer, TokenRules, accepted

if TYPE_CHECKING:
    from raftka.model.ports import Clock, Network, TlsContext
    from raftka.model.settings.listener_settings import ListenerSettings
    from raftka.net.security.dialing import Login

_KEYS: Final = "sasl.oauthbearer.jwks.endpoint.url"


def token_offer(settings: ListenerSettings, network: Network, clock: Clock) -> Offer:
    """A listener's verification of tokens. Raises WrongSettings."""
    _require_library()
    keys = _keys(settings, network, clock)
    rules = _rules(settings)

    def check(token: str) -> Bearer:
        return accepted(keys.keys().verified(token), rules, clock.wall_ms() / 1000)

    lasts_s = settings.int("connections.max.reauth.ms", MECHANISM) / 1000
    return Offer(lambda: OAuthServer(check, keys), lasts_s)


def own_token_login(settings: ListenerSettings, network: Network, clock: Clock) -> Login:
    """How this node gets a token and authenticates with it. Raises ValueError."""
    from raftka.net.security.dialing import token_login

    options = jaas_options(settings, MECHANISM) or {}

    def found(name: str, option: str) -> str | None:
        return settings.text(name, MECHANISM) or options.get(option)

    credentials = None
    if client_id := found("sasl.oauthbearer.client.credentials.client.id", "clientId"):
        secret = found("sasl.oauthbearer.client.credentials.client.secret", "clientSecret") or ""
        credentials = Credentials(client_id, secret, found("sasl.oauthbearer.scope", "scope"))
    url = settings.text("sasl.oauthbearer.token.endpoint.url", MECHANISM)
    source = source_of(url, credentials, lambda: _http(settings, network, clock), clock)
    return token_login(source)


def _require_library() -> None:
    """Raises WrongSettings if PyJWT is not installed."""
    try:
        import jwt  # noqa: F401
    except ImportError as error:
        words = "OAUTHBEARER needs another package: pip install raftka[oauth]"
        raise WrongSettings([Problem("sasl.enabled.mechanisms", MECHANISM, words)]) from error


def _keys(settings: ListenerSettings, network: Network, clock: Clock) -> FileKeys | UrlKeys:
    url = settings.text(_KEYS, MECHANISM) or ""
    if url.startswith("file:"):
        try:
            return FileKeys(path_of(url), clock.monotonic)
        except (ValueError, OSError) as error:
            raise WrongSettings([Problem(_KEYS, url, f"it cannot be used: {error}")]) from error

    def seconds(name: str) -> float:
        return settings.int(name, MECHANISM) / 1000

    return UrlKeys(
        url,
        _http(settings, network, clock).ask,
        clock,
        refresh_s=seconds("sasl.oauthbearer.jwks.endpoint.refresh.ms"),
        pause_s=seconds("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms"),
        longest_pause_s=seconds("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms"),
    )


def _rules(settings: ListenerSettings) -> TokenRules:
    audiences = settings.value("sasl.oauthbearer.expected.audience", MECHANISM)
    return TokenRules(
        tuple(str(each) for each in audiences) if isinstance(audiences, tuple) else (),
        settings.text("sasl.oauthbearer.expected.issuer", MECHANISM),
        settings.text("sasl.oauthbearer.sub.claim.name", MECHANISM) or "sub",
        settings.text("sasl.oauthbearer.scope.claim.name", MECHANISM) or "scope",
        settings.int("sasl.oauthbearer.clock.skew.seconds", MECHANISM),
    )


def _http(settings: ListenerSettings, network: Network, clock: Clock) -> Http:
    """The HTTP client for the issuer, whose certificate is verified by the truststore in the
    options of the JAAS configuration (ssl.truststore.*, as Kafka reads it) or in the mechanism's
    settings (listener.name.<name>.oauthbearer.ssl.truststore.*), or else by the system's
    authorities."""

    prefix = f"listener.name.{settings.listener.lower()}.{MECHANISM.lower()}"

    def context() -> TlsContext:
        options = jaas_options(settings, MECHANISM) or {}
        own: dict[str, str] = {}
        # A store is taken whole: from the options if they name one.
        names_one = any(
            f"ssl.truststore.{name}" in options for name in ("location", "certificates")
        )
        for name in ("type", "location", "password", "certificates"):
            setting = f"ssl.truststore.{name}"
            found = options.get(setting)
            if found is None and (name == "type" or not names_one):
                found = settings.config.given(f"{prefix}.{setting}")
            if found is not None:
                own[name] = found
        store = Store(
            own.get("type", "JKS"),
            own.get("location"),
            own.get("password"),
            own.get("certificates"),
        )
        return OpenSsl().context(TlsSettings(truststore=store), server=False)

    return Http(network, clock, context)
