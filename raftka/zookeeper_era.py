"""Refuses settings for ZooKeeper, with a message in their own terms about what to change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from raftka.environment import variable_name

_GONE: Final = (
    "zookeeper.",
    "broker.id",
    "reserved.broker.max.id",
    "inter.broker.protocol.version",
    "advertised.host.name",
    "advertised.port",
)
_MARKS: Final = frozenset(
    {
        *("zookeeper.connect", "broker.id", "inter.broker.protocol.version"),
        *("advertised.host.name", "advertised.port"),
    }
)
"""Settings that, without process.roles, belong to a node with ZooKeeper."""


class ZooKeeperEra(ValueError):
    """The settings are for a node with ZooKeeper; the message says what to change."""


def refuse_zookeeper_era(settings: Mapping[str, str], from_environment: Collection[str]) -> None:
    """Raises ZooKeeperEra for settings of a node with ZooKeeper, which name no roles."""
    marks = _MARKS & settings.keys()
    if "process.roles" in settings or not marks:
        return
    in_environment = not marks.isdisjoint(from_environment)
    gone = [name for name in settings if name.startswith(_GONE)]
    node_id = settings.get("node.id") or settings.get("broker.id", "1")
    listeners, advertised = settings.get("listeners"), settings.get("advertised.listeners")
    if not advertised and (host := settings.get("advertised.host.name")):
        advertised = f"PLAINTEXT://{host}:{settings.get('advertised.port', '9092')}"
    taken = f"{listeners},{advertised}"
    port = next(port for port in range(9093, 65536) if f":{port}" not in taken)
    wanted = {
        "process.roles": "broker,controller",
        "node.id": node_id,
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"{node_id}@localhost:{port}",
    }
    if listeners or not advertised:  # Otherwise they follow the advertised ones, on all interfaces.
        wanted["listeners"] = f"{listeners or 'PLAINTEXT://:9092'},CONTROLLER://:{port}"
    if advertised and "advertised.listeners" not in settings:
        wanted["advertised.listeners"] = advertised
    if protocols := settings.get("listener.security.protocol.map"):
        wanted["listener.security.protocol.map"] = f"{protocols},CONTROLLER:PLAINTEXT"

    def line(verb: str, name: str, value: str, *, variable: bool) -> str:
        return f"  {verb:7} {variable_name(name) if variable else name}={value}"

    lines = [
        line("remove", name, settings[name], variable=name in from_environment) for name in gone
    ]
    for name, value in wanted.items():
        verb = "change" if name in settings and name not in gone else "add"
        lines.append(line(verb, name, value, variable=in_environment))
    raise ZooKeeperEra(
        "these settings are for a cluster with ZooKeeper, which there is no longer: in Kafka 4, and"
        " here, nodes keep the metadata themselves. For a node alone:\n"
        + "\n".join(lines)
        + "\nWith several controllers, controller.quorum.voters names all of them, as id@host:port,"
        " on every node. Data of the old cluster is not taken over."
    )
