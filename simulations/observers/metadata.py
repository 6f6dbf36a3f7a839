"""The cluster's committed metadata, replayed by the observer from the journals."""

from __future__ import annotations

from collections.abc import Callable

from raftka.kraft.delta import MetadataDelta, replay_batch
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage, PartitionImage
from raftka.model.reasons import NO_REASON
from raftka.simulations.observers.partition_log import Key
from raftka.simulations.trace import Trace
from raftka.tracing.metadata import Event, broker_event, partition_event

OnChange = Callable[[Key, PartitionImage | None, PartitionImage], None]
"""(partition, before, after)"""


class ObservedMetadata:
    """The newest committed image, and the elections that led there."""

    def __init__(self, trace: Trace) -> None:
        self.image: MetadataImage = EMPTY_IMAGE
        self.topic_ids: dict[bytes, str] = {}
        self.leader_elections: dict[str, int] = {}
        """How many partition leaders were elected, by reason."""
        self.on_change: list[OnChange] = []
        self.on_image: list[Callable[[MetadataImage, MetadataImage, MetadataDelta], None]] = []
        self._trace = trace

    def committed(self, offset: int, epoch: int, payload: bytes) -> None:
        """Take the next committed entry."""
        before = self.image
        delta = replay_batch(before, offset, epoch, payload)
        image = self.image = delta.image
        # The cause of an election comes before it.
        for broker_id in delta.brokers.changed:
            why = delta.brokers.reasons.get(broker_id, NO_REASON)
            self._tell_broker(broker_event(before, image, broker_id, why))
        for name, indexes in _changed(before, image, delta):
            for index in indexes:
                after = image.topics[name].partitions[index]
                old = before.partition(name, index)
                if old is not None and before.topics[name].topic_id != image.topics[name].topic_id:
                    old = None
                self._tell((name, index), old, after)
        for told in self.on_image:
            told(before, image, delta)

    def _tell(self, key: Key, before: PartitionImage | None, after: PartitionImage) -> None:
        if before is not None and before.leader_epoch != after.leader_epoch:
            reason = after.reason or "unknown"
            self.leader_elections[reason] = self.leader_elections.get(reason, 0) + 1
        found = partition_event(*key, before, after)
        if found is not None:
            self._trace.event(found[0], **found[1])
        for told in self.on_change:
            told(key, before, after)

    def _tell_broker(self, found: Event | None) -> None:
        if found is not None:
            self._trace.event(found[0], **found[1])


def _changed(
    before: MetadataImage, image: MetadataImage, delta: MetadataDelta
) -> list[tuple[str, list[int]]]:
    found = []
    for name, topic in image.topics.items():
        old = before.topics.get(name)
        if old is topic:
            continue
        indexes = [
            index
            for index, partition in enumerate(topic.partitions)
            if old is None or index >= len(old.partitions) or old.partitions[index] is not partition
        ]
        found.append((name, indexes))
    return found
