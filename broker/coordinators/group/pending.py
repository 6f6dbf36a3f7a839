"""Offsets that are committed in a transaction which is still open (KIP-98). Pure.

They count when their transaction commits, and are forgotten when it aborts. Until then a reader who
asks for stable offsets must retry (KIP-447). Of several commits for one partition, in
transactions or without, the one that came last in the log counts, in whatever order the
transactions end.
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
    """Counts up in the order of the log."""
    overtaken: bool = False
    """A later commit counts already."""


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
        """Whether a transaction is open that has an offset there."""
        return position in self._producers_at

    def of_group(self, group: str) -> list[Position]:
        """Where a group has offsets of open transactions."""
        return list(self._positions_of.get(group, ()))

    def of_topic(self, topic: str) -> list[Position]:
        """Where offsets of open transactions are for a topic."""
        return [each for each in self._producers_at if each.topic == topic]

    def add(self, producer_id: int, position: Position, value: OffsetCommitValue) -> None:
        """An offset joins its producer's transaction; its later one replaces an earlier."""
        self._number += 1
        found = self._of_producer.setdefault(producer_id, {})
        found[position] = PendingOffset(value, self._number)
        self._producers_at.setdefault(position, {})[producer_id] = None
        self._positions_of.setdefault(position.group, {})[position] = None

    def overtake(self, position: Position, number: int | None = None) -> None:
        """A commit counts by now that came after those before `number`, or after all so far."""
        for producer_id in self._producers_at.get(position, ()):
            pending = self._of_producer[producer_id][position]
            if number is None or pending.number < number:
                pending.overtaken = True

    def end(
        self, producer_id: int, *, commit: bool
    ) -> Iterator[tuple[Position, OffsetCommitValue]]:
        """The transaction is over; the offsets that count from now on."""
        for position, pending in self._of_producer.pop(producer_id, {}).items():
            self._forget(producer_id, position)
            if commit and not pending.overtaken:
                self.overtake(position, pending.number)
                yield position, pending.value

    def drop(self, position: Position) -> bool:
        """Forget what is pending there, of all producers; whether there was something."""
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
