"""The commit latency of recent proposals, for metrics."""

from __future__ import annotations

from collections import deque
from typing import Final

_WINDOW_S: Final = 60.0
_MOST: Final = 1000


class CommitLatency:
    """Proposals that this node committed as leader in the last minute, at most a thousand."""

    def __init__(self) -> None:
        self._commits: deque[tuple[float, float]] = deque(maxlen=_MOST)
        """(time of the commit, latency), in monotonic seconds"""

    def record(self, began_s: float, now_s: float) -> None:
        """A proposal made at `began_s` is committed."""
        self._commits.append((now_s, now_s - began_s))

    def mean_s(self, now_s: float) -> float:
        """The mean in seconds; 0 without a commit."""
        found = self._recent(now_s)
        return sum(found) / len(found) if found else 0.0

    def most_s(self, now_s: float) -> float:
        """The maximum in seconds; 0 without a commit."""
        return max(self._recent(now_s), default=0.0)

    def _recent(self, now_s: float) -> list[float]:
        return [took for at, took in self._commits if at > now_s - _WINDOW_S]
