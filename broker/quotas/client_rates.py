"""One kind of quota on a rate: bytes produced, bytes fetched, time of requests (KIP-13, KIP-124).

Pure: the caller passes the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from raftka.broker.quotas.limits import Limit, Limits, Share
from raftka.broker.quotas.rates import MOST_THROTTLE_MS, Rate, Windows
from raftka.broker.quotas.remembered import Remembered
from raftka.kraft.sections.client_quotas import QuotaEntity

_MOST_FOUND: Final = 10_000
"""The number of clients whose limits are cached."""


class ClientRates:
    """The usage of each share under quotas of kind `key`, and its throttle time."""

    def __init__(self, key: str, windows: Windows, longest_ms: int = MOST_THROTTLE_MS) -> None:
        """No throttle time exceeds `longest_ms`."""
        self._key = key
        self._windows = windows
        self._longest_ms = longest_ms
        self._limits = Limits({}, key)
        self._found: dict[tuple[str, str], Limit | None] = {}
        self._rates: Remembered[Share, Rate] = Remembered()
        self.is_active = False
        """Whether any client has such a quota."""

    def follow(self, quotas: Mapping[QuotaEntity, Mapping[str, float]]) -> None:
        """Apply new quotas; the measured usage is kept."""
        self._limits = Limits(quotas, self._key)
        self._found.clear()
        self.is_active = bool(self._limits)
        if not self.is_active:
            self._rates.clear()

    def record(self, user: str, client_id: str, value: float, now_ms: int) -> int:
        """Record a client's usage; return its throttle time in milliseconds."""
        limit = self._limit(user, client_id)
        if limit is None:
            return 0
        rate = self._rate(limit.share, now_ms)
        rate.record(value, now_ms)
        return min(rate.throttle_ms(limit.value, now_ms), self._longest_ms)

    def take_back(self, user: str, client_id: str, value: float, now_ms: int) -> None:
        """Undo recorded usage: the answer was sent without it."""
        limit = self._limit(user, client_id)
        if limit is not None:
            self._rate(limit.share, now_ms).record(-value, now_ms)

    def most_at_once(self, user: str, client_id: str) -> float | None:
        """The usage that is throttled even after a long silence; None if there is no limit."""
        limit = self._limit(user, client_id)
        if limit is None:
            return None
        return limit.value * (self._windows.samples - 1) * self._windows.window_ms / 1000

    def _limit(self, user: str, client_id: str) -> Limit | None:
        who = (user, client_id)
        if who in self._found:
            return self._found[who]
        if len(self._found) >= _MOST_FOUND:
            self._found.clear()
        found = self._found[who] = self._limits.find(user, client_id)
        return found

    def _rate(self, share: Share, now_ms: int) -> Rate:
        return self._rates.get(share, now_ms, lambda: Rate(self._windows))
