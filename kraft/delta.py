"""From one image to the next: replays records and remembers what they changed.

`MetadataDelta.image` can be read at any time and shows the records replayed so far; that is how
the controller decides one operation on top of others that are not committed yet. The cost of a
delta is that of its changes, plus one shallow copy of each mapping and each topic's list of
partitions that it touches.

Replay never refuses a record: what reaches it is committed, and every node has to come to the same
image. A record that cannot be right (an unknown topic, say) is a defect, and raises ReplayError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from raftka.kraft.codec import decode_records
from raftka.kraft.image import (
    TOPIC_RESOURCE,
    BrokerImage,
    ConfigResource,
    ListenerEndpoint,
    MetadataImage,
    PartitionImage,
    TopicImage,
)
from raftka.kraft.records import (
    OFFSET_OF_THE_BATCH,
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnregisterBrokerRecord,
)


class ReplayError(Exception):
    """A committed record does not fit the image: a defect, or a log of something else."""


@dataclass(frozen=True, slots=True)
class ElectionOutcome:
    """A partition got another leader, or the same one under a new epoch; and why."""

    topic: str
    partition: int
    old_leader: int
    new_leader: int
    leader_epoch: int
    old_isr: tuple[int, ...]
    new_isr: tuple[int, ...]
    reason: str


class MetadataDelta:
    """Collects what records change in `base`."""

    def __init__(self, base: MetadataImage) -> None:
        self.base = base
        self.image = base
        """`base` with everything replayed so far; its mappings may still change under a reader
        that keeps it, until `finish`."""
        self.changed_partitions: dict[str, dict[int, None]] = {}
        """Numbers of new or changed partitions by topic name, in order of their first change."""
        self.deleted_topics: list[TopicImage] = []
        """Topics of `base` that are gone, as they last were; their names may exist anew."""
        self.changed_brokers: dict[int, None] = {}
        """Brokers that were registered, changed or unregistered."""
        self.changed_configs: dict[ConfigResource, None] = {}
        self.changed_features: dict[str, None] = {}
        self.elections: list[ElectionOutcome] = []
        self._owned: set[str] = set()
        self._own_topics: dict[str, list[PartitionImage]] = {}

    def replay_all(self, records: Iterable[MetadataRecord], offset: int) -> None:
        """Replay the records of the batch at `offset`, in order."""
        for record in records:
            _REPLAY[type(record)](self, record, offset)

    def finish(self, offset: int, epoch: int) -> MetadataImage:
        """The next image. The delta can be read, but must not be replayed into, from here on."""
        self.image = replace(self.image, offset=offset, epoch=epoch)
        return self.image

    def _own(self, section: str) -> Any:
        """The image's mapping of that name, copied once so that it is ours to change."""
        if section not in self._owned:
            self._owned.add(section)
            copy: Any = dict(getattr(self.image, section))
            self.image = replace(self.image, **{section: copy})
        return getattr(self.image, section)

    def _topic_name(self, topic_id: bytes) -> str:
        name = self.image.topic_names.get(topic_id)
        if name is None:
            raise ReplayError(f"a record names topic id {topic_id.hex()}, which does not exist")
        return name

    def _own_partitions(self, name: str) -> list[PartitionImage]:
        """The topic's partitions as a list that is ours to change."""
        partitions = self._own_topics.get(name)
        if partitions is None:
            topics = self._own("topics")
            topic = topics[name]
            partitions = self._own_topics[name] = list(topic.partitions)
            topics[name] = TopicImage(name, topic.topic_id, partitions)
        return partitions

    def _topic(self, record: TopicRecord, _offset: int) -> None:
        topics = self._own("topics")
        if record.name in topics:
            raise ReplayError(f"topic {record.name} is created although it exists")
        partitions = self._own_topics[record.name] = []
        topics[record.name] = TopicImage(record.name, record.topic_id, partitions)
        self._own("topic_names")[record.topic_id] = record.name
        self.changed_partitions.setdefault(record.name, {})

    def _remove_topic(self, record: RemoveTopicRecord, _offset: int) -> None:
        name = self._topic_name(record.topic_id)
        del self._own("topic_names")[record.topic_id]
        removed = self._own("topics").pop(name)
        self._own_topics.pop(name, None)
        self.changed_partitions.pop(name, None)
        if record.topic_id in self.base.topic_names:
            self.deleted_topics.append(removed)
        resource = ConfigResource(TOPIC_RESOURCE, name)
        if resource in self.image.configs:
            del self._own("configs")[resource]
            self.changed_configs[resource] = None

    def _partition(self, record: PartitionRecord, _offset: int) -> None:
        name = self._topic_name(record.topic_id)
        partitions = self._own_partitions(name)
        if record.partition_id != len(partitions):
            raise ReplayError(
                f"partition {record.partition_id} of topic {name} is created "
                f"when it has {len(partitions)}"
            )
        partitions.append(
            PartitionImage(
                record.replicas,
                record.isr,
                record.leader,
                record.leader_epoch,
                record.partition_epoch,
                record.removing_replicas,
                record.adding_replicas,
                record.elr,
                record.last_known_elr,
                record.leader_recovery_state,
                record.reason,
            )
        )
        self.changed_partitions.setdefault(name, {})[record.partition_id] = None

    def _partition_change(self, record: PartitionChangeRecord, _offset: int) -> None:
        name = self._topic_name(record.topic_id)
        partitions = self._own_partitions(name)
        if record.partition_id >= len(partitions):
            raise ReplayError(f"partition {record.partition_id} of topic {name} does not exist")
        before = partitions[record.partition_id]
        after = changed_partition(before, record)
        partitions[record.partition_id] = after
        self.changed_partitions.setdefault(name, {})[record.partition_id] = None
        if record.leader is not None:
            self.elections.append(
                ElectionOutcome(
                    name,
                    record.partition_id,
                    before.leader,
                    after.leader,
                    after.leader_epoch,
                    before.isr,
                    after.isr,
                    after.reason,
                )
            )

    def _register_broker(self, record: RegisterBrokerRecord, offset: int) -> None:
        epoch = record.broker_epoch
        self._own("brokers")[record.broker_id] = BrokerImage(
            broker_id=record.broker_id,
            incarnation_id=record.incarnation_id,
            epoch=offset if epoch == OFFSET_OF_THE_BATCH else epoch,
            endpoints=tuple(ListenerEndpoint(*each) for each in record.endpoints),
            features=record.features,
            rack=record.rack,
            fenced=record.fenced,
            in_controlled_shutdown=record.in_controlled_shutdown,
            log_dirs=record.log_dirs,
        )
        self.changed_brokers[record.broker_id] = None

    def _unregister_broker(self, record: UnregisterBrokerRecord, _offset: int) -> None:
        self._own("brokers").pop(record.broker_id, None)
        self.changed_brokers[record.broker_id] = None

    def _broker_change(self, record: BrokerRegistrationChangeRecord, _offset: int) -> None:
        brokers = self._own("brokers")
        broker = brokers.get(record.broker_id)
        if broker is None or broker.epoch != record.broker_epoch:
            raise ReplayError(
                f"broker {record.broker_id} with epoch {record.broker_epoch} is changed, "
                f"but {'it is not registered' if broker is None else f'has epoch {broker.epoch}'}"
            )
        if record.fenced is not None:
            broker = replace(broker, fenced=record.fenced)
        if record.in_controlled_shutdown is not None:
            broker = replace(broker, in_controlled_shutdown=record.in_controlled_shutdown)
        if record.log_dirs is not None:
            broker = replace(broker, log_dirs=record.log_dirs)
        brokers[record.broker_id] = broker
        self.changed_brokers[record.broker_id] = None

    def _config(self, record: ConfigRecord, _offset: int) -> None:
        configs = self._own("configs")
        resource = ConfigResource(record.resource_type, record.resource_name)
        entries = dict(configs.get(resource, {}))
        if record.value is None:
            entries.pop(record.name, None)
        else:
            entries[record.name] = record.value
        if entries:
            configs[resource] = entries
        else:
            configs.pop(resource, None)
        self.changed_configs[resource] = None

    def _feature_level(self, record: FeatureLevelRecord, _offset: int) -> None:
        features = self._own("features")
        if record.level == 0:
            features.pop(record.name, None)
        else:
            features[record.name] = record.level
        self.changed_features[record.name] = None

    def _producer_ids(self, record: ProducerIdsRecord, _offset: int) -> None:
        self.image = replace(self.image, next_producer_id=record.next_producer_id)


