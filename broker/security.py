"""The security of a node's listeners, and of the node's own connections to others.

Built from the settings once at the start; users' credentials are looked up in the metadata each
time. The modules of TLS and SASL are imported by the first listener that uses them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.model.scram import HASHES, NUMBERS, ScramCredential
from raftka.model.settings.config import Problem, WrongSettings
from raftka.model.settings.listener_settings import ListenerSettings
from raftka.model.settings.listeners import protocol_map

if TYPE_CHECKING:
    from raftka.kraft.sections.scram import ScramKey
    from raftka.model.access import Principal
    from raftka.model.ports import Clock, Connection, Dice, Network, Tls
    from raftka.model.settings import Config
    from raftka.model.tls_settings import TlsSettings
    from raftka.net.security.authentication import Authentication, Offer, Rules
    from raftka.net.security.contexts import Certificates
    from raftka.net.security.dialing import Login
    from raftka.net.security.scram import Known

_NONCE_BYTES: Final = 24
_TOKENS: Final = "OAUTHBEARER"
_NUMBER_OF: Final = {name: number for number, name in NUMBERS.items()}
Credentials = Callable[[], "Mapping[ScramKey, ScramCredential]"]
TokenLookUp = Callable[[int, str], "Known | None"]
"""Looks up a token's credential by the SCRAM mechanism's number and the token's id."""


def network_for(
    settings: Callable[[str], ListenerSettings],
    config: Config,
    network: Network,
    clock: Clock,
    dice: Dice,
    *,
    tls: Tls | None,
    controllers: bool,
) -> Network:
    """The network by which this node connects to brokers, or to controllers.

    `settings` returns a listener's current settings: certificates may be replaced. Raises
    WrongSettings.
    """
    if controllers:
        listener = next(iter(config.names("controller.listener.names")), "")
        mechanism = config.text("sasl.mechanism.controller.protocol")
    else:
        listener = config.text("inter.broker.listener.name")
        mechanism = config.text("sasl.mechanism.inter.broker.protocol")
    protocol = protocol_map(config).get(listener.upper(), "PLAINTEXT")
    if protocol == "PLAINTEXT":
        return network
    from raftka.net.security.dialing import SecuredNetwork

    login = None
    if protocol.startswith("SASL_"):
        try:
            login = own_login(ListenerSettings(config, listener), mechanism, network, clock, dice)
        except ValueError as error:
            words = f"this node cannot log in there: {error}"
            raise WrongSettings([Problem(f"listener {listener}", None, words)]) from error
    client_id = f"raftka-node-{config.int('node.id')}"
    wrap = None
    if protocol.endswith("SSL"):
        from raftka.net.security.tls import connect

        certificates = _certificates(lambda: settings(listener), clock, tls, server=False)

        async def wrap(connection: Connection, host: str) -> Connection:
            return await connect(connection, certificates.context(), host)

    return SecuredNetwork(network, clock, client_id, login=login, wrap=wrap)


def tls_for(
    settings: Callable[[], ListenerSettings], protocol: str, clock: Clock, tls: Tls | None
) -> Callable[[Connection], Awaitable[tuple[Connection, Principal]]] | None:
    """The TLS context of a listener; None without TLS.

    Raises WrongSettings for unusable keys and certificates.
    """
    if not protocol.endswith("SSL"):
        return None
    from raftka.net.security.names import NameRules
    from raftka.net.security.tls import TlsListener

    certificates = _certificates(settings, clock, tls, server=True)
    try:
        rules = NameRules(settings().text("ssl.principal.mapping.rules") or "DEFAULT")
    except ValueError as error:
        raise WrongSettings([Problem("ssl.principal.mapping.rules", None, str(error))]) from error
    return TlsListener(certificates.context, rules, clock).secure


def _certificates(
    settings: Callable[[], ListenerSettings], clock: Clock, tls: Tls | None, *, server: bool
) -> Certificates:
    from raftka.net.security.contexts import Certificates

    library = _library(tls)
    try:
        return Certificates(
            lambda: tls_settings(settings()), clock.monotonic, library, server=server
        )
    except (ValueError, OSError) as error:
        name = f"listener {settings().listener}"
        raise WrongSettings([Problem(name, None, f"TLS cannot be set up: {error}")]) from error


def check_certificates(
    protocols: Mapping[str, str], now: Config, wanted: Config, tls: Tls | None
) -> None:
    """Check that listeners could use TLS with other settings than they have `now`: with unusable
    ones, a node would keep its old certificates until they expire.

    `protocols` maps listeners' names to their security protocols. Raises KafkaError
    INVALID_REQUEST, as Kafka does.
    """
    for name, protocol in protocols.items():
        if not protocol.endswith("SSL"):
            continue
        try:
            then = tls_settings(ListenerSettings(wanted, name))
            if then != tls_settings(ListenerSettings(now, name)):
                _library(tls).context(then, server=True)
        except (ValueError, OSError) as error:
            words = f"The certificates of listener {name} cannot be replaced: {error}"
            raise KafkaError(ErrorCode.INVALID_REQUEST, words) from error


def _library(tls: Tls | None) -> Tls:
    """The TLS implementation: OpenSSL, unless another one is given."""
    if tls is None:
        from raftka.net.security.openssl import OpenSsl

        return OpenSsl()
    return tls


