"""Settings from the environment, as Apache Kafka's container image takes them.

Source: the image's documentation. KAFKA_LOG_DIRS stands for log.dirs; two underscores for one,
three for a dash. KAFKA_CFG_LOG_DIRS, as Bitnami's images take it, stands for the same. If only
advertised listeners are given, the node listens at their ports on all interfaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_PREFIX: Final = "KAFKA_"
_OF_BITNAMI: Final = "KAFKA_CFG_"
_NOT_SETTINGS: Final = frozenset(
    {
        # Variables of the JVM, its logging and the start scripts.
        "KAFKA_VERSION",
        "KAFKA_HOME",
        "KAFKA_OPTS",
        "KAFKA_HEAP_OPTS",
        "KAFKA_LOG4J_OPTS",
        "KAFKA_JMX_OPTS",
        "KAFKA_JMX_PORT",
        "KAFKA_JMX_HOSTNAME",
        "KAFKA_JVM_PERFORMANCE_OPTS",
        "KAFKA_GC_LOG_OPTS",
        "KAFKA_LOG4J_ROOT_LOGLEVEL",
        "KAFKA_LOG4J_LOGGERS",
        "KAFKA_TOOLS_LOG4J_LOGLEVEL",
        "KAFKA_CLUSTER_ID",
        "KAFKA_LOG_LEVEL",
        # Variables of Bitnami's start scripts.
        "KAFKA_ENABLE_KRAFT",
        "KAFKA_KRAFT_CLUSTER_ID",
    }
)


def settings_from(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings that KAFKA_* variables give, by Kafka's names, sorted.

    KAFKA_LOG_DIRS wins over KAFKA_CFG_LOG_DIRS.
    """
    found: dict[str, str] = {}
    for name, value in sorted(environ.items()):
        if not name.startswith(_PREFIX) or name in _NOT_SETTINGS:
            continue
        if not name.startswith(_OF_BITNAMI):
            found[setting_name(name)] = value
        elif (plain := _PREFIX + name.removeprefix(_OF_BITNAMI)) not in environ:
            found[setting_name(plain)] = value
    return dict(sorted(found.items()))


def cluster_id_from(environ: Mapping[str, str]) -> str | None:
    """The cluster's id, from the variable of Kafka's image or of Bitnami's."""
    return environ.get("CLUSTER_ID") or environ.get("KAFKA_KRAFT_CLUSTER_ID")


def setting_name(variable: str) -> str:
    """log.dirs for KAFKA_LOG_DIRS."""
    name = variable.removeprefix(_PREFIX).lower()
    # A sign that no name contains keeps the longer runs apart from the single ones.
    return name.replace("___", "-").replace("__", "\0").replace("_", ".").replace("\0", "_")


def variable_name(name: str) -> str:
    """KAFKA_LOG_DIRS for log.dirs."""
    return _PREFIX + name.replace("_", "__").replace("-", "___").replace(".", "_").upper()


def with_listeners(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings, with listeners on all interfaces at the advertised ports if none are given.

    A controller's listener, which need not be advertised, follows its entry among the voters.
    """
    found = dict(settings)
    advertised = found.get("advertised.listeners")
    if "listeners" in found or not advertised:
        return found
    bound = [_everywhere(each) for each in advertised.split(",")]
    controller = found.get("controller.listener.names", "").partition(",")[0].strip()
    if "controller" in found.get("process.roles", "") and controller:
        port = _voter_port(found)
        if port and not any(each.startswith(f"{controller}://") for each in bound):
            bound.append(f"{controller}://0.0.0.0:{port}")
    found["listeners"] = ",".join(bound)
    return found


def _everywhere(listener: str) -> str:
    name, separator, address = listener.strip().partition("://")
    return f"{name}{separator}0.0.0.0:{address.rpartition(':')[2]}"


def _voter_port(settings: Mapping[str, str]) -> str:
    """The port of this node's own entry in controller.quorum.voters, or ""."""
    for voter in settings.get("controller.quorum.voters", "").split(","):
        number, _, address = voter.strip().partition("@")
        if number == settings.get("node.id"):
            return address.rpartition(":")[2]
    return ""
