"""One kind of quota on a rate: bytes produced, bytes fetched, time of requests (KIP-13, KIP-124).

Pure: the caller says what time it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from raftka.broker.quotas.limits import Limit, Limits, Share
from raftka.broker.quotas.rates import MOST_THROTTLE_MS, Rate, Windows
from raftka.broker.quotas.remembered import Remembered
from raftka.kraft.sections.client_quotas import QuotaEntity

_MOST_FOUND: Final = 10_000
"""Clients whose limits are kept at hand."""


class ClientRates:
    """What each share of the quotas of kind `key` has used lately, and how long it must wait."""

    def __init__(self, key: str, windows: Windows, longest_ms: int = MOST_THROTTLE_MS) -> None:
        """No throttle time is above `longest_ms`."""
        self._key = key
        self._windows = windows
        self._longest_ms = longest_ms
        self._limits = Limits({}, key)
        self._found: dict[tuple[str, str], Limit | None] = {}
        self._rates: Remembered[Share, Rate] = Remembered()
        self.is_active = False
        """Whether anybody has such a quota."""

    def follow(self, quotas: Mapping[QuotaEntity, Mapping[str, float]]) -> None:
        """Take the quotas as they are now; what was used stays counted."""
        self._limits = Limits(quotas, self._key)
        self._found.clear()
        self.is_active = bool(self._limits)
        if not self.is_active:
            self._rates.clear()

    def record(self, user: str, client_id: str, value: float, now_ms: int) -> int:
        """Count what a client uses; for how many milliseconds it must be throttled."""
        limit = self._limit(user, client_id)
        if limit is None:
            return 0
        rate = self._rate(limit.share, now_ms)
        rate.record(value, now_ms)
        return min(rate.throttle_ms(limit.value, now_ms), self._longest_ms)

    def take_back(self, user: str, client_id: str, value: float, now_ms: int) -> None:
        """What was counted was not used after all: the answer went out without it."""
        limit = self._limit(user, client_id)
        if limit is not None:
            self._rate(limit.share, now_ms).record(-value, now_ms)

    def most_at_once(self, user: str, client_id: str) -> float | None:
        """More than this is throttled even after silence; None when nothing is."""
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
