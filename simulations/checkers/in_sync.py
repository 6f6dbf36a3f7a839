"""A leader adds a replica to the ISR only once the replica has reached the start of the leader's
epoch.

A new leader's high watermark may be behind records that its predecessor acknowledged. They are all
before the start of the new epoch, so a replica that ends earlier must stay out (KIP-101, KIP-497).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Batch, Key, PartitionLogs, ReplicaMirror
from raftka.simulations.violation import About, Report


class EpochStarts:
    """Compares each AlterPartition, when it is sent, with the disks of the added replicas."""

    def __init__(
        self,
        watched: Watched,
        metadata: ObservedMetadata,
        logs: PartitionLogs,
        report: Report,
        looks: Looks,
        *,
        is_excused: Callable[[Key, int], bool],
    ) -> None:
        """`is_excused`: whether a broker may have lost records, or does not run."""
        self._metadata = metadata
        self._logs = logs
        self._report = report
        self.looks = looks
        self._is_excused = is_excused
        self._starts: dict[Key, tuple[int, int]] = {}
        """The latest leader epoch of any batch, and the offset of that epoch's first batch."""
        logs.on_append.append(self._appended)
        watched.request("AlterPartition", self._proposed)

    def image_committed(
        self, before: MetadataImage, image: MetadataImage, delta: MetadataDelta
    ) -> None:
        """The metadata has changed."""
        for topic in delta.topics.deleted:
            self.forget(topic.name)

    def forget(self, topic: str) -> None:
        """The topic was deleted."""
        for key in [key for key in self._starts if key[0] == topic]:
            del self._starts[key]

    def _appended(self, replica: ReplicaMirror, batches: list[Batch]) -> None:
        known = self._starts.get(replica.key, (-1, 0))[0]
        if batches[-1].epoch > known:
            latest = batches[-1].epoch
            first = next(batch for batch in batches if batch.epoch == latest)
            self._starts[replica.key] = (latest, first.base_offset)

    def _start_of(self, key: Key, leader: str, epoch: int) -> int:
        """The start offset of the leader's epoch: the end of its log before its first append."""
        latest, start = self._starts.get(key, (-1, 0))
        if latest == epoch:
            return start
        mirror = self._logs.replica(leader, key)
        return mirror.end_offset if mirror is not None else 0

    def _proposed(self, client: str, server: str, request: Any) -> None:
        for topic in request.topics:
            name = self._metadata.image.topic_names.get(topic.topic_id)
            for data in topic.partitions:
                if name is None:
                    continue
                key = (name, data.partition_index)
                partition = self._metadata.image.partition(*key)
                if partition is None or f"n{partition.leader}" != client:
                    continue
                if data.leader_epoch != partition.leader_epoch:
                    continue  # A former leader that does not know its successor yet.
                if self._is_excused(key, partition.leader):
                    continue
                wished = {each.broker_id for each in data.new_isr_with_epochs} | set(data.new_isr)
                for joining in sorted(wished - set(partition.isr)):
                    self._check(key, client, data.leader_epoch, joining)

    def _check(self, key: Key, leader: str, epoch: int, joining: int) -> None:
        if self._is_excused(key, joining):
            return
        self.looks("proposed-before-epoch-start")
        start = self._start_of(key, leader, epoch)
        mirror = self._logs.replica(f"n{joining}", key)
        end = mirror.end_offset if mirror is not None else 0
        if end < start:
            self._report(
                "proposed-before-epoch-start",
                f"{leader}, leader of {key[0]}-{key[1]} in epoch {epoch} from offset {start} on,"
                f" asks for broker {joining} in the ISR, whose log ends at {end}: what is between"
                " may be acknowledged by the leader before",
                about=About(key, end, node=f"n{joining}", other=leader),
            )
