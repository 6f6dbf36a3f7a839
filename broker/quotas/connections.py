"""Limits the rate of new connections per address (connection_creation_rate, KIP-612). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from raftka.broker.quotas.rates import Rate, Windows
from raftka.broker.quotas.remembered import Remembered
from raftka.kraft.controller.client_quotas import CONNECTION_CREATION_RATE
from raftka.kraft.sections.client_quotas import IP, QuotaEntity

_EVERYBODY: Final[QuotaEntity] = ((IP, None),)


class ConnectionRates:
    """The rates of new connections, by address."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._limits: dict[QuotaEntity, float] = {}
        self._rates: Remembered[str, Rate] = Remembered()
        self.is_active = False
        """Whether any address has such a quota."""

    def follow(self, quotas: Mapping[QuotaEntity, Mapping[str, float]]) -> None:
        """Apply new quotas."""
        self._limits = {
            entity: values[CONNECTION_CREATION_RATE]
            for entity, values in quotas.items()
            if CONNECTION_CREATION_RATE in values
        }
        self.is_active = bool(self._limits)
        if not self.is_active:
            self._rates.clear()

    def open(self, address: str, now_ms: int) -> int:
        """Count a new connection; return 0, or how long to hold it, uncounted, before closing it.
        That is one window at most."""
        limit = self._limits.get(((IP, address),), self._limits.get(_EVERYBODY))
        if limit is None:
            return 0
        rate = self._rates.get(address, now_ms, lambda: Rate(self._windows))
        rate.record(1.0, now_ms)
        wait_ms = rate.throttle_ms(limit, now_ms)
        if wait_ms:
            rate.record(-1.0, now_ms)
        return min(wait_ms, self._windows.window_ms)
