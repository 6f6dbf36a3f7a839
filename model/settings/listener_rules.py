"""Rules about the listeners of a node: their names, protocols, ports and roles.

Source: Apache Kafka 4.3's requirements for a node in KRaft mode; also unsupported combinations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from raftka.model.settings.config import Config, Problem, problem
from raftka.model.settings.listeners import (
    ANYWHERE,
    PLAINTEXT,
    Listener,
    ip_version,
    listeners,
    parse_listeners,
    protocol_map,
)


def broken_listener_rules(config: Config) -> Iterator[Problem]:
    """The problems with the addresses of this node."""
    checks: tuple[tuple[str, Callable[[], object]], ...] = (
        ("listeners", lambda: parse_listeners("listeners", config.names("listeners"))),
        (
            "advertised.listeners",
            lambda: parse_listeners("advertised.listeners", config.names("advertised.listeners")),
        ),
        ("listener.security.protocol.map", lambda: protocol_map(config)),
    )
    failed = False
    for name, check in checks:
        try:
            check()
        except ValueError as error:
            failed = True
            yield problem(config, name, str(error))
    if not failed:
        found = listeners(config)
        yield from _listener_names(config, found)
        yield from _listener_roles(config, found)
        yield from _advertised(config, found)


def _listener_names(config: Config, found: list[Listener]) -> Iterator[Problem]:
    names = [each.name for each in found]
    if not found:
        yield problem(config, "listeners", "at least one listener is needed")
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield problem(config, "listeners", f"listener {name} is named twice")
    ports = [each.bind.port for each in found if each.bind.port]
    for port in sorted({port for port in ports if ports.count(port) > 1}):
        hosts = [each.bind.host for each in found if each.bind.port == port]
        if sorted(map(ip_version, hosts)) != [4, 6]:
            yield problem(
                config,
                "listeners",
                f"port {port} is used twice; of two listeners on one port, one must have an IPv4"
                " address and the other an IPv6 address, as in A://0.0.0.0:9092,B://[::]:9092",
            )
    for each in found:
        if not each.protocol:
            yield problem(
                config,
                "listeners",
                f"listener {each.name} has no security protocol; add {each.name}:{PLAINTEXT} to"
                " listener.security.protocol.map",
            )
        elif each.protocol.startswith("SASL_"):
            # Lazy: most nodes have no such listener.
            from raftka.model.settings.sasl_rules import broken_sasl_rules

            yield from broken_sasl_rules(config, each.name)


def _listener_roles(config: Config, found: list[Listener]) -> Iterator[Problem]:
    roles = config.names("process.roles")
    controllers = config.names("controller.listener.names")
    if roles and not controllers:
        yield problem(
            config,
            "controller.listener.names",
            "it must name the listener on which controllers serve, for example CONTROLLER",
        )
        return
    here = [each.name for each in found if each.kind == "controller"]
    brokers = [each.name for each in found if each.kind == "broker"]
    if "controller" in roles and not here:
        yield problem(
            config,
            "listeners",
            f"a controller needs a listener that controller.listener.names"
            f" ({','.join(controllers)}) names",
        )
    if "controller" not in roles and here:
        yield problem(
            config,
            "listeners",
            f"{','.join(here)} is a controller listener, but process.roles has no controller",
        )
    if "broker" in roles and not brokers:
        yield problem(config, "listeners", "a broker needs a listener of its own, as PLAINTEXT")
    if "broker" not in roles and brokers:
        yield problem(
            config,
            "listeners",
            f"{','.join(brokers)} is not in controller.listener.names, and process.roles has no"
            " broker",
        )
    inter = config.text("inter.broker.listener.name").upper()
    if inter in controllers:
        yield problem(config, "inter.broker.listener.name", f"{inter} is a listener of controllers")
    elif "broker" in roles and brokers and inter not in brokers:
        yield problem(
            config,
            "inter.broker.listener.name",
            f"{inter} is not among the listeners of this broker: {','.join(brokers)}",
        )


def _advertised(config: Config, found: list[Listener]) -> Iterator[Problem]:
    name = "advertised.listeners"
    bound = {each.name for each in found}
    for each in parse_listeners(name, config.names(name)):
        if each.name not in bound:
            yield problem(config, name, f"{each.name} is not among the listeners of this node")
        if each.endpoint.host in ANYWHERE:
            yield problem(
                config,
                name,
                f"{each.endpoint.host} is no address that others could connect to; give a host"
                " name or address at which clients reach this node",
            )
