"""The records that were appended to a compacted partition, whatever cleanings have left.

A batch of a leader epoch has one predecessor in every log that has it (Raft's log matching, which
KIP-101 brings to partitions). So the batches of all replicas are a tree, and the last batch of a
log determines the log's original records, cleaned or not. Each replica cleans by itself: the bytes
may differ, the last value of each key must not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from raftka.simulations.observers.batch_contents import (
    CONTROL,
    DELETE_HORIZON,
    TRANSACTIONAL,
    Entry,
    Marker,
    entries,
)

Key = tuple[str, int]
"""Topic and partition."""


class Batch(NamedTuple):
    """A batch in a file, by its header."""

    position: int
    base_offset: int
    last_offset: int
    epoch: int
    crc: int
    size: int
    max_timestamp: int
    attributes: int = 0
    first_timestamp: int = 0
    producer_id: int = -1
    producer_epoch: int = -1
    marker: Marker | None = None
    """The end that it marks, if it is the marker of a transaction."""

    @property
    def delete_horizon_ms(self) -> int | None:
        """The delete horizon, if a cleaning has set one."""
        return self.first_timestamp if self.attributes & DELETE_HORIZON else None

    @property
    def is_control(self) -> bool:
        """Whether it holds a marker of a transaction's end."""
        return bool(self.attributes & CONTROL)

    @property
    def is_transactional(self) -> bool:
        """Whether it belongs to a transaction."""
        return bool(self.attributes & TRANSACTIONAL)


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """A batch as its leader wrote it."""

    batch: Batch
    before: Origin | None
    """The previous batch; None where the log began."""
    entries: tuple[Entry, ...]


class Origins:
    """All batches that were ever appended to one partition, by leader epoch."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Origin] = {}
        """By base offset and leader epoch."""
        self._at: dict[int, list[tuple[Origin, Entry]]] = {}
        """Records by offset; more than one where logs have diverged."""
        self._aborted: set[int] = set()
        """Offsets of records whose transactions were aborted: a cleaning drops them."""
        self._latest: dict[bytes, int] = {}
        """The last offset of each key, in whatever epoch."""

    def note(self, batch: Batch, before: Batch | None, data: bytes) -> Batch:
        """A replica has appended a batch after another; returns the batch's original."""
        known = self._known.get((batch.base_offset, batch.epoch))
        if known is None:
            follows = before is not None and before.last_offset + 1 == batch.base_offset
            parent = self.of(before) if before is not None and follows else None
            known = Origin(batch, parent, tuple(entries(data)))
            self._known[batch.base_offset, batch.epoch] = known
            if batch.marker is not None and not batch.marker.commits:
                self._abort(known)
            for entry in known.entries:
                self._at.setdefault(entry.offset, []).append((known, entry))
                if entry.key is not None and not batch.is_control:
                    latest = self._latest.get(entry.key, -1)
                    self._latest[entry.key] = max(latest, entry.offset)
        return known.batch

    def _abort(self, marker: Origin) -> None:
        """All records of its producer since the previous marker were aborted."""
        found = marker.before
        while found is not None:
            batch = found.batch
            if batch.producer_id == marker.batch.producer_id:
                if batch.is_control:
                    return
                self._aborted.update(range(batch.base_offset, batch.last_offset + 1))
            found = found.before

    def of(self, batch: Batch) -> Origin | None:
        """The original of a batch on a disk."""
        return self._known.get((batch.base_offset, batch.epoch))

    def first_written(self, batch: Batch) -> Batch:
        """The original as a batch; a batch that no client has appended is its own."""
        known = self.of(batch)
        return batch if known is None else known.batch

    def back_from(self, batch: Batch) -> Iterator[Origin]:
        """The original batches of the log that ends with this batch, the last one first."""
        found = self.of(batch)
        while found is not None:
            yield found
            found = found.before

    def may_be_gone(self, offset: int) -> bool:
        """Whether a cleaning may have removed the record at an offset: a later record has its key,
        or it has no value or no key, or is a marker, or its transaction was aborted.
        """
        return offset in self._aborted or any(
            origin.batch.is_control
            or entry.key is None
            or entry.value is None
            or self._latest.get(entry.key, -1) > offset
            for origin, entry in self._at.get(offset, ())
        )
