"""Offsets that were committed in a transaction that is still open (KIP-98). Pure.

They take effect when their transaction commits, and are dropped when it aborts. Until then a reader
of stable offsets must retry (KIP-447). Of several commits for one partition, transactional or not,
the last one in the log counts, in whatever order the transactions end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import NamedTuple

from raftka.model.dataclass import dataclass
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue


class Position(NamedTuple):
    """A partition that a group reads."""

    group: str
    topic: str
    partition: int


@dataclass(slots=True)
class PendingOffset:
    """An offset of an open transaction."""

    value: OffsetCommitValue
    number: int
    """Increases in the order of the log."""
    overtaken: bool = False
    """Whether a later commit already took effect."""


@dataclass(slots=True)
class PendingOffsets:
    """The offsets of all open transactions of one shard."""

    _of_producer: dict[int, dict[Position, PendingOffset]] = field(default_factory=dict)
    _producers_at: dict[Position, dict[int, None]] = field(default_factory=dict)
    _positions_of: dict[str, dict[Position, None]] = field(default_factory=dict)
    """By group."""
    _number: int = 0

    def __len__(self) -> int:
        return sum(map(len, self._of_producer.values()))

    def __contains__(self, position: Position) -> bool:
        """Whether an open transaction has an offset there."""
        return position in self._producers_at

    def of_group(self, group: str) -> list[Position]:
        """The partitions in which a group has offsets of open transactions."""
        return list(self._positions_of.get(group, ()))

    def of_topic(self, topic: str) -> list[Position]:
        """The positions of a topic with offsets of open transactions."""
        return [each for each in self._producers_at if each.topic == topic]

    def add(self, producer_id: int, position: Position, value: OffsetCommitValue) -> None:
        """Add an offset to its producer's transaction, replacing an earlier one."""
        self._number += 1
        found = self._of_producer.setdefault(producer_id, {})
        found[position] = PendingOffset(value, self._number)
        self._producers_at.setdefault(position, {})[producer_id] = None
        self._positions_of.setdefault(position.group, {})[position] = None

    def overtake(self, position: Position, number: int | None = None) -> None:
        """A commit took effect: it overtakes those before `number`, or all so far."""
        for producer_id in self._producers_at.get(position, ()):
            pending = self._of_producer[producer_id][position]
            if number is None or pending.number < number:
                pending.overtaken = True

    def end(
        self, producer_id: int, *, commit: bool
    ) -> Iterator[tuple[Position, OffsetCommitValue]]:
        """End the transaction; return the offsets that take effect."""
        for position, pending in self._of_producer.pop(producer_id, {}).items():
            self._forget(producer_id, position)
            if commit and not pending.overtaken:
                self.overtake(position, pending.number)
                yield position, pending.value

    def drop(self, position: Position) -> bool:
        """Drop the pending offsets there, of all producers; return whether there were any."""
        producers = list(self._producers_at.get(position, ()))
        for producer_id in producers:
            found = self._of_producer[producer_id]
            del found[position]
            if not found:
                del self._of_producer[producer_id]
            self._forget(producer_id, position)
        return bool(producers)

    def _forget(self, producer_id: int, position: Position) -> None:
        producers = self._producers_at[position]
        del producers[producer_id]
        if producers:
            return
        del self._producers_at[position]
        positions = self._positions_of[position.group]
        del positions[position]
        if not positions:
            del self._positions_of[position.group]
