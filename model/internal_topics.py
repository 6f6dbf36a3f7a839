"""The topics in which coordinators keep their state: one table.

Auto-creation takes their settings from here, Metadata marks them as internal, Produce rejects
clients that write to them, and coordinators and tools look their topic up here. The settings are
those with which Apache Kafka 4.4.0 creates the topics.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from raftka.model.dataclass import dataclass
from raftka.model.ids import OFFSETS_TOPIC, SHARE_STATE_TOPIC, TRANSACTION_TOPIC

if TYPE_CHECKING:
    from raftka.model.settings import Config


@dataclass(frozen=True, slots=True)
class InternalTopic:
    """A topic that the cluster creates on first use, whatever auto.create.topics.enable is."""

    name: str
    partitions: str
    """The broker setting with the number of its partitions."""
    replicas: str
    """The broker setting with its replication factor."""
    fixed: tuple[tuple[str, str], ...]
    """(setting of the topic, value)."""
    chosen: tuple[tuple[str, str], ...]
    """(setting of the topic, broker setting with its value)."""

    def topic_settings(self, config: Config) -> dict[str, str]:
        """The overrides with which a broker with this configuration creates the topic."""
        return dict(self.fixed) | {name: str(config.int(source)) for name, source in self.chosen}


OFFSETS: Final = InternalTopic(
    OFFSETS_TOPIC,
    partitions="offsets.topic.num.partitions",
    replicas="offsets.topic.replication.factor",
    fixed=(("cleanup.policy", "compact"), ("compression.type", "producer")),
    chosen=(("segment.bytes", "offsets.topic.segment.bytes"),),
)
"""Groups and their offsets."""

TRANSACTIONS: Final = InternalTopic(
    TRANSACTION_TOPIC,
    partitions="transaction.state.log.num.partitions",
    replicas="transaction.state.log.replication.factor",
    fixed=(
        ("cleanup.policy", "compact"),
        ("compression.type", "uncompressed"),
        ("unclean.leader.election.enable", "false"),
    ),
    chosen=(
        ("min.insync.replicas", "transaction.state.log.min.isr"),
        ("segment.bytes", "transaction.state.log.segment.bytes"),
    ),
)
"""Transactional ids and their transactions (KIP-98)."""

SHARE_STATES: Final = InternalTopic(
    SHARE_STATE_TOPIC,
    partitions="share.coordinator.state.topic.num.partitions",
    replicas="share.coordinator.state.topic.replication.factor",
    fixed=(
        ("cleanup.policy", "delete"),
        ("compression.type", "producer"),
        ("retention.ms", "-1"),
    ),
    chosen=(
        ("min.insync.replicas", "share.coordinator.state.topic.min.isr"),
        ("segment.bytes", "share.coordinator.state.topic.segment.bytes"),
    ),
)
"""The delivery state of share groups (KIP-932); its coordinator deletes superseded records."""

INTERNAL_TOPICS: Final[Mapping[str, InternalTopic]] = MappingProxyType(
    {topic.name: topic for topic in (OFFSETS, TRANSACTIONS, SHARE_STATES)}
)
"""By name."""
