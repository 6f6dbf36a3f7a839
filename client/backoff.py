"""Pauses between attempts: they double up to a limit, with random jitter (KIP-580)."""

from __future__ import annotations

from dataclasses import dataclass

from raftka.model.ports import Dice

_SPREAD = 0.2


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait before each further attempt."""

    first_s: float
    longest_s: float
    dice: Dice

    def pause(self, failures: int) -> float:
        """The pause after so many failures in a row; 0 after none."""
        if failures <= 0:
            return 0.0
        pause = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 32))
        return pause * self.dice.uniform(1 - _SPREAD, 1 + _SPREAD)
