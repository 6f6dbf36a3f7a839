"""What every member program in Python shares: its arguments, its lines, and SIGTERM.

Arguments: BOOTSTRAP TOPIC GROUP PROTOCOL COMMITS SESSION_MS, where PROTOCOL is classic, consumer or
share, COMMITS is auto (what the client does by itself) or hand (after each poll), and SESSION_MS is
0 for the client's own default.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from typing import NamedTuple


class Arguments(NamedTuple):
    """What the driver asks of a member."""

    bootstrap: str
    topic: str
    group: str
    protocol: str
    by_hand: bool
    session_ms: int


def arguments() -> Arguments:
    """Those of this process."""
    bootstrap, topic, group, protocol, commits, session = sys.argv[1:]
    return Arguments(bootstrap, topic, group, protocol, commits == "hand", int(session))


class Stop:
    """True once SIGTERM has come."""

    def __init__(self) -> None:
        self._asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self._asked = True

    def __bool__(self) -> bool:
        return self._asked


def say(kind: str, *words: object) -> None:
    """One line in one write, so that SIGKILL leaves no half of it."""
    line = " ".join(map(str, (time.time_ns() // 1000, kind, *words))) + "\n"
    os.write(1, line.encode())


class Owned:
    """The partitions that a member has, printed whenever a callback changes them."""

    def __init__(self) -> None:
        self.now: set[int] = set()

    def gains(self, generation: object, partitions: Iterable[int]) -> None:
        """Say what the member has from now on."""
        self.now |= set(partitions)
        self._say(generation)

    def loses(self, generation: object, partitions: Iterable[int]) -> None:
        """Say what the member no longer has."""
        self.now -= set(partitions)
        self._say(generation)

    def _say(self, generation: object) -> None:
        say("owns", generation, ",".join(map(str, sorted(self.now))) or "-")
