"""Detects that the quorum's epoch keeps increasing, so that the cause is logged once."""

from __future__ import annotations

from collections import deque
from typing import Final

_EPOCHS: Final = 8
"""More epochs than this within a minute are not ordinary failovers: no leader lasts."""
_WINDOW_S: Final = 60.0


class Unrest:
    """Counts the epochs of the last minute."""

    def __init__(self) -> None:
        self._risen: deque[tuple[float, int]] = deque()
        """(time, new epoch) of the increases in the last minute."""
        self._is_known = False

    def noticed(self, epoch: int, now_s: float) -> str | None:
        """How often the epoch increased lately, once until it is stable again; else None.

        Call it with the current epoch whenever that may have changed; times are monotonic seconds.
        """
        risen = self._risen
        while risen and now_s - risen[0][0] > _WINDOW_S:
            risen.popleft()
        if not risen:
            self._is_known = False
        if risen and risen[-1][1] == epoch:
            return None
        risen.append((now_s, epoch))
        climbed = epoch - risen[0][1]
        if self._is_known or climbed < _EPOCHS:
            return None
        self._is_known = True
        within_s = now_s - risen[0][0]
        return f"the epoch went up {climbed} times within {within_s:.1f} s, to {epoch}"
