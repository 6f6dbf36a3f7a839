"""Chooses the partition of a record.

A record with a key goes where murmur2 of its key says, as with Kafka's Java client, so that both
agree on the partition of a key. Records without a key fill a batch's worth of bytes in one
partition before the next is drawn (KIP-480), such that partitions whose brokers lag get
fewer (KIP-794).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from raftka.model.ports import Dice

_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C
_M = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """The 32-bit hash (unsigned) of a key that Kafka's Java client uses."""
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if length > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_for_key(key: bytes, partitions: int) -> int:
    """The partition of this key when the topic has that many partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


@dataclass(slots=True)
class _Sticky:
    partition: int
    bytes_left: int


@dataclass(slots=True)
class StickyPartitioner:
    """Partitions for records without a key. Pure but for the dice."""

    dice: Dice
    batch_size: int
    adaptive: bool = True
    _current: dict[str, _Sticky] = field(default_factory=dict)

    def stay(self, topic: str, size: int) -> int | None:
        """The partition of the current batch, for one more record of `size` bytes.

        None when it is time to draw another partition.
        """
        sticky = self._current.get(topic)
        if sticky is None or sticky.bytes_left <= 0:
            return None
        sticky.bytes_left -= size
        return sticky.partition

    def draw(self, topic: str, size: int, available: Sequence[int], queued: Sequence[int]) -> int:
        """A partition for the next batch, which a record of `size` bytes begins.

        `available` are the partitions that have a leader (all of them when none has), `queued` the
        number of batches that wait for each.
        """
        sticky = _Sticky(self._draw(available, queued), max(self.batch_size, 1) - size)
        self._current[topic] = sticky
        return sticky.partition

    def _draw(self, available: Sequence[int], queued: Sequence[int]) -> int:
        longest = max(queued)
        if not self.adaptive or longest == min(queued):
            return available[self.dice.randrange(len(available))]
        # KIP-794: the shorter the queue, the larger the share.
        weights = [longest + 1 - count for count in queued]
        point = self.dice.randrange(sum(weights))
        for partition, weight in zip(available, weights, strict=True):
            point -= weight
            if point < 0:
                return partition
        raise AssertionError("the weights sum to more than the point drawn")
