"""Rules about several settings at once, checked before a node starts.

Source: what Apache Kafka 4.3 requires of a node in KRaft mode; also what is not served here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from raftka.model.settings.config import Config, Problem
from raftka.model.settings.listeners import (
    ANYWHERE,
    PLAINTEXT,
    Listener,
    bootstrap_servers,
    listeners,
    parse_listeners,
    protocol_map,
    quorum_voters,
)

_REFUSED: Final = (
    # Starting without the guard that a file asks for would be worse than not starting.
    ("authorizer.class.name", "authorization is not served yet, and starting without it would"),
    ("create.topic.policy.class.name", "Java classes cannot be loaded, and starting without it"),
    ("alter.config.policy.class.name", "Java classes cannot be loaded, and starting without it"),
)


def broken_rules(config: Config) -> list[Problem]:
    """What keeps a node from starting; empty when nothing does."""
    found: list[Problem] = []
    for rule in (_identity, _guards, _addresses, _quorum, _intervals):
        found += rule(config)
    return found


def _problem(config: Config, name: str, words: str) -> Problem:
    return Problem(name, config.static.get(name), words)


def _identity(config: Config) -> Iterator[Problem]:
    if not config.names("process.roles"):
        yield _problem(
            config, "process.roles", "it must say what this node is: broker, controller or both"
        )
    roles = config.names("process.roles")
    if len(set(roles)) != len(roles):
        yield _problem(config, "process.roles", "a role is named twice")
    node_id = config.optional_int("node.id")
    if node_id is None:
        yield _problem(config, "node.id", "every node needs a number of its own, 0 or greater")
    broker_id = config.int("broker.id")
    if broker_id >= 0 and node_id is not None and broker_id != node_id:
        yield _problem(config, "broker.id", f"it differs from node.id={node_id}; give only node.id")
    if not config.names("log.dirs"):
        yield _problem(config, "log.dirs", "at least one directory is needed")


def _guards(config: Config) -> Iterator[Problem]:
    for name, reason in _REFUSED:
        if config.value(name):
            yield _problem(config, name, f"{reason} leave the cluster open. Remove the setting.")
    if config.flag("remote.log.storage.system.enable"):
        yield _problem(
            config, "remote.log.storage.system.enable", "there is no tiered storage; set it false"
        )


def _addresses(config: Config) -> Iterator[Problem]:
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
            yield _problem(config, name, str(error))
    if not failed:
        found = listeners(config)
        yield from _listener_names(config, found)
        yield from _listener_roles(config, found)
        yield from _advertised(config, found)


def _listener_names(config: Config, found: list[Listener]) -> Iterator[Problem]:
    names = [each.name for each in found]
    if not found:
        yield _problem(config, "listeners", "at least one listener is needed")
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield _problem(config, "listeners", f"listener {name} is named twice")
    ports = [each.bind.port for each in found if each.bind.port]
    for port in sorted({port for port in ports if ports.count(port) > 1}):
        yield _problem(config, "listeners", f"port {port} is used twice")
    for each in found:
        if not each.protocol:
            yield _problem(
                config,
                "listeners",
                f"listener {each.name} has no security protocol; add {each.name}:{PLAINTEXT} to"
                " listener.security.protocol.map",
            )
        elif each.protocol != PLAINTEXT:
            yield _problem(
                config,
                "listeners",
                f"listener {each.name} is {each.protocol}, which is not supported yet; only"
                f" {PLAINTEXT} is served",
            )


def _listener_roles(config: Config, found: list[Listener]) -> Iterator[Problem]:
    roles = config.names("process.roles")
    controllers = config.names("controller.listener.names")
    if roles and not controllers:
        yield _problem(
            config,
            "controller.listener.names",
            "it must name the listener on which controllers serve, for example CONTROLLER",
        )
        return
    here = [each.name for each in found if each.kind == "controller"]
    brokers = [each.name for each in found if each.kind == "broker"]
    if "controller" in roles and not here:
        yield _problem(
            config,
            "listeners",
            f"a controller needs a listener that controller.listener.names"
            f" ({','.join(controllers)}) names",
        )
    if "controller" not in roles and here:
        yield _problem(
            config,
            "listeners",
            f"{','.join(here)} is a controller listener, but process.roles has no controller",
        )
    if "broker" in roles and not brokers:
        yield _problem(config, "listeners", "a broker needs a listener of its own, as PLAINTEXT")
    if "broker" not in roles and brokers:
        yield _problem(
            config,
            "listeners",
            f"{','.join(brokers)} is not in controller.listener.names, and process.roles has no"
            " broker",
        )
    inter = config.text("inter.broker.listener.name").upper()
    if inter in controllers:
        yield _problem(
            config, "inter.broker.listener.name", f"{inter} is a listener of controllers"
        )
    elif "broker" in roles and brokers and inter not in brokers:
        yield _problem(
            config,
            "inter.broker.listener.name",
            f"{inter} is not among the listeners of this broker: {','.join(brokers)}",
        )


def _advertised(config: Config, found: list[Listener]) -> Iterator[Problem]:
    name = "advertised.listeners"
    bound = {each.name for each in found}
    for each in parse_listeners(name, config.names(name)):
        if each.name not in bound:
            yield _problem(config, name, f"{each.name} is not among the listeners of this node")
        if each.endpoint.host in ANYWHERE:
            yield _problem(
                config,
                name,
                f"{each.endpoint.host} is no address that others could connect to; give a host"
                " name or address at which clients reach this node",
            )


def _quorum(config: Config) -> Iterator[Problem]:
    try:
        voters = quorum_voters(config)
    except ValueError as error:
        yield _problem(config, "controller.quorum.voters", str(error))
        return
    try:
        servers = bootstrap_servers(config)
    except ValueError as error:
        yield _problem(config, "controller.quorum.bootstrap.servers", str(error))
        return
    roles = config.names("process.roles")
    if roles and not voters and not servers:
        yield _problem(
            config,
            "controller.quorum.bootstrap.servers",
            "name the controllers, as host:port; or their ids too, in controller.quorum.voters",
        )
    if voters and servers:
        yield _problem(
            config,
            "controller.quorum.voters",
            "give either this (a fixed quorum) or controller.quorum.bootstrap.servers (a quorum"
            " whose voters may change), not both",
        )
    node_id = config.optional_int("node.id")
    if not voters or node_id is None:
        return
    if "controller" in roles and node_id not in voters:
        yield _problem(
            config,
            "controller.quorum.voters",
            f"this node is a controller, but its node.id {node_id} is not among the voters",
        )
    if "controller" not in roles and node_id in voters:
        yield _problem(
            config,
            "controller.quorum.voters",
            f"node.id {node_id} is a voter, but process.roles has no controller",
        )


def _intervals(config: Config) -> Iterator[Problem]:
    for smaller, greater in (
        ("replica.fetch.wait.max.ms", "replica.socket.timeout.ms"),
        ("replica.fetch.wait.max.ms", "replica.lag.time.max.ms"),
        ("broker.heartbeat.interval.ms", "broker.session.timeout.ms"),
        ("group.min.session.timeout.ms", "group.max.session.timeout.ms"),
        ("log.roll.jitter.ms", "log.roll.ms"),
    ):
        low, high = config.optional_int(smaller) or 0, config.optional_int(greater)
        if high is not None and low > high:
            yield _problem(config, smaller, f"{low} is more than {greater}={high}")
    if config.int("log.retention.ms") == 0 or config.int("log.retention.ms") < -1:
        yield _problem(config, "log.retention.ms", "it must be -1 (for ever) or at least 1")
    for name in ("socket.send.buffer.bytes", "socket.receive.buffer.bytes"):
        if config.int(name) == 0 or config.int(name) < -1:
            yield _problem(config, name, "it must be -1 (what the system gives) or at least 1")