_REPLAY: Final = cast(
    dict[type[MetadataRecord], Callable[[MetadataDelta, Any, int], None]],
    {
        TopicRecord: MetadataDelta._topic,
        RemoveTopicRecord: MetadataDelta._remove_topic,
        PartitionRecord: MetadataDelta._partition,
        PartitionChangeRecord: MetadataDelta._partition_change,
        RegisterBrokerRecord: MetadataDelta._register_broker,
        UnregisterBrokerRecord: MetadataDelta._unregister_broker,
        BrokerRegistrationChangeRecord: MetadataDelta._broker_change,
        ConfigRecord: MetadataDelta._config,
        FeatureLevelRecord: MetadataDelta._feature_level,
        ProducerIdsRecord: MetadataDelta._producer_ids,
    },
)


def changed_partition(before: PartitionImage, change: PartitionChangeRecord) -> PartitionImage:
    """The partition after a change: None leaves a field, a leader raises the leader epoch."""
    elected = change.leader is not None
    return PartitionImage(
        before.replicas if change.replicas is None else change.replicas,
        before.isr if change.isr is None else change.isr,
        before.leader if change.leader is None else change.leader,
        before.leader_epoch + 1 if elected else before.leader_epoch,
        before.partition_epoch + 1,
        _or(change.removing_replicas, before.removing_replicas),
        _or(change.adding_replicas, before.adding_replicas),
        _or(change.elr, before.elr),
        _or(change.last_known_elr, before.last_known_elr),
        before.leader_recovery_state
        if change.leader_recovery_state is None
        else change.leader_recovery_state,
        before.reason if change.reason is None else change.reason,
    )


def _or(new: tuple[int, ...] | None, old: tuple[int, ...]) -> tuple[int, ...]:
    return old if new is None else new


def replay_batch(image: MetadataImage, offset: int, epoch: int, payload: bytes) -> MetadataDelta:
    """What every node does with a committed batch. The next image is the delta's `image`.

    Raises UnreadableRecord for a batch from a newer release, ReplayError for a defect.
    """
    delta = MetadataDelta(image)
    delta.replay_all(decode_records(payload), offset)
    delta.finish(offset, epoch)
    return delta
