"""Limits on a node's connections (max.connections*). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from raftka.model.named_tuple import NamedTuple
from raftka.net.session import host_of


class Limits(NamedTuple):
    """The current settings; they may change while a node runs."""

    total: int
    per_address: int
    overrides: dict[str, int]
    """Limits for specific addresses."""


def parse_overrides(text: str) -> dict[str, int]:
    """Parse max.connections.per.ip.overrides: host:count,..."""
    found = {}
    for item in filter(None, (each.strip() for each in text.split(","))):
        host, _, count = item.rpartition(":")
        found[host.strip("[]")] = int(count)
    return found


class Admission:
    """Counts the connections of all listeners of a node."""

    def __init__(self, limits: Callable[[], Limits]) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        self._total = 0

    def admit(self, peer: str) -> str | None:
        """Count a connection from `peer` (host:port); return the reason if it is refused."""
        limits, address = self._limits(), host_of(peer)
        if self._total >= limits.total:
            return f"max.connections={limits.total} are open"
        most = limits.overrides.get(address, limits.per_address)
        if self._by_address[address] >= most:
            return f"{most} connections from {address} are open (max.connections.per.ip)"
        self._by_address[address] += 1
        self._total += 1
        return None

    def release(self, peer: str) -> None:
        """An admitted connection was closed."""
        address = host_of(peer)
        self._total -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
