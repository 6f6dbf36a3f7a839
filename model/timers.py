"""Reports fired timers: of elections, leases, sessions, replica lag, deliveries and requests.

A trace observes them; without a trace, firing costs one comparison. Setting and postponing of
timers is visible on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Fired = Callable[[str, str], None]
"""Called with the name of a timer, and its subject: a broker or a partition."""


class _Watched:
    """The observers that are notified."""

    by: Fired | None = None


def fired(timer: str, about: str = "") -> None:
    """A timer has fired, and caused an action."""
    if _Watched.by is not None:
        _Watched.by(timer, about)


def watch(by: Fired) -> None:
    """Notify `by` from now on: for a process that writes a trace until it ends."""
    _Watched.by = by


@contextmanager
def watched(by: Fired | None) -> Iterator[None]:
    """Notify `by` while this lasts."""
    before, _Watched.by = _Watched.by, by
    try:
        yield
    finally:
        _Watched.by = before
