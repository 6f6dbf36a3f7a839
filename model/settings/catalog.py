"""All settings by name, and a suggestion for a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from raftka.model.settings.groups import GROUP_SETTINGS
from raftka.model.settings.log import LOG_SETTINGS
from raftka.model.settings.node import NODE_SETTINGS
from raftka.model.settings.protocols import PROTOCOL_SETTINGS
from raftka.model.settings.quorum import QUORUM_SETTINGS
from raftka.model.settings.quotas import QUOTA_SETTINGS
from raftka.model.settings.replication import REPLICATION_SETTINGS
from raftka.model.settings.security import SECURITY_SETTINGS
from raftka.model.settings.setting import Setting
from raftka.model.settings.share import SHARE_SETTINGS
from raftka.model.settings.streams import STREAMS_SETTINGS
from raftka.model.settings.topic import TOPIC_SETTINGS
from raftka.model.settings.unused import UNUSED_SETTINGS

BROKER: Final[Mapping[str, Setting]] = {
    setting.name: setting
    for table in (
        NODE_SETTINGS,
        LOG_SETTINGS,
        REPLICATION_SETTINGS,
        QUORUM_SETTINGS,
        GROUP_SETTINGS,
        SHARE_SETTINGS,
        STREAMS_SETTINGS,
        QUOTA_SETTINGS,
        SECURITY_SETTINGS,
        PROTOCOL_SETTINGS,
        UNUSED_SETTINGS,
    )
    for setting in table
}
"""The settings of a node, as in a properties file."""

TOPIC: Final[Mapping[str, Setting]] = {setting.name: setting for setting in TOPIC_SETTINGS}
"""The settings of a topic."""

LISTENER_PREFIX: Final = "listener.name."
OF_LISTENERS: Final = (
    ".connections.max.reauth.ms",
    ".sasl.enabled.mechanisms",
    ".sasl.jaas.config",
    ".ssl.cipher.suites",
    ".ssl.client.auth",
    ".ssl.enabled.protocols",
    ".ssl.endpoint.identification.algorithm",
    ".ssl.key.password",
    ".ssl.keystore.certificate.chain",
    ".ssl.keystore.key",
    ".ssl.keystore.location",
    ".ssl.keystore.password",
    ".ssl.keystore.type",
    ".ssl.principal.mapping.rules",
    ".ssl.truststore.certificates",
    ".ssl.truststore.location",
    ".ssl.truststore.password",
    ".ssl.truststore.type",
)
"""The settings that a single listener may override, with its prefix."""

_TIME_UNITS: Final = (
    ("log.roll.ms", "log.roll.hours"),
    ("log.roll.jitter.ms", "log.roll.jitter.hours"),
    ("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
)
_SYNONYMS: Final = {name: family for family in _TIME_UNITS for name in family}

REMOVED: Final[Mapping[str, str]] = {
    "zookeeper.connect": "there is no ZooKeeper: controllers keep the metadata",
    "zookeeper.connection.timeout.ms": "there is no ZooKeeper",
    "zookeeper.session.timeout.ms": "there is no ZooKeeper",
    "broker.id.generation.enable": "node.id is always given",
    "reserved.broker.max.id": "node.id is always given",
    "inter.broker.protocol.version": "metadata.version decides",
    "log.message.format.version": "records are always of format 2",
    "log.message.downconversion.enable": "records are always of format 2",
    "log.message.timestamp.difference.max.ms": "use log.message.timestamp.before.max.ms and"
    " log.message.timestamp.after.max.ms",
    "offsets.commit.required.acks": "a commit always waits for all in-sync replicas",
    "controlled.shutdown.max.retries": "the controller decides when leadership has moved",
    "controlled.shutdown.retry.backoff.ms": "the controller decides when leadership has moved",
    "leader.imbalance.per.broker.percentage": "any imbalance is corrected",
    "auto.include.jmx.reporter": "there is no JMX",
    "group.coordinator.new.enable": "there is one coordinator",
    "delegation.token.master.key": "use delegation.token.secret.key",
}
"""Names in older files, and why they are no longer needed."""


def broker_synonyms(name: str) -> tuple[str, ...]:
    """The names that can determine a broker setting's value, highest precedence first."""
    family = _SYNONYMS.get(name)
    return family if family is not None else (name,)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` probably stands for; None if none is close.

    Close means: a few letters differ (at most one in six, at least two), or only the separators and
    the case do.
    """
    plain = _plain(name)
    limit = max(2, len(name) // 6)
    best, best_distance = None, limit + 1
    for candidate in known:
        if _plain(candidate) == plain:
            return candidate
        if abs(len(candidate) - len(name)) < best_distance:
            distance = _distance(name, candidate, best_distance)
            if distance < best_distance:
                best, best_distance = candidate, distance
    return best


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(".", "")


def _distance(left: str, right: str, limit: int) -> int:
    """The edit distance with transpositions; `limit` if it is that or more."""
    before_last: list[int] = []
    last = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        row = [i]
        for j, b in enumerate(right, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, before_last[j - 2] + 1)
            row.append(cost)
        if min(row) >= limit:
            return limit
        before_last, last = last, row
    return last[-1]
