"""The last offset of each key in the section of a log that is being cleaned, within a bound.

Keys are kept as they are while they are short; of longer ones a digest of 32 bytes stands for them,
which no short key can equal.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from hashlib import blake2b
from typing import Final

ENTRY_BYTES: Final = 160
"""What a key of some 20 bytes takes, with its offset and its place in a dictionary that grows."""

SHORT: Final = 32


def fingerprint(key: bytes) -> bytes:
    """What stands for a key."""
    return key if len(key) < SHORT else blake2b(key, digest_size=SHORT).digest()


class OffsetMap:
    """Offsets by key. `latest` is the last offset that the map speaks for; -1 for none."""

    __slots__ = ("capacity", "latest", "offsets", "survivors", "tombstones")

    def __init__(self, buffer_bytes: float) -> None:
        self.capacity = max(1, int(buffer_bytes / ENTRY_BYTES))
        self.offsets: dict[bytes, int] = {}
        """By `fingerprint`."""
        self.latest = -1
        self.tombstones: set[int] = set()
        """Base offsets of the batches in the section that have a record without a value."""
        self.survivors = array("q")
        """The offsets that stay of the section, ascending, once it is complete: what is there needs
        no second look at its key."""

    @property
    def is_full(self) -> bool:
        """Whether another key would exceed the bound."""
        return len(self.offsets) >= self.capacity

    def complete(self) -> None:
        """The section has been read."""
        self.survivors = array("q", sorted(self.offsets.values()))

    def places_of(self, first: int, last: int) -> tuple[int, int]:
        """Where the offsets from `first` to `last`, all of the section, lie in `survivors`."""
        start = bisect_left(self.survivors, first)
        return start, bisect_right(self.survivors, last, start)

    def survivors_in(self, first: int, last: int) -> array[int]:
        """Which of the offsets from `first` to `last`, all of the section, stay."""
        start, end = self.places_of(first, last)
        return self.survivors[start:end]
