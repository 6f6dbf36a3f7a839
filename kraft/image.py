"""The cluster's metadata at one offset: an immutable view that handlers and roles read.

An image is never changed. `kraft.delta` makes the next one and shares with it everything that
stayed the same, so that a reader may keep an image as long as it likes and always sees one
consistent moment. All mappings keep the order in which things were first recorded, which is the
same on every node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from raftka.kraft.records import NO_LEADER, RECOVERED
from raftka.model.ids import Endpoint

TOPIC_RESOURCE: Final = 2
BROKER_RESOURCE: Final = 4
"""Kafka's numbers for what a setting belongs to."""

CLUSTER_DEFAULT: Final = ""
"""As a broker's name in a ConfigResource: all brokers that do not say otherwise."""

PRODUCER_ID_BLOCK_SIZE: Final = 1000
"""Producer ids that a broker is given at a time."""


class ConfigResource(NamedTuple):
    """What a setting belongs to: a topic, a broker, or all brokers."""

    type: int
    name: str


@dataclass(frozen=True, slots=True)
class PartitionImage:
    """One partition as the controller sees it."""

    replicas: tuple[int, ...]
    """Preferred leader first."""
    isr: tuple[int, ...]
    leader: int
    """NO_LEADER (-1) while nobody may lead it."""
    leader_epoch: int = 0
    partition_epoch: int = 0
    removing_replicas: tuple[int, ...] = ()
    adding_replicas: tuple[int, ...] = ()
    elr: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()
    leader_recovery_state: int = RECOVERED
    reason: str = ""
    """Why this leader, in words."""

    @property
    def has_leader(self) -> bool:
        return self.leader != NO_LEADER

    @property
    def preferred_leader(self) -> int:
        return self.replicas[0]

    @property
    def is_reassigning(self) -> bool:
        return bool(self.removing_replicas or self.adding_replicas)


@dataclass(frozen=True, slots=True)
class TopicImage:
    """A topic and its partitions; a partition's number is its place in `partitions`."""

    name: str
    topic_id: bytes
    partitions: Sequence[PartitionImage]

    def partition(self, index: int) -> PartitionImage | None:
        """The partition of that number, or None when there is none."""
        return self.partitions[index] if 0 <= index < len(self.partitions) else None


class ListenerEndpoint(NamedTuple):
    """Where a broker listens under one listener name."""

    name: str
    host: str
    port: int
    security_protocol: int


@dataclass(frozen=True, slots=True)
class BrokerImage:
    """A broker's registration."""

    broker_id: int
    incarnation_id: bytes
    epoch: int
    """The offset of its registration; names this process of the broker, and no other."""
    endpoints: tuple[ListenerEndpoint, ...]
    features: tuple[tuple[str, int, int], ...] = ()
    rack: str | None = None
    fenced: bool = True
    in_controlled_shutdown: bool = False
    log_dirs: tuple[bytes, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether it may lead partitions and join ISRs."""
        return not self.fenced and not self.in_controlled_shutdown

    def endpoint(self, listener: str) -> Endpoint | None:
        """Where it is reached by the listener of that name, or None when it has none such."""
        for each in self.endpoints:
            if each.name == listener:
                return Endpoint(each.host, each.port)
        return None


@dataclass(frozen=True, slots=True)
class MetadataImage:
    """Everything that the metadata log says up to `offset`."""

    offset: int = -1
    """The last batch that is in here; -1 before the first."""
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

    def topic_by_id(self, topic_id: bytes) -> TopicImage | None:
        name = self.topic_names.get(topic_id)
        return None if name is None else self.topics[name]

    def partition(self, topic: str, index: int) -> PartitionImage | None:
        """The partition, or None when the topic or that number does not exist."""
        found = self.topics.get(topic)
        return None if found is None else found.partition(index)

    def partitions(self) -> Iterator[tuple[TopicImage, int, PartitionImage]]:
        """All partitions of all topics."""
        for topic in self.topics.values():
            for index, partition in enumerate(topic.partitions):
                yield topic, index, partition

    def alive_brokers(self) -> list[BrokerImage]:
        """The brokers that are not fenced, by id: those that clients are told of."""
        return [each for _, each in sorted(self.brokers.items()) if not each.fenced]

    def is_active(self, broker_id: int) -> bool:
        """Whether the broker is registered, not fenced and not shutting down."""
        broker = self.brokers.get(broker_id)
        return broker is not None and broker.is_active

    def topic_config(self, topic: str) -> Mapping[str, str]:
        """The settings that were given for the topic itself."""
        return self.configs.get(ConfigResource(TOPIC_RESOURCE, topic), _NOTHING)

    def broker_config(self, broker_id: int | None) -> Mapping[str, str]:
        """The dynamic settings of one broker itself, or with None those of all brokers."""
        name = CLUSTER_DEFAULT if broker_id is None else str(broker_id)
        return self.configs.get(ConfigResource(BROKER_RESOURCE, name), _NOTHING)


_NOTHING: Final[Mapping[str, str]] = {}
EMPTY_IMAGE: Final = MetadataImage()
