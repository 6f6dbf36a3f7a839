"""What is measured of each of many clients, forgotten again once nothing is left of it. Pure.

Clients choose their ids, so there may be any number: whenever there are twice as many as were in
use at the last time, those that are idle are swept out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

_FIRST_SWEEP: Final = 1000


class Measure(Protocol):
    """A rate or a bucket."""

    def is_idle(self, now_ms: int) -> bool:
        """Whether a new one would be the same from here on."""
        ...


K = TypeVar("K")
M = TypeVar("M", bound=Measure)


class Remembered(Generic[K, M]):
    """One measure for each key."""

    def __init__(self) -> None:
        self._measures: dict[K, M] = {}
        self._sweep_at = _FIRST_SWEEP

    def get(self, key: K, now_ms: int, make: Callable[[], M]) -> M:
        """The measure of that key, made when there is none."""
        measure = self._measures.get(key)
        if measure is None:
            if len(self._measures) >= self._sweep_at:
                self._sweep(now_ms)
            measure = self._measures[key] = make()
        return measure

    def clear(self) -> None:
        """Forget all."""
        self._measures.clear()

    def __len__(self) -> int:
        return len(self._measures)

    def _sweep(self, now_ms: int) -> None:
        self._measures = {k: each for k, each in self._measures.items() if not each.is_idle(now_ms)}
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._measures))
