"""A node's settings from every source: file, environment, command line, defaults.

Later sources win: the file, KAFKA_* variables, then --override. Without a file, and without
process.roles in the environment, it is a single node for trying things out.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from raftka.environment import settings_from, with_listeners
from raftka.model.settings import Config, read_config
from raftka.model.settings.properties import parse_properties
from raftka.model.settings.reading import parse_overrides
from raftka.zookeeper_era import refuse_zookeeper_era

SINGLE_NODE: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listeners": "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@localhost:9093",
    "log.dirs": "raftka-data",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}
"""The settings of `raftka server` without a file."""


class Unreadable(ValueError):
    """A settings file cannot be read; the message names it and says why."""


def read_file(path: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The settings in a properties file, with its config.providers resolved. Raises Unreadable."""
    found = _read_file(path)
    try:
        refuse_zookeeper_era(found, ())
        return _resolved(found, environ)
    except ValueError as error:
        raise Unreadable(f"{path}: {error}") from error


def _resolved(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Settings with their variables replaced; without config.providers there are none."""
    if not any(name.startswith("config.providers") for name in settings):
        return dict(settings)
    from raftka.client.tools.config_providers import resolve

    return resolve(settings, environ)


def _read_file(path: str) -> dict[str, str]:
    try:
        # Java's encoding of properties; other letters are written as \uXXXX.
        return parse_properties(Path(path).read_bytes().decode("latin-1"))
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise Unreadable(f"{path}: {error}") from error


def gather(
    path: str | None, overrides: Sequence[str], environ: Mapping[str, str]
) -> dict[str, str]:
    """All settings that are given.

    Raises Unreadable, WrongProvider, ZooKeeperEra, ValueError for a malformed override.
    """
    variables = settings_from(environ)
    given = {**variables, **parse_overrides(overrides)}
    base: Mapping[str, str] = {} if path is None else _read_file(path)
    refuse_zookeeper_era({**base, **given}, variables)
    if path is None and "process.roles" not in given:
        base = SINGLE_NODE
    found = with_listeners(_resolved({**base, **given}, environ))
    if base is SINGLE_NODE and not any(name.startswith("controller.quorum.") for name in given):
        found["controller.quorum.voters"] = _own_vote(found)
    return found


def _own_vote(settings: Mapping[str, str]) -> str:
    """controller.quorum.voters of a node that is its own quorum, wherever it listens."""
    name = settings["controller.listener.names"].partition(",")[0].strip()
    for item in settings["listeners"].split(","):
        listener, _, address = item.strip().partition("://")
        if listener.upper() == name.upper():
            host, _, port = address.rpartition(":")
            return f"{settings['node.id']}@{host or 'localhost'}:{port}"
    return ""


def make_config(properties: Mapping[str, str]) -> Config:
    """The checked settings, relative directories made absolute. Raises WrongSettings."""
    found = dict(properties)
    for name in ("log.dir", "log.dirs", "metadata.log.dir"):
        if found.get(name):
            parts = (each.strip() for each in found[name].split(","))
            found[name] = ",".join(str(Path(each).absolute()) for each in parts if each)
    return read_config(found, hostname=_hostname)


def is_single(config: Config) -> bool:
    """Whether this node is the only controller that the settings name."""
    named = config.names("controller.quorum.voters") or config.names(
        "controller.quorum.bootstrap.servers"
    )
    return len(named) == 1 and "controller" in config.names("process.roles")


@cache
def _hostname() -> str:
    """This host's name, or localhost if clients could not use it because it does not resolve."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return "localhost"
    return name
