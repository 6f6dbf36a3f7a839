"""The cluster's metadata at one offset: an immutable view that handlers and roles read.

An image never changes. `kraft.delta` creates the next one, which shares all unchanged data, so that
a reader may keep an image as long as it likes and always sees a consistent state. All mappings keep
the order of the log, which is the same on every node.

Each section of the metadata (kraft/sections/) has fields here; the types of the fields are in the
sections' files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Final

from raftka.kraft.sections.acls import Acl
from raftka.kraft.sections.brokers import BrokerImage, ListenerEndpoint
from raftka.kraft.sections.client_quotas import QuotaEntity
from raftka.kraft.sections.configs import (
    BROKER_RESOURCE,
    CLIENT_METRICS_RESOURCE,
    CLUSTER_DEFAULT,
    GROUP_RESOURCE,
    TOPIC_RESOURCE,
    ConfigResource,
)
from raftka.kraft.sections.producer_ids import PRODUCER_ID_BLOCK_SIZE
from raftka.kraft.sections.scram import ScramKey
from raftka.kraft.sections.section import NOTHING
from raftka.kraft.sections.topics import PartitionImage, TopicImage
from raftka.model.dataclass import dataclass
from raftka.model.delegation import DelegationToken
from raftka.model.ids import UNASSIGNED_DIRECTORY
from raftka.model.scram import ScramCredential

__all__ = [
    "BROKER_RESOURCE",
    "CLIENT_METRICS_RESOURCE",
    "CLUSTER_DEFAULT",
    "EMPTY_IMAGE",
    "GROUP_RESOURCE",
    "PRODUCER_ID_BLOCK_SIZE",
    "TOPIC_RESOURCE",
    "Acl",
    "BrokerImage",
    "ConfigResource",
    "ListenerEndpoint",
    "MetadataImage",
    "PartitionImage",
    "QuotaEntity",
    "TopicImage",
]


@dataclass(frozen=True, slots=True)
class MetadataImage:
    """The metadata log's state up to `offset`."""

    offset: int = -1
    """The last batch in the image; -1 before the first."""
    epoch: int = 0
    """The quorum's epoch (the controller's term) in which that batch was written."""
    brokers: Mapping[int, BrokerImage] = field(default_factory=dict)
    topics: Mapping[str, TopicImage] = field(default_factory=dict)
    topic_names: Mapping[bytes, str] = field(default_factory=dict)
    """Names by topic id."""
    configs: Mapping[ConfigResource, Mapping[str, str]] = field(default_factory=dict)
    features: Mapping[str, int] = field(default_factory=dict)
    """Finalized levels by feature name."""
    next_producer_id: int = 0
    acls: Mapping[bytes, Acl] = field(default_factory=dict)
    """By an id that only the metadata log uses."""
    client_quotas: Mapping[QuotaEntity, Mapping[str, float]] = field(default_factory=dict)
    """By entity, then by quota name."""
    scram: Mapping[ScramKey, ScramCredential] = field(default_factory=dict)
    """The users' SCRAM credentials."""
    tokens: Mapping[str, DelegationToken] = field(default_factory=dict)
    """Delegation tokens, by id."""

    def topic_by_id(self, topic_id: bytes) -> TopicImage | None:
        name = self.topic_names.get(topic_id)
        return None if name is None else self.topics[name]

    def partition(self, topic: str, index: int) -> PartitionImage | None:
        """The partition, or None if the topic or that number does not exist."""
        found = self.topics.get(topic)
        return None if found is None else found.partition(index)

    def partitions(self) -> Iterator[tuple[TopicImage, int, PartitionImage]]:
        """All partitions of all topics."""
        for topic in self.topics.values():
            for index, partition in enumerate(topic.partitions):
                yield topic, index, partition

    def alive_brokers(self) -> list[BrokerImage]:
        """The brokers that are not fenced, by id: those in answers to Metadata."""
        return [each for _, each in sorted(self.brokers.items()) if not each.fenced]

    def is_active(self, broker_id: int) -> bool:
        """Whether the broker is registered, not fenced and not shutting down."""
        broker = self.brokers.get(broker_id)
        return broker is not None and broker.is_active

    def has_online_directory(self, partition: PartitionImage, broker_id: int) -> bool:
        """Whether the log directory of a replica is online, as far as known (KIP-858).

        A broker with one directory need not report it: if that directory fails, the broker shuts
        down.
        """
        directory = partition.directory_of(broker_id)
        if directory == UNASSIGNED_DIRECTORY:
            return True
        broker = self.brokers.get(broker_id)
        return broker is not None and (not broker.log_dirs or directory in broker.log_dirs)

    def may_lead(self, partition: PartitionImage, broker_id: int) -> bool:
        """Whether a replica is on an active broker, in an online log directory."""
        return self.is_active(broker_id) and self.has_online_directory(partition, broker_id)

    def topic_config(self, topic: str) -> Mapping[str, str]:
        """The overrides of the topic itself."""
        return self.configs.get(ConfigResource(TOPIC_RESOURCE, topic), NOTHING)

    def broker_config(self, broker_id: int | None) -> Mapping[str, str]:
        """The dynamic settings of one broker itself, or with None those of all brokers."""
        name = CLUSTER_DEFAULT if broker_id is None else str(broker_id)
        return self.configs.get(ConfigResource(BROKER_RESOURCE, name), NOTHING)


EMPTY_IMAGE: Final = MetadataImage()
