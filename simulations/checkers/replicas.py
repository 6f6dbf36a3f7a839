"""The partitions' replicas: each record known to a client is wherever it must be.

Records that clients know are compared with the logs on the disks: at each acknowledgement with
those of the in-sync replicas, at each election with the new leader's, at the end with all of them.

There is one excuse: min.insync.replicas or more replicas of a partition ended without a clean
shutdown before they were back in sync, and one of their disks lost data. No controller can know
which of them still has everything, and Kafka does not claim to survive that (KIP-966).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from raftka.kraft.image import MetadataImage, PartitionImage
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Batch, Key, PartitionLogs, ReplicaMirror
from raftka.simulations.trace import Trace
from raftka.simulations.violation import About, Report


@dataclass
class Truth:
    """What a partition must hold: the batches with records known to a client."""

    end: int = 0
    """The offset after the last such record."""
    batches: dict[int, Batch] = field(default_factory=dict)
    """By base offset."""
    order: list[int] = field(default_factory=list)
    """Their base offsets, ascending."""
    witnesses: dict[int, str] = field(default_factory=dict)
    """Which client learned of which record, and when; by base offset."""
    losers: set[int] = field(default_factory=set)
    """Brokers whose disks lost some of the log, until they are back in sync."""
    unclean: set[int] = field(default_factory=set)
    """Brokers that ended without a clean shutdown, until they are back in sync."""
    start: int = 0
    """The log start offset, after records were deleted on purpose."""
    excused_at: float = -1.0
    """When the partition lost more disks than its guarantees cover."""


class ReplicaChecker:
    """Compares records known to clients with the logs of replicas."""

    def __init__(
        self,
        metadata: ObservedMetadata,
        logs: PartitionLogs,
        trace: Trace,
        report: Report,
        is_current: Callable[[int], bool],
        min_isr: Callable[[str], int],
        allows_loss: Callable[[str], bool],
    ) -> None:
        """`is_current`: whether a broker runs and its present process is registered. `allows_loss`:
        whether a topic has unclean elections.
        """
        self.looks = Looks()
        self.truths: dict[Key, Truth] = {}
        self.unclean_ends: list[float] = []
        """When brokers ended without a shutdown."""
        self.losses: list[str] = []
        """How often a loss was allowed: unclean elections, too many disks."""
        self._metadata = metadata
        self._logs = logs
        self._trace = trace
        self._report = report
        self._is_current = is_current
        self._min_isr = min_isr
        self._allows_loss = allows_loss
        logs.on_loss = self._disk_lost_batches
        logs.on_truncate.append(self._truncated)

    def truth(self, key: Key) -> Truth:
        found = self.truths.get(key)
        if found is None:
            found = self.truths[key] = Truth()
        return found

    def promises_nothing(self, key: Key) -> bool:
        """Whether records known to clients may be lost: too many disks were lost, or elections may
        be unclean."""
        return self.truth(key).excused_at >= 0 or self._allows_loss(key[0])

    def may_begin_at(self, key: Key, offset: int) -> None:
        """Records before `offset` may be gone from now on."""
        truth = self.truth(key)
        truth.start = max(truth.start, offset)

    def forget(self, topic: str) -> None:
        """The topic was deleted."""
        for key in [key for key in self.truths if key[0] == topic]:
            del self.truths[key]

    # Records that clients learned of.

    def told(self, key: Key, offset: int, witness: str) -> None:
        """A client knows the record at `offset`: acknowledged with acks=all, or read."""
        truth = self.truth(key)
        if offset < truth.end and self._known(truth, offset) is not None:
            return
        partition = self._metadata.image.partition(*key)
        if partition is None:
            return
        self.looks("isr-member-lacks-record")
        found = self._compare_members(key, partition, offset, witness)
        if found is not None:
            truth.end = max(truth.end, found.last_offset + 1)
            if found.base_offset not in truth.batches:
                insort(truth.order, found.base_offset)
            truth.batches[found.base_offset] = found
            truth.witnesses[found.base_offset] = f"{witness} at {trio.current_time():.3f} s"

    def _known(self, truth: Truth, offset: int) -> Batch | None:
        place = bisect_right(truth.order, offset) - 1
        if place < 0:
            return None
        batch = truth.batches[truth.order[place]]
        return batch if offset <= batch.last_offset else None

    def _compare_members(
        self, key: Key, partition: PartitionImage, offset: int, witness: str
    ) -> Batch | None:
        """The batch with the record, which every in-sync replica must have."""
        first: Batch | None = None
        for broker_id in partition.isr:
            mirror = self._logs.replica(f"n{broker_id}", key)
            batch = mirror.find(offset) if mirror is not None else None
            if batch is None:
                if self._must_hold(key, broker_id, offset):
                    self._lost(
                        "isr-member-lacks-record",
                        key,
                        f"broker {broker_id} is in the ISR {list(partition.isr)} of"
                        f" {key[0]}-{key[1]} but its log ends at"
                        f" {mirror.end_offset if mirror else 0}: it lacks the record at offset"
                        f" {offset}, which {witness}",
                        About(key, offset, node=f"n{broker_id}"),
                    )
                    return None
            elif first is None:
                first = batch
            elif batch.crc != first.crc and self._is_current(broker_id):
                self._lost(
                    "replicas-differ",
                    key,
                    f"the in-sync replicas {list(partition.isr)} of {key[0]}-{key[1]} hold"
                    f" different batches at offset {offset}, which {witness}: leader epochs"
                    f" {first.epoch} and {batch.epoch}",
                    About(key, offset, node=f"n{broker_id}"),
                )
                return None
        return first

    def _must_hold(self, key: Key, broker_id: int, offset: int) -> bool:
        truth = self.truth(key)
        return self._is_current(broker_id) and offset >= truth.start

    # Elections and the ISR.

    def partition_changed(
        self, key: Key, before: PartitionImage | None, after: PartitionImage
    ) -> None:
        if before is None:
            return
        truth = self.truth(key)
        if after.leader >= 0 and after.leader_epoch != before.leader_epoch:
            # A broker that is down may be elected: it serves no client until it registers.
            self._check_holder(key, truth, after.leader, f"was elected leader ({after.reason})")
        for joined in after.isr:
            if joined not in before.isr:
                self._check_holder(key, truth, joined, "joined the ISR")

    def broker_registered(self, broker_id: int) -> None:
        """A broker has come back: wherever it is still in sync, it must still have everything."""
        for topic, index, partition in self._metadata.image.partitions():
            key = (topic.name, index)
            if key not in self.truths:
                continue
            if partition.leader == broker_id:
                self._check_holder(key, self.truth(key), broker_id, "came back as leader")
            elif broker_id in partition.isr:
                self._check_holder(key, self.truth(key), broker_id, "came back into the ISR")

    def _check_holder(self, key: Key, truth: Truth, broker_id: int, what: str) -> None:
        """`broker_id` has every record known to a client."""
        if not self._is_current(broker_id):
            return
        self.looks("lost-write")
        mirror = self._logs.replica(f"n{broker_id}", key)
        missing = None
        for base, batch in truth.batches.items():
            if batch.last_offset < truth.start:
                continue
            found = mirror.find(max(base, truth.start)) if mirror is not None else None
            if found is None or found.crc != batch.crc:
                missing = (batch, found)
                break
        if missing is None:
            truth.losers.discard(broker_id)
            truth.unclean.discard(broker_id)
            return
        batch, found = missing
        has = (
            f"another batch there, of leader epoch {found.epoch}"
            if found is not None
            else f"a log that ends at {mirror.end_offset if mirror else 0}"
        )
        self._lost(
            "lost-write",
            key,
            f"broker {broker_id} {what} of {key[0]}-{key[1]} without the records at offsets"
            f" {batch.base_offset} to {batch.last_offset} (leader epoch {batch.epoch}), which"
            f" {truth.witnesses[batch.base_offset]}. It has {has}",
            About(key, max(batch.base_offset, truth.start), node=f"n{broker_id}"),
        )

    def _disk_lost_batches(self, replica: ReplicaMirror, batches: list[Batch]) -> None:
        self.lost_disk(replica.host, replica.key, len(batches))

    def _truncated(self, replica: ReplicaMirror, batches: list[Batch]) -> None:
        """A replica truncated its log: no in-sync one may truncate a record known to a client."""
        key, broker_id = replica.key, int(replica.host[1:])
        partition = self._metadata.image.partition(*key)
        if partition is None or broker_id not in partition.isr or not self._is_current(broker_id):
            return
        self.looks("in-sync-replica-truncated")
        truth = self.truth(key)
        for batch in batches:
            known = truth.batches.get(batch.base_offset)
            if known is not None and known.crc == batch.crc and batch.last_offset >= truth.start:
                self._lost(
                    "in-sync-replica-truncated",
                    key,
                    f"broker {broker_id} is in the ISR {list(partition.isr)} of {key[0]}-{key[1]}"
                    f" and cuts its log at offset {batches[0].base_offset}: it gives up records up"
                    f" to {batch.last_offset}, which {truth.witnesses[batch.base_offset]}. Elected"
                    " now, it would lose them",
                    About(key, batch.base_offset, node=replica.host),
                )
                return

    def lost_disk(self, host: str, key: Key, batches: int) -> None:
        """A disk lost some of a partition's log, or all of it."""
        self.truth(key).losers.add(int(host[1:]))
        self._trace.event("batches-lost", node=host, partition=f"{key[0]}-{key[1]}", count=batches)
        self._excuse(key)

    def ended_unclean(self, host: str) -> None:
        """A broker's process ended without a shutdown."""
        broker_id = int(host[1:])
        self.unclean_ends.append(trio.current_time())
        for topic, index, partition in self._metadata.image.partitions():
            if broker_id in partition.replicas:
                self.truth((topic.name, index)).unclean.add(broker_id)
                self._excuse((topic.name, index))

    def _excuse(self, key: Key) -> None:
        truth, partition = self.truth(key), self._metadata.image.partition(*key)
        if partition is None or not truth.losers:
            return
        needed = min(self._min_isr(key[0]), len(partition.replicas))
        if len(truth.losers | truth.unclean) >= needed:
            truth.excused_at = trio.current_time()

    def _lost(self, name: str, key: Key, story: str, about: About) -> None:
        truth = self.truth(key)
        if self.promises_nothing(key):
            self.losses.append(f"{trio.current_time():.3f} s: {story}")
            self._trace.event("allowed-loss", partition=f"{key[0]}-{key[1]}", story=story)
            # From here on only the surviving replicas' logs count.
            partition = self._metadata.image.partition(*key)
            leader = partition.leader if partition is not None else -1
            mirror = self._logs.replica(f"n{leader}", key)
            truth.batches = {
                base: batch
                for base, batch in truth.batches.items()
                if mirror is not None
                and (found := mirror.find(base)) is not None
                and found.crc == batch.crc
            }
            truth.order = sorted(truth.batches)
            truth.end = max((b.last_offset + 1 for b in truth.batches.values()), default=0)
            return
        self._report(name, story, about=about)

    # At the end.

    def compare_all(self, image: MetadataImage) -> None:
        """Everything has healed: all replicas of a partition are equal, batch by batch."""
        for topic, index, partition in image.partitions():
            key = (topic.name, index)
            mirrors = [
                mirror
                for broker_id in partition.isr
                if (mirror := self._logs.replica(f"n{broker_id}", key)) is not None
            ]
            if not mirrors:
                continue
            start = max(self.truth(key).start, *(mirror.start_offset for mirror in mirrors))
            end = min(mirror.end_offset for mirror in mirrors)
            views = [_view(mirror, start, end) for mirror in mirrors]
            self.looks("replicas-differ")
            for mirror, view in zip(mirrors[1:], views[1:], strict=True):
                if view != views[0]:
                    self._report(
                        "replicas-differ",
                        f"after all has healed, {mirror.host} and {mirrors[0].host} hold different"
                        f" logs of {key[0]}-{key[1]} between offsets {start} and {end}:"
                        f" {_first_difference(views[0], view)}",
                        about=About(key, node=mirror.host, other=mirrors[0].host),
                    )
                    return
            if partition.has_leader:
                self._check_holder(key, self.truth(key), partition.leader, "ended as leader")


def _view(mirror: ReplicaMirror, start: int, end: int) -> list[tuple[int, ...]]:
    """(base, last, epoch, crc) of the batches between two offsets, as they were first written."""
    batches = [each.batch for each in reversed(mirror.stands_for())] or mirror.batches()
    return [batch[1:5] for batch in batches if start <= batch.base_offset < end]


def _first_difference(one: Sequence[tuple[int, ...]], other: Sequence[tuple[int, ...]]) -> str:
    for left, right in zip(one, other, strict=False):
        if left != right:
            return f"(base, last, epoch, crc) {left} and {right}"
    return f"{len(one)} and {len(other)} batches"
