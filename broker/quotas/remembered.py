"""Measurements of many clients, dropped when they are idle. Pure.

Clients choose their ids, so there may be any number: whenever the number has doubled since the last
sweep, idle ones are removed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

_FIRST_SWEEP: Final = 1000


class Measure(Protocol):
    """A rate or a bucket."""

    def is_idle(self, now_ms: int) -> bool:
        """Whether a new one would behave the same from now on."""
        ...


K = TypeVar("K")
M = TypeVar("M", bound=Measure)


class Remembered(Generic[K, M]):
    """One measurement for each key."""

    def __init__(self) -> None:
        self._measures: dict[K, M] = {}
        self._sweep_at = _FIRST_SWEEP

    def get(self, key: K, now_ms: int, make: Callable[[], M]) -> M:
        """The measurement of that key, created if there is none."""
        measure = self._measures.get(key)
        if measure is None:
            if len(self._measures) >= self._sweep_at:
                self._sweep(now_ms)
            measure = self._measures[key] = make()
        return measure

    def clear(self) -> None:
        """Remove all."""
        self._measures.clear()

    def __len__(self) -> int:
        return len(self._measures)

    def _sweep(self, now_ms: int) -> None:
        self._measures = {k: each for k, each in self._measures.items() if not each.is_idle(now_ms)}
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._measures))
