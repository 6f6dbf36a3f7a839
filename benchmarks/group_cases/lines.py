"""What a member program prints, one event a line: MICROSECONDS KIND WORDS.

owns GENERATION P,P,...        what the member has from now on; `-`: not shown, nothing
read P OFFSET VALUE            a record of a partition
commit P OFFSET                a commit that is about to be sent
committed P OFFSET             and its success
got P OFFSET COUNT VALUE       a record of a share group, for the which time (0: not shown)
acked P OFFSET                 it was acknowledged, and the broker said so
note ...                       what a client complains about
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Event(NamedTuple):
    """One line."""

    at_us: int
    kind: str
    words: tuple[str, ...]

    @property
    def partition(self) -> int:
        """Of every kind but `owns` and `note`."""
        return int(self.words[0])

    @property
    def offset(self) -> int:
        """Of every kind but `owns` and `note`."""
        return int(self.words[1])

    @property
    def owned(self) -> frozenset[int]:
        """Of `owns`."""
        return frozenset(map(int, self.words[1].split(","))) if self.words[1] != "-" else _NOTHING

    @property
    def generation(self) -> int | None:
        """Of `owns`; None where the client does not show it."""
        return None if self.words[0] == "-" else int(self.words[0])


_NOTHING: frozenset[int] = frozenset()


@dataclass
class Member:
    """All that is known of one member."""

    name: str
    events: list[Event] = field(default_factory=list)
    pauses_us: list[int] = field(default_factory=list)
    """When it got SIGSTOP: what it believes to own from then on counts only once it says so."""
    died_us: int | None = None
    """When it got SIGKILL."""


def parse(lines: Iterable[str]) -> Iterator[Event]:
    """The events of a member's output; a line that something else printed is left out."""
    for line in lines:
        at, _, rest = line.partition(" ")
        if not at.isdigit() or not line.endswith("\n"):
            continue
        kind, *words = rest.split()
        yield Event(int(at), kind, tuple(words))
