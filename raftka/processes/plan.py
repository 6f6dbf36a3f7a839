"""Derives the settings of a machine's processes from one configuration.

The first process has the configuration as it is. Each further one is a broker with an id, ports and
directories of its own. All are in one rack, so that the replicas of a partition are on different
machines wherever there are enough of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PROCESSES_MAX: Final = 64
NODE_ID_STEP: Final = 1000
"""The step from one process's node.id to the next one's."""
PORT_STEP: Final = 10
"""The step from one process's ports to the next one's."""

_LISTENERS: Final = "PLAINTEXT://:9092"
_LOG_DIRS: Final = "/tmp/kafka-logs"
"""Kafka's defaults."""


def plan(settings: Mapping[str, str], processes: int) -> list[dict[str, str]]:
    """The settings of each process. Raises ValueError for settings that cannot be divided."""
    if not 1 <= processes <= PROCESSES_MAX:
        raise ValueError(f"--processes must be from 1 to {PROCESSES_MAX}, not {processes}")
    node_id = _node_id(settings)
    roles = _list(settings.get("process.roles", ""))
    if "broker" not in roles:
        raise ValueError("--processes is for brokers: process.roles names none")
    first = dict(settings)
    first.setdefault("broker.rack", f"machine-{node_id}")
    first.setdefault("log.dirs", first.get("log.dir", _LOG_DIRS))
    return [first, *(_further(first, node_id, index) for index in range(1, processes))]


def _further(first: Mapping[str, str], node_id: int, index: int) -> dict[str, str]:
    found = dict(first)
    found.pop("broker.id", None)
    found["node.id"] = str(node_id + NODE_ID_STEP * index)
    found["process.roles"] = "broker"
    controllers = {name.upper() for name in _list(first.get("controller.listener.names", ""))}
    for name in ("listeners", "advertised.listeners"):
        items = _list(first.get(name, _LISTENERS if name == "listeners" else ""))
        kept = [each for each in items if each.partition("://")[0].upper() not in controllers]
        if kept:
            found[name] = ",".join(_moved(each, index, name) for each in kept)
    name = "prometheus.metrics.reporter.listener"
    if first.get(name):
        found[name] = _moved(first[name], index, name)
    for name in ("log.dirs", "metadata.log.dir", "raftka.trace.file"):
        if found.get(name):
            found[name] = ",".join(f"{path.rstrip('/')}-{index}" for path in _list(found[name]))
    return found


def _node_id(settings: Mapping[str, str]) -> int:
    text = settings.get("node.id", settings.get("broker.id", "")).strip()
    if not text.isascii() or not text.isdecimal():
        raise ValueError(f"--processes needs a node.id to count from, not {text!r}")
    return int(text)


def _moved(address: str, index: int, name: str) -> str:
    """The address with this process's port; 0, any free port, stays."""
    head, colon, port = address.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()):
        raise ValueError(f"{address!r} in {name} has no port to count from")
    return f"{head}:{int(port) + PORT_STEP * index}" if int(port) else address


def _list(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
