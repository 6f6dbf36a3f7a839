"""Records that were polled for iteration and wait to be yielded one by one. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from raftka.client.consumer.state import ConsumerRecord
from raftka.model.ids import TopicPartition


class Polled:
    """They count as not consumed: neither positions nor commits pass them."""

    def __init__(self) -> None:
        self._records: deque[ConsumerRecord] = deque()

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[ConsumerRecord]:
        return iter(self._records)

    def extend(self, records: Iterable[ConsumerRecord]) -> None:
        self._records.extend(records)

    def next(self) -> ConsumerRecord:
        """Remove and return the first. Raises IndexError when there is none."""
        return self._records.popleft()

    def take(self, limit: int) -> list[ConsumerRecord]:
        """Remove and return up to `limit` of them."""
        count = min(limit, len(self._records))
        return [self._records.popleft() for _ in range(count)]

    def drop(self, target: TopicPartition) -> None:
        """Drop the records of a partition whose position the caller has changed."""
        self._records = deque(r for r in self._records if (r.topic, r.partition) != tuple(target))

    def start(self, target: TopicPartition, position: int) -> int:
        """The offset of the partition's first waiting record, or `position`."""
        held = [r.offset for r in self._records if (r.topic, r.partition) == target]
        return min([position, *held])

    def count(self, target: TopicPartition) -> int:
        """The number of the partition's waiting records."""
        return sum((r.topic, r.partition) == tuple(target) for r in self._records)
