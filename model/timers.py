"""Timers that decide: an election, a lease, a session, a replica's lag, a delivery, a request.

What writes a trace watches them; in production nothing does, unless a trace is written, and
to fire then costs one comparison. That a timer is set and pushed back is seen on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Fired = Callable[[str, str], None]
"""Takes the name of a timer, and what it was about: a broker or a partition."""


class _Watched:
    """The observers that are notified."""

    by: Fired | None = None


def fired(timer: str, about: str = "") -> None:
    """A timer has run out, and something follows from that."""
    if _Watched.by is not None:
        _Watched.by(timer, about)


def watch(by: Fired) -> None:
    """Notify `by` from now on: a process that writes a trace until it ends."""
    _Watched.by = by


@contextmanager
def watched(by: Fired | None) -> Iterator[None]:
    """Notify `by` while this lasts."""
    before, _Watched.by = _Watched.by, by
    try:
        yield
    finally:
        _Watched.by = before
