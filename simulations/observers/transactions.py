"""Transactions according to the logs on the disks: which are open, and where and how others ended.

A transaction of a producer begins with its first transactional batch and ends with its marker
(KIP-98). The logs are followed batch by batch, and read again from the disk after a truncation or a
loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from raftka.simulations.observers.partition_log import Batch, Key, PartitionLogs, ReplicaMirror

_HEADER_BYTES: Final = 61
"""The size of a batch without records."""


class Ended(NamedTuple):
    """A transaction that has its marker."""

    first_offset: int
    marker_offset: int


@dataclass
class LogState:
    """The producers' state according to one replica's log."""

    open: dict[int, int] = field(default_factory=dict)
    """First offsets of open transactions, by producer id."""
    ended: list[Ended] = field(default_factory=list)
    epochs: dict[int, int] = field(default_factory=dict)
    """The last epoch of each producer."""
    coordinators: dict[int, int] = field(default_factory=dict)
    """The coordinator epoch of each producer's last marker."""

    def take(self, batch: Batch) -> str | None:
        """Take the next batch; returns what is wrong with it."""
        producer = batch.producer_id
        if producer < 0:
            return None
        before = self.epochs.get(producer, -1)
        self.epochs[producer] = max(before, batch.producer_epoch)
        if batch.producer_epoch < before:
            what = "a marker" if batch.is_control else "records"
            return f"{what} of epoch {batch.producer_epoch} behind something of epoch {before}"
        if batch.marker is not None:
            known = self.coordinators.get(producer, -1)
            self.coordinators[producer] = max(known, batch.marker.coordinator_epoch)
            if batch.marker.coordinator_epoch < known:
                return (
                    f"a marker of the coordinator of epoch {batch.marker.coordinator_epoch} behind"
                    f" one of epoch {known}"
                )
            first = self.open.pop(producer, None)
            if first is not None:
                self.ended.append(Ended(first, batch.base_offset))
        elif batch.is_transactional and batch.size > _HEADER_BYTES:
            # A batch that a cleaning has emptied opens no transaction.
            self.open.setdefault(producer, batch.base_offset)
        return None

    def first_unstable(self, high_watermark: int) -> int | None:
        """The first offset of a transaction that is open, or whose marker is not committed."""
        firsts = list(self.open.values())
        for first, marker in reversed(self.ended):
            if marker >= high_watermark:
                firsts.append(first)
        return min(firsts, default=None)


Told = Callable[[ReplicaMirror, Batch, str], None]


class TransactionLogs:
    """The transactions in all replicas' logs."""

    def __init__(self, logs: PartitionLogs, wrong: Told) -> None:
        """`wrong` is called with each batch that is out of order, and the reason."""
        self._wrong = wrong
        self._states: dict[tuple[str, Key], LogState] = {}
        self._known: set[Key] = set()
        """Partitions in which there ever was a transaction."""
        self.controls: dict[Key, set[int]] = {}
        """Offsets of markers."""
        logs.on_append.append(self._appended)
        logs.on_shrink.append(self._shrunk)

    def _appended(self, replica: ReplicaMirror, batches: list[Batch]) -> None:
        key = replica.key
        if key not in self._known:
            if not any(batch.is_transactional for batch in batches):
                return
            self._known.add(key)
        for batch in batches:
            if batch.is_control:
                controls = self.controls.setdefault(key, set())
                controls.update(range(batch.base_offset, batch.last_offset + 1))
        state = self._states.get((replica.host, key))
        if state is None:
            self.of(replica)
            return
        for batch in batches:
            if (words := state.take(batch)) is not None:
                self._wrong(replica, batch, words)

    def _shrunk(self, replica: ReplicaMirror) -> None:
        self._states.pop((replica.host, replica.key), None)

    def of(self, replica: ReplicaMirror) -> LogState | None:
        """The producers' state of a replica's log; None where there never was a transaction."""
        if replica.key not in self._known:
            return None
        state = self._states.get((replica.host, replica.key))
        if state is None:
            state = self._states[replica.host, replica.key] = LogState()
            for batch in replica.batches():
                if (words := state.take(batch)) is not None:
                    self._wrong(replica, batch, words)
        return state

    def forget(self, topic: str) -> None:
        """The topic was deleted."""
        self._known = {key for key in self._known if key[0] != topic}
        for place in [place for place in self._states if place[1][0] == topic]:
            del self._states[place]
        for key in [key for key in self.controls if key[0] == topic]:
            del self.controls[key]
