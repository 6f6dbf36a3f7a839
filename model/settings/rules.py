"""Rules about several settings at once, checked before a node starts.

Source: Apache Kafka 4.3's requirements for a node in KRaft mode; also unsupported combinations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from raftka.model.settings.config import Config, Problem, problem
from raftka.model.settings.listener_rules import broken_listener_rules
from raftka.model.settings.listeners import bootstrap_servers, quorum_voters, super_users
from raftka.model.settings.security import STANDARD_AUTHORIZER

_REFUSED: Final = (
    # Starting without the protection that a file asks for would be worse than not starting.
    ("create.topic.policy.class.name", "Java classes cannot be loaded, and starting without it"),
    ("alter.config.policy.class.name", "Java classes cannot be loaded, and starting without it"),
)

_OF_GROUPS: Final = tuple(
    (f"group.{kind}.{low}{what}.ms", f"group.{kind}.{high}{what}.ms")
    for kind in ("consumer", "share", "streams")
    for what in ("heartbeat.interval", "session.timeout", "assignment.interval")
    for low, high in (("min.", ""), ("", "max."))
)
_ORDERED: Final = (
    ("replica.fetch.wait.max.ms", "replica.socket.timeout.ms"),
    ("replica.fetch.wait.max.ms", "replica.lag.time.max.ms"),
    ("broker.heartbeat.interval.ms", "broker.session.timeout.ms"),
    ("group.min.session.timeout.ms", "group.max.session.timeout.ms"),
    *_OF_GROUPS,
)
"""Pairs of settings whose first must not be greater than the second."""
_BUFFER_OF_A_CLEANER: Final = 1024 * 1024


def broken_rules(config: Config) -> list[Problem]:
    """The reasons why a node cannot start; empty if it can."""
    found: list[Problem] = []
    for rule in (
        _identity,
        _guards,
        broken_listener_rules,
        _quorum,
        _intervals,
        _connections,
        _logs,
    ):
        found += rule(config)
    return found


def _identity(config: Config) -> Iterator[Problem]:
    if not config.names("process.roles"):
        yield problem(
            config, "process.roles", "it must say what this node is: broker, controller or both"
        )
    roles = config.names("process.roles")
    if len(set(roles)) != len(roles):
        yield problem(config, "process.roles", "a role is named twice")
    node_id = config.optional_int("node.id")
    if node_id is None:
        yield problem(config, "node.id", "every node needs a number of its own, 0 or greater")
    broker_id = config.int("broker.id")
    if broker_id >= 0 and node_id is not None and broker_id != node_id:
        yield problem(config, "broker.id", f"it differs from node.id={node_id}; give only node.id")
    if not config.names("log.dirs"):
        yield problem(config, "log.dirs", "at least one directory is needed")


def _guards(config: Config) -> Iterator[Problem]:
    for name, reason in _REFUSED:
        if config.value(name):
            yield problem(config, name, f"{reason} leave the cluster open. Remove the setting.")
    authorizer = config.text("authorizer.class.name")
    if authorizer not in ("", STANDARD_AUTHORIZER):
        words = f"Java classes cannot be loaded; the one that is built in is {STANDARD_AUTHORIZER}"
        yield problem(config, "authorizer.class.name", words)
    try:
        super_users(config)
    except ValueError as error:
        yield problem(config, "super.users", str(error))
    if config.flag("remote.log.storage.system.enable"):
        yield problem(
            config, "remote.log.storage.system.enable", "there is no tiered storage; set it false"
        )


def _quorum(config: Config) -> Iterator[Problem]:
    try:
        voters = quorum_voters(config)
    except ValueError as error:
        yield problem(config, "controller.quorum.voters", str(error))
        return
    try:
        servers = bootstrap_servers(config)
    except ValueError as error:
        yield problem(config, "controller.quorum.bootstrap.servers", str(error))
        return
    roles = config.names("process.roles")
    if roles and not voters and not servers:
        yield problem(
            config,
            "controller.quorum.bootstrap.servers",
            "name the controllers, as host:port; or their ids too, in controller.quorum.voters",
        )
    if voters and servers:
        yield problem(
            config,
            "controller.quorum.voters",
            "give either this (a fixed quorum) or controller.quorum.bootstrap.servers (a quorum"
            " whose voters may change), not both",
        )
    node_id = config.optional_int("node.id")
    if not voters or node_id is None:
        return
    if "controller" in roles and node_id not in voters:
        yield problem(
            config,
            "controller.quorum.voters",
            f"this node is a controller, but its node.id {node_id} is not among the voters",
        )
    if "controller" not in roles and node_id in voters:
        yield problem(
            config,
            "controller.quorum.voters",
            f"node.id {node_id} is a voter, but process.roles has no controller",
        )


def _intervals(config: Config) -> Iterator[Problem]:
    for smaller, greater in _ORDERED:
        low, high = config.optional_int(smaller) or 0, config.optional_int(greater)
        if high is not None and low > high:
            yield problem(config, smaller, f"{low} is more than {greater}={high}")
    for name in ("socket.send.buffer.bytes", "socket.receive.buffer.bytes"):
        if config.int(name) == 0 or config.int(name) < -1:
            yield problem(config, name, "it must be -1 (what the system gives) or at least 1")


def _connections(config: Config) -> Iterator[Problem]:
    for name in ("max.connections", "max.connection.creation.rate"):
        if config.int(name) == 0:
            yield problem(config, name, "it would admit no client at all; it must be at least 1")
    name = "max.connections.per.ip"
    if config.int(name) == 0 and not config.text("max.connections.per.ip.overrides"):
        words = f"it can be 0 only while {name}.overrides names addresses that may connect"
        yield problem(config, name, words)


def _logs(config: Config) -> Iterator[Problem]:
    if config.int("log.retention.ms") == 0:
        yield problem(config, "log.retention.ms", "it must be -1 (for ever) or at least 1")
    for name, least in (("log.roll.ms", 1), ("log.roll.jitter.ms", 0)):
        if config.int(name) < least:
            yield problem(config, name, f"it must be at least {least}")
    threads = config.int("log.cleaner.threads")
    buffer = config.int("log.cleaner.dedupe.buffer.size")
    if threads == 0:
        yield problem(config, "log.cleaner.threads", "it must be at least 1")
    elif buffer / threads <= _BUFFER_OF_A_CLEANER:
        words = f"it must be more than 1 MiB for each of log.cleaner.threads={threads}"
        yield problem(config, "log.cleaner.dedupe.buffer.size", words)
    dirs = config.names("log.dirs")
    strange = [each for each in config.names("cordoned.log.dirs") if each not in (*dirs, "*")]
    if strange:
        words = f"{', '.join(strange)} is not among log.dirs ({', '.join(dirs)})"
        yield problem(config, "cordoned.log.dirs", words)
