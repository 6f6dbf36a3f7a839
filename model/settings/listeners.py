"""Parses the addresses in settings: listeners, voters and bootstrap servers.

Source: Apache Kafka's rules for a node in KRaft mode (KIP-103, KIP-631, KIP-853). For TLS and SASL
see sasl_rules.py and listener_settings.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from raftka.model.ids import Endpoint
from raftka.model.named_tuple import NamedTuple
from raftka.model.settings.config import Config
from raftka.model.settings.setting import http_address

PLAINTEXT: Final = "PLAINTEXT"
PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
ANYWHERE: Final = ("0.0.0.0", "::")
PORT_MAX: Final = 65535


class Listener(NamedTuple):
    """A listener of this node."""

    name: str
    protocol: str
    kind: Literal["broker", "controller"]
    bind: Endpoint
    """An empty host stands for every interface."""
    advertised: Endpoint
    """The address for clients and other nodes."""


class Voter(NamedTuple):
    """A voter in controller.quorum.voters."""

    id: int
    endpoint: Endpoint


class NamedEndpoint(NamedTuple):
    """NAME://host:port, unresolved."""

    name: str
    endpoint: Endpoint


def listeners(config: Config) -> list[Listener]:
    """The node's listeners, in the file's order. Raises ValueError with an explanation."""
    bound = parse_listeners("listeners", config.names("listeners"))
    told = {
        each.name: each.endpoint
        for each in parse_listeners("advertised.listeners", config.names("advertised.listeners"))
    }
    controllers = config.names("controller.listener.names")
    protocols = protocol_map(config)
    found = []
    for each in bound:
        advertised = told.get(each.name) or each.endpoint
        if not advertised.host or (each.name not in told and advertised.host in ANYWHERE):
            advertised = Endpoint(config.hostname(), advertised.port)
        found.append(
            Listener(
                each.name,
                protocols.get(each.name, ""),
                "controller" if each.name in controllers else "broker",
                each.endpoint,
                advertised,
            )
        )
    return found


def on_port(listener: Listener, port: int) -> Listener:
    """A listener with port 0 on the port that it got, which is advertised unless another one is."""
    advertised = listener.advertised
    return listener._replace(
        bind=Endpoint(listener.bind.host, port),
        advertised=Endpoint(advertised.host, advertised.port or port),
    )


def metrics_endpoint(config: Config) -> Endpoint | None:
    """The listener for Prometheus, or None."""
    given = config.optional_text("prometheus.metrics.reporter.listener")
    if given is None or not config.flag("prometheus.metrics.reporter.listener.enable"):
        return None
    where = http_address(given)
    return None if where is None else Endpoint(*where)


def parse_listeners(setting: str, items: Iterable[str]) -> list[NamedEndpoint]:
    """The items of a listener list. Raises ValueError for a malformed one."""
    found = []
    for item in items:
        name, separator, address = item.partition("://")
        if not separator or not name:
            raise ValueError(f"{item!r} in {setting} is not of the form NAME://host:port")
        found.append(NamedEndpoint(name.upper(), parse_endpoint(address, setting)))
    return found


def parse_endpoint(text: str, setting: str) -> Endpoint:
    """host:port, [v6]:port or :port. Raises ValueError."""
    host, colon, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or (":" in host and not bracketed):
        raise ValueError(f"{text!r} in {setting} is not of the form host:port")
    if not (port.isascii() and port.isdecimal()) or int(port) > PORT_MAX:
        raise ValueError(f"the port of {text!r} in {setting} is not between 0 and {PORT_MAX}")
    return Endpoint(host[1:-1] if bracketed else host, int(port))


def ip_version(host: str) -> int:
    """4 or 6 for an address; 0 for a name, which is only resolved when it is bound."""
    if ":" in host:
        return 6
    numbers = host.split(".")
    return 4 if len(numbers) == 4 and all(each.isdecimal() for each in numbers) else 0


def protocol_map(config: Config) -> dict[str, str]:
    """The security protocol of each listener name. Raises ValueError.

    A controller listener that is not in the map is PLAINTEXT if the map is not given and no other
    listener is secured (KIP-631).
    """
    text = config.text("listener.security.protocol.map")
    found: dict[str, str] = {}
    for item in filter(None, (each.strip() for each in text.split(","))):
        name, colon, protocol = item.rpartition(":")
        if not colon or protocol.upper() not in PROTOCOLS:
            raise ValueError(
                f"{item!r} in listener.security.protocol.map is not of the form NAME:PROTOCOL"
                f" with a protocol of {', '.join(PROTOCOLS)}"
            )
        found[name.upper()] = protocol.upper()
    if config.given("listener.security.protocol.map") is None:
        for name in config.names("controller.listener.names"):
            found.setdefault(name.upper(), PLAINTEXT)
    return found


def super_users(config: Config) -> frozenset[str]:
    """super.users: principals as type:name. Raises ValueError for one without a colon."""
    found = frozenset(filter(None, (e.strip() for e in config.text("super.users").split(";"))))
    for each in sorted(found):
        if ":" not in each:
            raise ValueError(
                f"{each!r} in super.users is not of the form type:name, as User:admin; a semicolon"
                " stands between two of them"
            )
    return found


def quorum_voters(config: Config) -> dict[int, Voter]:
    """controller.quorum.voters by id, in the file's order. Raises ValueError."""
    found: dict[int, Voter] = {}
    for item in config.names("controller.quorum.voters"):
        number, at, address = item.partition("@")
        if not at or not number.isdecimal():
            raise ValueError(
                f"{item!r} in controller.quorum.voters is not of the form id@host:port"
            )
        voter = Voter(int(number), parse_endpoint(address, "controller.quorum.voters"))
        if not voter.endpoint.host or not voter.endpoint.port:
            raise ValueError(f"{item!r} in controller.quorum.voters needs a host and a port")
        if voter.id in found:
            raise ValueError(f"{voter.id} is named twice in controller.quorum.voters")
        found[voter.id] = voter
    return found


def bootstrap_servers(config: Config) -> list[Endpoint]:
    """controller.quorum.bootstrap.servers. Raises ValueError."""
    name = "controller.quorum.bootstrap.servers"
    return [parse_endpoint(item, name) for item in config.names(name)]
