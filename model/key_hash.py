"""The partition of an internal topic for a group, a transactional id or a share-partition.

Kafka takes the absolute value of Java's String.hashCode modulo the number of partitions (checked
against Apache Kafka 4.4.0 for ids with a positive and with a negative hash).
"""

from __future__ import annotations

from typing import Final

_INT_BITS: Final = 1 << 32
_INT_MIN: Final = -(1 << 31)


def java_hash(text: str) -> int:
    """Java's String.hashCode: a signed 32-bit number over UTF-16 code units."""
    units = text.encode("utf-16-be", "surrogatepass")
    code = 0
    for high, low in zip(units[::2], units[1::2], strict=True):
        code = (31 * code + (high << 8 | low)) & 0xFFFFFFFF
    return code - _INT_BITS if code >> 31 else code


def partition_of_key(key: str, partition_count: int) -> int:
    """The partition of a group, a transactional id or a share partition, of `partition_count`."""
    code = java_hash(key)
    # The minimal integer has no absolute value in 32 bits; Kafka uses 0.
    return 0 if code == _INT_MIN else abs(code) % partition_count
