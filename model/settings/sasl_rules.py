"""Rules about listeners with SASL: their mechanisms, and this node's own login."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from raftka.model.scram import HASHES
from raftka.model.settings.config import Config, Problem, problem
from raftka.model.settings.jaas import parse_jaas
from raftka.model.settings.listener_settings import ListenerSettings

MODULES: Final[Mapping[str, str]] = {
    "PLAIN": "PlainLoginModule",
    **dict.fromkeys(HASHES, "ScramLoginModule"),
    "OAUTHBEARER": "OAuthBearerLoginModule",
}
"""The supported mechanisms, and their login modules."""
_URLS: Final = ("https://", "http://", "file:///")


def jaas_name(listener: str, mechanism: str) -> str:
    """The setting with the JAAS configuration of a listener for a mechanism."""
    return f"listener.name.{listener.lower()}.{mechanism.lower()}.sasl.jaas.config"


def jaas_options(settings: ListenerSettings, mechanism: str) -> Mapping[str, str] | None:
    """The options of that configuration; None if it is not given. Raises ValueError."""
    text = settings.config.given(jaas_name(settings.listener, mechanism))
    if text is None:
        return None
    module = parse_jaas(text)
    if module.kind != MODULES[mechanism]:
        raise ValueError(f"{mechanism} needs a {MODULES[mechanism]}, not {module.name}")
    return module.options


def broken_sasl_rules(config: Config, listener: str) -> Iterator[Problem]:
    """The problems with a listener's SASL settings. No message contains a password."""
    settings = ListenerSettings(config, listener)
    try:
        enabled = settings.names("sasl.enabled.mechanisms")
    except ValueError as error:
        yield Problem("sasl.enabled.mechanisms", None, str(error))
        return
    strange = [each for each in enabled if each not in MODULES]
    if strange or not enabled:
        yield problem(
            config,
            "sasl.enabled.mechanisms",
            f"listener {listener} needs mechanisms of {', '.join(MODULES)};"
            f" {', '.join(strange) or 'none'} cannot be served",
        )
        return
    own = _own_mechanism(config, listener)
    if own is not None and own[1] not in enabled:
        yield problem(
            config,
            own[0],
            f"nodes log in to each other at listener {listener}, where {own[1]} is not among"
            f" sasl.enabled.mechanisms ({', '.join(enabled)})",
        )
        return
    for mechanism in enabled:
        name = jaas_name(listener, mechanism)
        if mechanism == "OAUTHBEARER":
            logs_in = own is not None and own[1] == mechanism
            yield from _broken_token_rules(settings, name, logs_in=logs_in)
            continue
        try:
            options = jaas_options(settings, mechanism)
        except ValueError as error:
            yield Problem(name, "[hidden]", str(error))
            continue
        logs_in = own is not None and own[1] == mechanism
        if options is None and (logs_in or mechanism == "PLAIN"):
            yield Problem(
                name,
                None,
                f"it is needed for {mechanism} at listener {listener}: a {MODULES[mechanism]} with"
                + (" the username and password of this node" if logs_in else ' user_NAME="..."'),
            )
        elif logs_in and options is not None and not {"username", "password"} <= options.keys():
            yield Problem(name, "[hidden]", "it must name the username and password of this node")


def _broken_token_rules(
    settings: ListenerSettings, jaas: str, *, logs_in: bool
) -> Iterator[Problem]:
    """The problems with a listener that accepts tokens, and with this node's own token source."""
    try:
        options = jaas_options(settings, "OAUTHBEARER") or {}
    except ValueError as error:
        yield Problem(jaas, "[hidden]", str(error))
        return
    name = "sasl.oauthbearer.jwks.endpoint.url"
    url = settings.text(name, "OAUTHBEARER")
    if url is None or not url.startswith(_URLS):
        yield Problem(
            name,
            url,
            f"listener {settings.listener} takes tokens, so it needs the issuer's keys: a URL of"
            f" {', '.join(_URLS)}",
        )
    if not logs_in:
        return
    name = "sasl.oauthbearer.token.endpoint.url"
    url = settings.text(name, "OAUTHBEARER")
    if url is None or not url.startswith(_URLS):
        yield Problem(
            name,
            url,
            f"this node logs in by a token of its own at listener {settings.listener}: give the"
            f" issuer's URL, or the file that has the token ({', '.join(_URLS)})",
        )
    elif not url.startswith("file:"):
        name = "sasl.oauthbearer.client.credentials.client.id"
        if not (settings.text(name, "OAUTHBEARER") or options.get("clientId")):
            yield Problem(name, None, "the issuer gives this node no token without its name")


def _own_mechanism(config: Config, listener: str) -> tuple[str, str] | None:
    """(setting, mechanism) of connections between nodes to a listener; None for other listeners."""
    controllers = [each.upper() for each in config.names("controller.listener.names")]
    if controllers and listener == controllers[0]:
        name = "sasl.mechanism.controller.protocol"
    elif listener == config.text("inter.broker.listener.name").upper():
        name = "sasl.mechanism.inter.broker.protocol"
    else:
        return None
    return name, config.text(name)
