"""A member's acknowledgements of delivered records, until the broker has received them. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple


class AcknowledgeType(enum.IntEnum):
    """The outcome of a record; the values are those of ShareAcknowledge."""

    ACCEPT = 1
    """Accept: the record was processed."""
    RELEASE = 2
    """Release: the broker delivers it to another member, or to this one again."""
    REJECT = 3
    """Reject: it cannot be processed and is not delivered again."""
    RENEW = 4
    """Renew: processing takes longer, so this member keeps the record (KIP-1222)."""


GAP = 0
"""There is no record at that offset."""


class Said(NamedTuple):
    """Consecutive offsets, and the acknowledgement of each."""

    first: int
    last: int
    types: tuple[int, ...]


class Acknowledgements:
    """One partition's delivered offsets and their acknowledgements."""

    __slots__ = ("_open", "_said")

    def __init__(self) -> None:
        self._open: dict[int, None] = {}
        self._said: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._said)

    @property
    def open_offsets(self) -> list[int]:
        """Delivered offsets without an acknowledgement."""
        return list(self._open)

    def deliver(self, offsets: Iterable[int], missing: Iterable[int]) -> None:
        """These offsets were acquired; those in `missing` have no record."""
        self._open |= dict.fromkeys(offsets)
        for offset in missing:
            self._said[offset] = GAP

    def say(self, offset: int, kind: int) -> bool:
        """Whether the offset was open; a record that is renewed stays so."""
        if offset not in self._open:
            return False
        if kind != AcknowledgeType.RENEW:
            del self._open[offset]
        self._said[offset] = kind
        return True

    def forget(self) -> None:
        """Another broker leads the partition: it delivers unacknowledged records again."""
        self._open.clear()
        self._said.clear()

    def take(self) -> list[Said]:
        """The acknowledgements to send now."""
        said, self._said = self._said, {}
        found: list[Said] = []
        for offset in sorted(said):
            kind = said[offset]
            if found and found[-1].last + 1 == offset:
                before = found[-1]
                found[-1] = Said(before.first, offset, (*before.types, kind))
            else:
                found.append(Said(offset, offset, (kind,)))
        return [
            each._replace(types=each.types[:1]) if len(set(each.types)) == 1 else each
            for each in found
        ]
