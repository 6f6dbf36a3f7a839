"""What must hold in every committed image of the metadata."""

from __future__ import annotations

from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage, PartitionImage
from raftka.kraft.snapshot import decode_snapshot
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.partition_log import Key
from raftka.simulations.violation import About, Report


class MetadataChecker:
    """Checks each change of a partition, and each image."""

    def __init__(self, report: Report) -> None:
        self.looks = Looks()
        self._report = report

    def image_committed(
        self, before: MetadataImage, image: MetadataImage, delta: MetadataDelta
    ) -> None:
        self.looks()
        for name, indexes in delta.topics.changed.items():
            topic = image.topics.get(name)
            for index in indexes if topic is not None else ():
                assert topic is not None
                partition = topic.partition(index)
                if partition is not None:
                    self._check_members(image, (name, index), partition)
        for broker_id in delta.brokers.changed:
            self.looks.at("broker-epoch-went-back")
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
        self.looks.at("isr-and-elr", "isr-within-replicas", "leader-in-isr")
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
        self.looks.at("fenced-in-isr")
        broker = image.brokers.get(member)
        alone = len(partition.isr) == 1 and not partition.has_leader
        if (broker is None or broker.fenced) and not alone:
            self._report(
                "fenced-in-isr",
                f"{key[0]}-{key[1]}: broker {member} is in the ISR {list(partition.isr)} (partition"
                " epoch"
                f" {partition.partition_epoch}) while it is"
                f" {'unregistered' if broker is None else 'fenced'}: it may be dead",
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
        self.looks(
            "leader-epoch-went-back",
            "partition-epoch-went-back",
            "reassignment-forgot-to-remove",
            "replica-added-before-in-sync",
            "two-leaders-in-epoch",
        )
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
        if before.replicas != after.replicas or before.is_reassigning:
            self._check_move(key, before, after)
        if after.leader != before.leader and after.leader_epoch == before.leader_epoch:
            self._report(
                "two-leaders-in-epoch",
                f"{name}: {after.leader} takes over from {before.leader} in the same leader epoch"
                f" {after.leader_epoch}",
                about=About(key, node=f"n{after.leader}", other=f"n{before.leader}"),
            )

    def _check_move(self, key: Key, before: PartitionImage, after: PartitionImage) -> None:
        """Others are removed only when every added replica is in sync."""
        name = f"{key[0]}-{key[1]}"
        adding, one_change = set(after.adding_replicas), _follows(before, after)
        late = set(after.replicas) - set(before.replicas) - adding
        if one_change:
            settled = set(before.adding_replicas) & set(after.replicas) - adding
            late |= settled - set(after.isr)
        if late:
            self._report(
                "replica-added-before-in-sync",
                f"{name}: {sorted(late)} count as replicas like any other of"
                f" {list(after.replicas)}, but have never been in the ISR {list(after.isr)}",
                about=About(key),
            )
        # A replica joined: this ends the reassignment; it is not another one by an administrator.
        ends = one_change and not after.is_reassigning and set(after.isr) - set(before.isr)
        left = set(before.removing_replicas) & set(after.replicas)
        if ends and left:
            self._report(
                "reassignment-forgot-to-remove",
                f"{name}: the move to {sorted(set(before.replicas) - left)} has ended, and"
                f" {sorted(left)} are among the replicas still",
                about=About(key),
            )

    def snapshot_written(self, host: str, image: MetadataImage, payload: bytes) -> None:
        """A node's snapshot equals a replay of the log up to the same offset."""
        self.looks("snapshot-equals-replay")
        # Bytes are not compared: a field that the encoding omits would be missing on both sides.
        if decode_snapshot(payload, image.offset, image.epoch) != image:
            self._report(
                "snapshot-equals-replay",
                f"{host} wrote a snapshot up to offset {image.offset} that differs from replaying"
                " the committed log up to there",
                about=About(node=host, index=image.offset),
            )


def _follows(before: PartitionImage, after: PartitionImage) -> bool:
    """Whether one record leads from one state to the other."""
    return after.partition_epoch == before.partition_epoch + 1
