"""The cluster as a client knows it: brokers, topics, and the leaders of partitions.

A view is immutable; each response makes the next one. Responses of different brokers may be of
different ages, so a partition's leader is only replaced by one of the same epoch or a later one
(KIP-320), unless the topic was created again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from raftka.model.errors import ErrorCode
from raftka.model.ids import NO_BROKER, NO_EPOCH, ZERO_UUID, Endpoint
from raftka.net.protocol.messages.metadata import MetadataResponse, MetadataResponseTopic

_REFUSALS = (ErrorCode.INVALID_TOPIC_EXCEPTION, ErrorCode.TOPIC_AUTHORIZATION_FAILED)


@dataclass(frozen=True, slots=True)
class Broker:
    """A node that clients can reach."""

    id: int
    host: str
    port: int
    rack: str | None = None

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.host, self.port)

    def __str__(self) -> str:
        return f"{self.host}:{self.port} (id: {self.id} rack: {self.rack or 'null'})"


@dataclass(frozen=True, slots=True)
class PartitionView:
    """One partition; `leader` is -1 while it has none."""

    index: int
    leader: int = NO_BROKER
    leader_epoch: int = NO_EPOCH
    replicas: tuple[int, ...] = ()
    isr: tuple[int, ...] = ()
    offline: tuple[int, ...] = ()
    error: int = ErrorCode.NONE


@dataclass(frozen=True, slots=True)
class TopicView:
    """One topic; `partitions` by index, without gaps when the topic is whole."""

    name: str
    id: bytes = ZERO_UUID
    internal: bool = False
    partitions: Mapping[int, PartitionView] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterView:
    """A view of a cluster. `version` counts the answers that led to it."""

    version: int = 0
    cluster_id: str | None = None
    controller_id: int = NO_BROKER
    brokers: Mapping[int, Broker] = field(default_factory=dict)
    topics: Mapping[str, TopicView] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    """Requested topics that are not there, with the error code of the answer."""

    @property
    def refused_topics(self) -> dict[ErrorCode, list[str]]:
        """Topics with an error that is not retriable, and its code."""
        found: dict[ErrorCode, list[str]] = {}
        for name, code in self.errors.items():
            if code in _REFUSALS:
                found.setdefault(ErrorCode(code), []).append(name)
        return found

    def partition(self, topic: str, index: int) -> PartitionView | None:
        view = self.topics.get(topic)
        return None if view is None else view.partitions.get(index)

    def leader(self, topic: str, index: int) -> Broker | None:
        """The leader's broker; None while it is unknown or none is elected."""
        view = self.partition(topic, index)
        return None if view is None else self.brokers.get(view.leader)

    def topic_name(self, topic_id: bytes) -> str | None:
        return next((t.name for t in self.topics.values() if t.id == topic_id), None)

    def merged(self, answer: MetadataResponse, *, complete: bool) -> ClusterView:
        """The view after one more response; `complete` when it lists every topic.

        Topics that were not asked for stay as they were.
        """
        topics: dict[str, TopicView] = {} if complete else dict(self.topics)
        errors: dict[str, int] = {} if complete else dict(self.errors)
        for told in answer.topics:
            name = told.name
            if name is None:
                continue
            errors.pop(name, None)
            if told.error_code != ErrorCode.NONE:
                errors[name] = told.error_code
                if told.error_code != ErrorCode.LEADER_NOT_AVAILABLE:
                    topics.pop(name, None)
                continue
            topics[name] = _topic(told, self.topics.get(name))
        brokers = {b.node_id: Broker(b.node_id, b.host, b.port, b.rack) for b in answer.brokers}
        return ClusterView(
            self.version + 1, answer.cluster_id, answer.controller_id, brokers, topics, errors
        )

    def with_leaders(
        self, leaders: Iterable[tuple[str, int, int, int]], endpoints: Iterable[Broker]
    ) -> ClusterView:
        """The view after an answer that named newer leaders (topic, partition, id, epoch; KIP-951).

        The same view when none of them is newer.
        """
        topics = dict(self.topics)
        changed = False
        for name, index, leader, epoch in leaders:
            topic = topics.get(name)
            known = topic.partitions.get(index) if topic else None
            if topic is None or known is None or epoch <= known.leader_epoch or leader < 0:
                continue
            newer = replace(known, leader=leader, leader_epoch=epoch)
            topics[name] = replace(topic, partitions={**topic.partitions, index: newer})
            changed = True
        if not changed:
            return self
        brokers = {**self.brokers, **{broker.id: broker for broker in endpoints}}
        return replace(self, version=self.version + 1, topics=topics, brokers=brokers)

    def without(self, names: Iterable[str]) -> ClusterView:
        """The view without some topics, once no caller needs them."""
        gone = frozenset(names)
        return replace(
            self,
            topics={name: view for name, view in self.topics.items() if name not in gone},
            errors={name: code for name, code in self.errors.items() if name not in gone},
        )


def _topic(told: MetadataResponseTopic, known: TopicView | None) -> TopicView:
    assert told.name is not None
    same = known is not None and (
        known.id == told.topic_id or ZERO_UUID in (known.id, told.topic_id)
    )
    partitions: dict[int, PartitionView] = {}
    for part in sorted(told.partitions, key=lambda part: part.partition_index):
        index = part.partition_index
        before = known.partitions.get(index) if known is not None and same else None
        if before is not None and part.leader_epoch < before.leader_epoch:
            partitions[index] = before
            continue
        partitions[index] = PartitionView(
            index,
            part.leader_id,
            part.leader_epoch,
            tuple(part.replica_nodes),
            tuple(part.isr_nodes),
            tuple(part.offline_replicas),
            part.error_code,
        )
    return TopicView(told.name, told.topic_id, told.is_internal, partitions)
