"""The last offset of each key in the section that is being cleaned, within a memory limit.

Short keys are stored unchanged; longer ones as a 32-byte digest, which no short key can equal.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from hashlib import blake2b
from typing import Final

ENTRY_BYTES: Final = 160
"""The memory of a key of some 20 bytes with its offset, in a growing dictionary."""

SHORT: Final = 32


def fingerprint(key: bytes) -> bytes:
    """The stored form of a key."""
    return key if len(key) < SHORT else blake2b(key, digest_size=SHORT).digest()


class OffsetMap:
    """Offsets by key. `latest` is the last offset that the map covers; -1 for none."""

    __slots__ = ("capacity", "latest", "offsets", "survivors", "tombstones")

    def __init__(self, buffer_bytes: float) -> None:
        self.capacity = max(1, int(buffer_bytes / ENTRY_BYTES))
        self.offsets: dict[bytes, int] = {}
        """Keyed by `fingerprint`."""
        self.latest = -1
        self.tombstones: set[int] = set()
        """Base offsets of the section's batches that have a record without a value."""
        self.survivors = array("q")
        """The section's remaining offsets, ascending, once it is complete: no key is looked up."""

    @property
    def is_full(self) -> bool:
        """Whether another key would exceed the bound."""
        return len(self.offsets) >= self.capacity

    def complete(self) -> None:
        """The section was read completely."""
        self.survivors = array("q", sorted(self.offsets.values()))

    def places_of(self, first: int, last: int) -> tuple[int, int]:
        """The range of `survivors` with the offsets from `first` to `last`, all in the section."""
        start = bisect_left(self.survivors, first)
        return start, bisect_right(self.survivors, last, start)

    def survivors_in(self, first: int, last: int) -> array[int]:
        """The offsets from `first` to `last`, all in the section, that stay."""
        start, end = self.places_of(first, last)
        return self.survivors[start:end]
