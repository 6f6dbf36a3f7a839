"""Logs agree where they must: before a copied batch, and below a high watermark.

Two properties hold at every moment, long before an election or a client could expose a breach:

- A batch of a leader epoch has one predecessor. A replica that copied it has copied the one before
  (Raft's log matching, which KIP-101 and KIP-320 bring to partitions).
- A high watermark covers only committed records. A broker serves consumers up to the one that it
  reports, as leader or as a nearby follower (KIP-392), and restarts with the one that it writes
  (replication-offset-checkpoint). No replica's high watermark is beyond its own log end.
"""

from __future__ import annotations

from bisect import bisect_left

from raftka.simulations.checkers.looks import Looks
from raftka.simulations.checkers.replicas import ReplicaChecker, Truth
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Batch, Key, PartitionLogs, ReplicaMirror
from raftka.simulations.violation import About, Report

_CHECKPOINT = "/replication-offset-checkpoint"


class AgreementChecker:
    """Watches appends and checkpoints of high watermarks on all disks."""

    def __init__(
        self,
        metadata: ObservedMetadata,
        logs: PartitionLogs,
        replicas: ReplicaChecker,
        report: Report,
    ) -> None:
        """`replicas` knows what clients learned, and which partitions are excused."""
        self.looks = Looks()
        self._metadata = metadata
        self._logs = logs
        self._replicas = replicas
        self._report = report
        self._agreed: dict[tuple[str, Key], int] = {}
        """The offset up to which each replica's log was found to match what clients know."""
        logs.on_append.append(self._appended)

    def forget(self, topic: str) -> None:
        """The topic was deleted."""
        for place in [place for place in self._agreed if place[1][0] == topic]:
            del self._agreed[place]

    # Appends.

    def _appended(self, replica: ReplicaMirror, batches: list[Batch]) -> None:
        """Before a batch that it copied, a follower has the same batches as its leader."""
        key, first = replica.key, batches[0]
        self._forget_after(replica, first.base_offset)
        partition = self._metadata.image.partition(*key)
        leader = f"n{partition.leader}" if partition is not None else replica.host
        if leader == replica.host or not first.base_offset:
            return
        source = self._logs.replica(leader, key)
        if source is None:
            return
        copied = source.find(first.base_offset)
        if copied is None or copied[1:5] != first[1:5]:
            return
        ours, theirs = (each.find(first.base_offset - 1) for each in (replica, source))
        if ours is None or theirs is None or self._excused(key, replica.host, leader):
            return
        if first.base_offset <= self._replicas.truth(key).start:
            return  # Deleted on purpose: what is before the leader's log start is not compared.
        self.looks("divergent-append")
        if ours[1:5] != theirs[1:5]:
            self._report(
                "divergent-append",
                f"{replica.host} copies the batch at offset {first.base_offset} of"
                f" {key[0]}-{key[1]} (leader epoch {first.epoch}) from {leader}, but the logs have"
                f" parted before it: {replica.host} has offsets {ours.base_offset} to"
                f" {ours.last_offset} of epoch {ours.epoch}, {leader} has {theirs.base_offset} to"
                f" {theirs.last_offset} of epoch {theirs.epoch}",
                about=About(key, first.base_offset - 1, node=replica.host, other=leader),
            )

    def _forget_after(self, replica: ReplicaMirror, offset: int) -> None:
        """A truncation removed records that were compared already: compare again from there."""
        place = (replica.host, replica.key)
        if self._agreed.get(place, 0) > offset:
            self._agreed[place] = offset

    def _excused(self, key: Key, *hosts: str) -> bool:
        truth = self._replicas.truth(key)
        lost = any(int(host[1:]) in truth.losers for host in hosts)
        return lost or self._replicas.promises_nothing(key)

    # High watermarks.

    def watch(self, host: str, path: str) -> CheckpointFile | None:
        """The watcher for a new file, if it will become a checkpoint of high watermarks."""
        return CheckpointFile(self, host) if path.endswith(_CHECKPOINT + ".tmp") else None

    def claimed(self, host: str, key: Key, high_watermark: int, how: str) -> None:
        """A broker claims that one of its replicas is committed up to an offset: `how`."""
        truth = self._replicas.truths.get(key)
        mirror = self._logs.replica(host, key)
        if truth is None or mirror is None or self._excused(key, host):
            return
        self.looks("high-watermark-beyond-log-end", "uncommitted-below-high-watermark")
        if high_watermark > mirror.end_offset:
            self._report(
                "high-watermark-beyond-log-end",
                f"{host} {how} {high_watermark} as the high watermark of {key[0]}-{key[1]}, and its"
                f" own log ends at {mirror.end_offset}: what is between it does not have",
                about=About(key, mirror.end_offset, node=host),
            )
            return
        place = (host, key)
        end = min(high_watermark, truth.end)
        begin = max(truth.start, self._agreed.get(place, 0))
        for number in range(bisect_left(truth.order, begin), bisect_left(truth.order, end)):
            batch = truth.batches[truth.order[number]]
            found = mirror.find(batch.base_offset)
            if found is not None and found.crc != batch.crc:
                self._believed_too_early(host, key, f"{how} {high_watermark}", truth, batch, found)
                return
        self._agreed[place] = max(begin, end)

    def _believed_too_early(
        self, host: str, key: Key, claim: str, truth: Truth, batch: Batch, found: Batch
    ) -> None:
        self._report(
            "uncommitted-below-high-watermark",
            f"{host} {claim} as the high watermark of {key[0]}-{key[1]}: all before it is"
            f" committed. But its log has offsets {found.base_offset} to {found.last_offset} of"
            f" leader epoch {found.epoch} where offset {batch.base_offset} is a record of leader"
            f" epoch {batch.epoch}, which {truth.witnesses[batch.base_offset]}",
            about=About(key, batch.base_offset, node=host),
        )


class CheckpointFile:
    """Watches a checkpoint of high watermarks: written at once, and renamed when durable."""

    def __init__(self, checker: AgreementChecker, host: str) -> None:
        self._checker = checker
        self._host = host

    def wrote(self, offset: int, data: bytes) -> None:
        # A version and a count, then one line for each partition. A failed write may have left an
        # incomplete line, which claims nothing.
        for line in data.decode("ascii").split("\n")[2:-1]:
            topic, index, mark = line.split()
            self._checker.claimed(self._host, (topic, int(index)), int(mark), "writes down")

    def truncated(self, size: int) -> None:
        """The previous contents are being replaced."""

    def synced(self) -> None:
        """Its claims were checked when they were written."""

    def replaced(self, data: bytes) -> None:
        """By a power loss; the broker reads it when it starts."""

    def renamed(self, path: str) -> None:
        """It is complete."""

    def removed(self) -> None:
        """Its contents were moved."""
