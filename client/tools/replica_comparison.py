"""Compares the replicas of a partition, batch by batch, up to the high watermark. Pure.

Below the high watermark every replica has the same batches: a follower stores the bytes of its
leader. A compacted topic is the exception, because each broker cleans its own replica.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from raftka.client.admin import ReplicaRecords
from raftka.model.ids import TopicPartition
from raftka.model.record_batch import BatchHeader, iter_batches


class Difference(NamedTuple):
    """A sentence about two replicas that differ; `fatal`, which ends all, if their offsets do."""

    words: str
    fatal: bool


class Lag(NamedTuple):
    """A partition, and the distance of its comparison from the high watermark."""

    records: int
    partition: TopicPartition
    offset: int


@dataclass(slots=True)
class Comparison:
    """The progress of the comparison in each partition."""

    offsets: dict[TopicPartition, int]
    """By partition: the offset up to which all replicas were compared."""
    _high: dict[TopicPartition, int] = field(default_factory=dict)

    def compare(
        self, target: TopicPartition, replicas: Mapping[int, ReplicaRecords]
    ) -> list[Difference]:
        """Compare the records of all replicas from `offsets` on, by broker; returns the
        differences. Raises KafkaError CORRUPT_MESSAGE for bytes that are no batch.
        """
        self._high[target] = max(each.high_watermark for each in replicas.values())
        batches = {broker: _committed(each) for broker, each in sorted(replicas.items())}
        found: list[Difference] = []
        while True:
            step = {broker: next(each, None) for broker, each in batches.items()}
            heads = {broker: head for broker, head in step.items() if head is not None}
            if len(heads) < len(step):
                return found
            differences = _differences(target, heads)
            found += differences
            if any(each.fatal for each in differences):
                return found
            self.offsets[target] = next(iter(heads.values())).next_offset

    def skip_to(self, target: TopicPartition, start: int) -> None:
        """Continue at the present log start: retention has deleted the next records."""
        self.offsets[target] = max(self.offsets[target], start)

    def worst(self) -> Lag:
        """The partition that is furthest behind, among those compared so far."""
        lags = [
            Lag(max(0, high - self.offsets[target]), target, self.offsets[target])
            for target, high in sorted(self._high.items())
        ]
        return max(lags, key=lambda lag: lag.records, default=Lag(-1, TopicPartition("", -1), -1))


def _committed(replica: ReplicaRecords) -> Iterator[BatchHeader]:
    """The batches below the replica's high watermark."""
    for header, _ in iter_batches(replica.records):
        if header.last_offset >= replica.high_watermark:
            return
        yield header


def _differences(target: TopicPartition, heads: Mapping[int, BatchHeader]) -> Sequence[Difference]:
    (first, expected), *others = heads.items()
    found = []
    for broker, head in others:
        if head.last_offset != expected.last_offset:
            words = (
                f"partition {target}: replica {first}'s offset {expected.last_offset} doesn't match"
                f" replica {broker}'s offset {head.last_offset}"
            )
            found.append(Difference(words, fatal=True))
        elif head.crc != expected.crc:
            words = (
                f"partition {target} has unmatched checksum at offset {head.last_offset}; replica"
                f" {first}'s checksum {expected.crc}; replica {broker}'s checksum {head.crc}"
            )
            found.append(Difference(words, fatal=False))
    return found
