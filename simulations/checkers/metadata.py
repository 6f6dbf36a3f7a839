"""What must hold in every committed image of the metadata."""

from __future__ import annotations

from kraft.delta import MetadataDelta
from kraft.image import MetadataImage, PartitionImage
from kraft.snapshot import decode_snapshot, encode_snapshot
from simulations.observers.partition_log import Key
from simulations.violation import About, Report


class MetadataChecker:
    """Looks at each change of a partition, and at each image."""

    def __init__(self, report: Report) -> None:
        self.checks = 0
        self._report = report

    def image_committed(
        self, before: MetadataImage, image: MetadataImage, delta: MetadataDelta
    ) -> None:
        self.checks += 1
        for name, indexes in delta.changed_partitions.items():
            topic = image.topics.get(name)
            for index in indexes if topic is not None else ():
                assert topic is not None
                partition = topic.partition(index)
                if partition is not None:
                    self._check_members(image, (name, index), partition)
        for broker_id in delta.changed_brokers:
            old, new = before.brokers.get(broker_id), image.brokers.get(broker_id)
            if old is not None and new is not None and new.epoch < old.epoch:
                self._report(
                    "broker-epoch-went-back",
                    f"broker {broker_id} had epoch {old.epoch} and now has {new.epoch}",
                    about=About(node=f"n{broker_id}"),
                )
            if new is not None and new.fenced and (old is None or not old.fenced):
                self._check_fenced(image, broker_id)

    def _check_members(self, image: MetadataImage, key: Key, partition: PartitionImage) -> None:
        name = f"{key[0]}-{key[1]}"
        isr, elr, replicas = set(partition.isr), set(partition.elr), set(partition.replicas)
        if isr & elr:
            self._report(
                "isr-and-elr",
                f"{name}: {sorted(isr & elr)} are in the ISR and in the ELR",
                about=About(key),
            )
        if not isr | elr <= replicas:
            self._report(
                "isr-within-replicas",
                f"{name}: ISR {sorted(isr)} and ELR {sorted(elr)} are not all among the replicas"
                f" {sorted(replicas)}",
                about=About(key),
            )
        if partition.has_leader and partition.leader not in isr:
            self._report(
                "leader-in-isr",
                f"{name} is led by {partition.leader}, which is not in its ISR {sorted(isr)}",
                about=About(key, node=f"n{partition.leader}"),
            )
        for member in sorted(isr):
            self._check_member(image, key, partition, member)

    def _check_member(
        self, image: MetadataImage, key: Key, partition: PartitionImage, member: int
    ) -> None:
        broker = image.brokers.get(member)
        alone = len(partition.isr) == 1 and not partition.has_leader
        if (broker is None or broker.fenced) and not alone:
            self._report(
                "fenced-in-isr",
                f"{key[0]}-{key[1]}: broker {member} is in the ISR {list(partition.isr)} (partition"
                " epoch"
                f" {partition.partition_epoch}) while it is"
                f" {'unregistered' if broker is None else 'fenced'}: nobody knows if it lives",
                about=About(key, node=f"n{member}"),
            )

    def _check_fenced(self, image: MetadataImage, broker_id: int) -> None:
        for topic, index, partition in image.partitions():
            if broker_id in partition.isr:
                self._check_member(image, (topic.name, index), partition, broker_id)

    def partition_changed(
        self, key: Key, before: PartitionImage | None, after: PartitionImage
    ) -> None:
        if before is None:
            return
        self.checks += 1
        name = f"{key[0]}-{key[1]}"
        if after.leader_epoch < before.leader_epoch:
            self._report(
                "leader-epoch-went-back",
                f"{name}: leader epoch {after.leader_epoch} after {before.leader_epoch}",
                about=About(key),
            )
        if after.partition_epoch <= before.partition_epoch:
            self._report(
                "partition-epoch-went-back",
                f"{name}: partition epoch {after.partition_epoch} after {before.partition_epoch}",
                about=About(key),
            )
        if after.leader != before.leader and after.leader_epoch == before.leader_epoch:
            self._report(
                "two-leaders-in-epoch",
                f"{name}: {after.leader} takes over from {before.leader} in the same leader epoch"
                f" {after.leader_epoch}",
                about=About(key, node=f"n{after.leader}", other=f"n{before.leader}"),
            )

    def snapshot_written(self, host: str, image: MetadataImage, payload: bytes) -> None:
        """A node's snapshot says what replaying the log up to the same offset says."""
        self.checks += 1
        stored = encode_snapshot(decode_snapshot(payload, image.offset, image.epoch))
        if stored != encode_snapshot(image):
            self._report(
                "snapshot-equals-replay",
                f"{host} wrote a snapshot up to offset {image.offset} that differs from replaying"
                " the committed log up to there",
                about=About(node=host, index=image.offset),
            )
