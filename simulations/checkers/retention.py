"""Deletions at the start of logs: only those that a topic's settings or an administrator allow.

Each replica deletes whole segments by its own clock. A deleted record may then be missing
everywhere; one deleted too early, or before it was committed, is lost like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from raftka.simulations.checkers.looks import Looks
from raftka.simulations.checkers.replicas import ReplicaChecker
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import (
    Batch,
    Key,
    PartitionLogs,
    ReplicaMirror,
    SegmentMirror,
)
from raftka.simulations.violation import About, Report


class RetentionChecker:
    """Checks each segment that a broker removes from the front of a log."""

    def __init__(
        self,
        metadata: ObservedMetadata,
        logs: PartitionLogs,
        replicas: ReplicaChecker,
        report: Report,
        *,
        wall_ms: Callable[[str], int],
        min_isr: Callable[[str], int],
        may_begin_at: Callable[[Key, int], None],
    ) -> None:
        """`wall_ms`: a host's clock. `may_begin_at` gets the first offset that must be left."""
        self.looks = Looks()
        self.deleted = 0
        self._metadata = metadata
        self._logs = logs
        self._replicas = replicas
        self._report = report
        self._wall_ms = wall_ms
        self._min_isr = min_isr
        self._may_begin_at = may_begin_at
        self.given_up: dict[Key, int] = {}
        """The offsets below which administrators asked to delete records."""
        self._all: set[Key] = set()
        """Partitions whose committed records are all deleted when the request arrives."""
        logs.on_retired = self._retired
        logs.on_append.append(self._appended)

    def forget(self, topic: str) -> None:
        """The topic was deleted."""
        for key in [key for key in self.given_up if key[0] == topic]:
            del self.given_up[key]
        self._all = {key for key in self._all if key[0] != topic}

    def asked_to_delete(self, key: Key, offset: int) -> None:
        """An administrator requests that a partition begins at `offset`; the outcome is unknown."""
        self.given_up[key] = max(offset, self.given_up.get(key, 0))
        self._may_begin_at(key, offset)

    def may_delete(self, key: Key, offset: int) -> None:
        """A partition may begin at `offset` from now on; it need not."""
        self._may_begin_at(key, offset)

    def asked_to_delete_all(self, key: Key) -> None:
        """An administrator requests to delete all that is committed when the request arrives."""
        self._all.add(key)
        for mirror in self._logs.replicas(key):
            self._may_begin_at(key, mirror.end_offset)

    def deleted_all(self, key: Key, start: int) -> None:
        """Such a deletion was acknowledged, up to `start`."""
        self._all.discard(key)
        self.given_up[key] = max(start, self.given_up.get(key, 0))

    def _appended(self, replica: ReplicaMirror, batches: list[Batch]) -> None:
        if replica.key in self._all:
            self._may_begin_at(replica.key, batches[-1].last_offset + 1)

    def _retired(self, replica: ReplicaMirror, segment: SegmentMirror) -> None:
        key, end = replica.key, segment.end_offset
        partition = self._metadata.image.partition(*key)
        truth = self._replicas.truth(key)
        # Another replica may have deleted as much before, by its clock or a request.
        known = max(truth.start, self.given_up.get(key, 0))
        if partition is None or not segment.batches or end <= known:
            return
        self.looks("deleted-before-committed", "deleted-too-early")
        self.deleted += 1
        excused = int(replica.host[1:]) in truth.losers
        if not excused and not self._replicas.promises_nothing(key):
            self._check(replica, segment, min(self._min_isr(key[0]), len(partition.replicas)))
        self._may_begin_at(key, end)

    def _check(self, replica: ReplicaMirror, segment: SegmentMirror, needed: int) -> None:
        end = segment.end_offset
        what = f"{replica.host} deletes the records of {replica.name} at {segment.base_offset} to"
        what += f" {end - 1}"
        config = self._metadata.image.topic_config(replica.key[0])
        if not self._is_due(replica, segment, config):
            self._report(
                "deleted-too-early",
                f"{what}, which neither its settings {dict(config)} nor an administrator give up"
                f" yet (its clock says {self._wall_ms(replica.host)} ms, the latest is of"
                f" {max(batch.max_timestamp for batch in segment.batches)})",
                about=About(replica.key, end - 1, node=replica.host),
            )
        copies = {m.host for m in self._logs.replicas(replica.key) if m.end_offset >= end}
        copies |= {f"n{each}" for each in self._replicas.truth(replica.key).losers}
        if len(copies) < needed:
            self._report(
                "deleted-before-committed",
                f"{what}, and only {sorted(copies)} ever had them, fewer than {needed}: they are"
                " not committed yet",
                about=About(replica.key, end - 1, node=replica.host),
            )

    def _is_due(
        self, replica: ReplicaMirror, segment: SegmentMirror, config: Mapping[str, str]
    ) -> bool:
        retention_ms = int(config.get("retention.ms", "604800000"))
        latest = max(batch.max_timestamp for batch in segment.batches)
        if 0 <= retention_ms < self._wall_ms(replica.host) - latest:
            return True
        retention_bytes = int(config.get("retention.bytes", "-1"))
        left = sum(batch.size for batch in replica.batches())
        return 0 <= retention_bytes <= left
