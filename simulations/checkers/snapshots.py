"""Snapshots of the metadata: each is compared with the log that it replaces."""

from __future__ import annotations

from collections.abc import Callable

from raftka.kraft.raft.snapshots import MAGIC, CorruptSnapshot, Snapshot
from raftka.simulations.checkers.metadata import MetadataChecker
from raftka.simulations.checkers.raft import RaftChecker
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.voters import voters_of


class SnapshotFile:
    """Watches a metadata snapshot on its way to the disk."""

    def __init__(
        self,
        host: str,
        raft: RaftChecker,
        metadata: ObservedMetadata,
        checker: MetadataChecker,
        note: Callable[[str], None],
    ) -> None:
        self._host = host
        self._raft = raft
        self._metadata = metadata
        self._checker = checker
        self._note = note
        self._data = bytearray()

    def wrote(self, offset: int, data: bytes) -> None:
        self._data[offset : offset + len(data)] = data

    def truncated(self, size: int) -> None:
        del self._data[size:]

    def synced(self) -> None:
        if not self._data.startswith(MAGIC):
            return
        try:
            snapshot = Snapshot.decode(self._data)
        except CorruptSnapshot:
            return
        self._note("metadata snapshot on disk")
        voters = voters_of(snapshot.voters)
        self._raft.snapshot_written(self._host, snapshot.index, voters)
        image = self._metadata.image
        if snapshot.payload and image.offset == snapshot.index:
            self._checker.snapshot_written(self._host, image, snapshot.payload)

    def replaced(self, data: bytes) -> None:
        self._data[:] = data

    def renamed(self, path: str) -> None:
        """It is complete."""

    def removed(self) -> None:
        """Its contents were moved."""
