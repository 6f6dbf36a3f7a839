"""Refuses settings written for ZooKeeper, and says in their own terms what to change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from raftka.environment import variable_name

_GONE: Final = (
    "zookeeper.",
    "broker.id",
    "reserved.broker.max.id",
    "inter.broker.protocol.version",
)


class ZooKeeperEra(ValueError):
    """These settings are of a node with ZooKeeper; the message says what to change."""


def refuse_zookeeper_era(settings: Mapping[str, str], from_environment: Collection[str]) -> None:
    """Raise ZooKeeperEra for settings that name a ZooKeeper and no roles."""
    if "process.roles" in settings or "zookeeper.connect" not in settings:
        return
    in_environment = "zookeeper.connect" in from_environment
    gone = [name for name in settings if name.startswith(_GONE)]
    node_id = settings.get("node.id") or settings.get("broker.id", "1")
    listeners = (
        settings.get("listeners") or settings.get("advertised.listeners") or "PLAINTEXT://:9092"
    )
    port = next(port for port in range(9093, 65536) if f":{port}" not in listeners)
    wanted = {
        "process.roles": "broker,controller",
        "node.id": node_id,
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"{node_id}@localhost:{port}",
        "listeners": f"{listeners},CONTROLLER://:{port}",
    }
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