def tls_settings(settings: ListenerSettings) -> TlsSettings:
    """A listener's ssl.* settings. Raises ValueError."""
    from raftka.model.tls_settings import Store, TlsSettings

    text = settings.text
    return TlsSettings(
        Store(
            text("ssl.keystore.type") or "JKS",
            text("ssl.keystore.location"),
            text("ssl.keystore.password"),
            text("ssl.keystore.certificate.chain"),
            text("ssl.keystore.key"),
            text("ssl.key.password"),
        ),
        Store(
            text("ssl.truststore.type") or "JKS",
            text("ssl.truststore.location"),
            text("ssl.truststore.password"),
            text("ssl.truststore.certificates"),
        ),
        tuple(settings.names("ssl.enabled.protocols")),
        tuple(settings.names("ssl.cipher.suites")),
        text("ssl.client.auth") or "none",
        bool(text("ssl.endpoint.identification.algorithm")),
    )


def own_login(
    settings: ListenerSettings, mechanism: str, network: Network, clock: Clock, dice: Dice
) -> Login:
    """The credentials for this node's connections to listeners of that name. Raises ValueError."""
    from raftka.net.security.dialing import login_of

    if mechanism == _TOKENS:
        from raftka.broker.tokens import own_token_login

        return own_token_login(settings, network, clock)

    options = _jaas_options(settings, mechanism)
    user, password = options.get("username"), options.get("password")
    if not user or password is None:
        raise ValueError(
            f"listener.name.{settings.listener.lower()}.{mechanism.lower()}.sasl.jaas.config must"
            " name the username and the password by which this node logs in to the others"
        )
    return login_of(mechanism, user, password, lambda: nonce(dice))


def nonce(dice: Dice) -> str:
    """A text that is never used twice."""
    return b64encode(dice.randbytes(_NONCE_BYTES)).decode()


def authentication_for(
    settings: ListenerSettings,
    protocol: str,
    *,
    network: Network,
    clock: Clock,
    dice: Dice,
    credentials: Credentials,
    tokens: TokenLookUp = lambda mechanism, token_id: None,
    rules_off: RulesOff = ALL_HOLD,
) -> Callable[[], Authentication] | None:
    """Creates the authentication state of each connection of a listener; None without SASL."""
    if not protocol.startswith("SASL_"):
        return None
    from raftka.net.security.authentication import Authentication

    rules = sasl_rules(settings, network, clock, dice, credentials, tokens, rules_off)
    return lambda: Authentication(rules, clock)


def sasl_rules(
    settings: ListenerSettings,
    network: Network,
    clock: Clock,
    dice: Dice,
    credentials: Credentials,
    tokens: TokenLookUp,
    rules_off: RulesOff,
) -> Rules:
    """The SASL settings of a listener. Raises ValueError."""
    from raftka.net.security.authentication import Rules

    offers = {}
    for mechanism in settings.names("sasl.enabled.mechanisms"):
        if mechanism == _TOKENS:
            from raftka.broker.tokens import token_offer

            offers[mechanism] = token_offer(settings, network, clock)
        else:
            offers[mechanism] = _offer(settings, mechanism, dice, credentials, tokens, rules_off)
    return Rules(
        offers,
        settings.int("connection.failed.authentication.delay.ms") / 1000,
        settings.int("sasl.server.max.receive.size"),
        Rule.LOGIN_COMES_FIRST not in rules_off,
    )


def _offer(
    settings: ListenerSettings,
    mechanism: str,
    dice: Dice,
    credentials: Credentials,
    tokens: TokenLookUp,
    rules_off: RulesOff,
) -> Offer:
    from raftka.net.security.authentication import Offer

    lasts_s = settings.int("connections.max.reauth.ms", mechanism) / 1000
    if mechanism == "PLAIN":
        from raftka.net.security.plain import PlainServer, passwords

        known = passwords(_jaas_options(settings, mechanism))
        return Offer(lambda: PlainServer(known), lasts_s)
    if mechanism in HASHES:
        return _scram_offer(mechanism, lasts_s, dice, credentials, tokens, rules_off)
    raise ValueError(
        f"the SASL mechanism {mechanism} is not served; PLAIN, {', '.join(HASHES)} are"
    )


def _scram_offer(
    mechanism: str,
    lasts_s: float,
    dice: Dice,
    credentials: Credentials,
    tokens: TokenLookUp,
    rules_off: RulesOff,
) -> Offer:
    from raftka.model.scram import MIN_ITERATIONS
    from raftka.net.security.authentication import Offer
    from raftka.net.security.scram import Known, ScramServer, disguise

    secret = dice.randbytes(32)

    def look_up(user: str, extensions: Mapping[str, str]) -> Known | None:
        if extensions.get("tokenauth", "").lower() == "true":
            return tokens(_NUMBER_OF[mechanism], user)
        found = credentials().get((user, _NUMBER_OF[mechanism]))
        return None if found is None else Known(user, found)

    def begin() -> ScramServer:
        return ScramServer(
            mechanism,
            look_up,
            nonce(dice),
            lambda user: disguise(mechanism, secret, user, MIN_ITERATIONS),
            asks_for_proof=Rule.PASSWORDS_ARE_PROVED not in rules_off,
        )

    return Offer(begin, lasts_s)


def _jaas_options(settings: ListenerSettings, mechanism: str) -> Mapping[str, str]:
    """The options of a listener's login module for a mechanism. Raises ValueError."""
    from raftka.model.settings.sasl_rules import jaas_name, jaas_options

    found = jaas_options(settings, mechanism)
    if found is None:
        raise ValueError(f"{jaas_name(settings.listener, mechanism)} is not set")
    return found
