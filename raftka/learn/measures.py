"""A run in three figures: how long an election took, how long partitions were without a leader, and
how many acknowledged records no node has any longer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_DEATHS: Final = ("kill", "power-loss", "pause", "crashed", "stopped", "shutdown", "cut", "isolate")

KINDS: Final = frozenset((*_DEATHS, "leader-elected", "append", "truncate", "wipe", "ack"))
"""What the figures are counted from."""


class Figures:
    """Computes the figures of a run from its events."""

    def __init__(self) -> None:
        self._blow: float | None = None
        self._first_blow: float | None = None
        self._election = self._outage = 0.0
        self._last_ack: float | None = None
        self._acked: dict[str, int] = {}
        self._ends: dict[tuple[str, str], int] = {}
        self._leaders: dict[str, str] = {}
        self._rewritten: dict[str, int] = {}

    def take(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Take the next events."""
        for event in events:
            self._event(event, event["kind"], event["t"])

    def told(self) -> dict[str, float | int | None]:
        """See `measures`."""
        return {
            "election_s": round(self._election, 6) if self._election else None,
            "outage_s": round(self._outage, 6),
            "lost": sum(self._rewritten.values()),
        }

    def _event(self, event: Mapping[str, Any], kind: str, t: float) -> None:
        if kind in _DEATHS:
            self._blow = t if self._blow is None else self._blow
            self._first_blow = t if self._first_blow is None else self._first_blow
        elif kind == "leader-elected" and event["leader"] >= 0:
            self._elected(event, t)
        elif kind == "append":
            self._ends[event["node"], event["partition"]] = event["last_offset"] + 1
        elif kind == "truncate":
            self._ends[event["node"], event["partition"]] = event["offset"]
        elif kind == "wipe":
            for node, partition in list(self._ends):
                if node == event["node"]:
                    self._ends[node, partition] = 0
        elif kind == "ack":
            if self._first_blow is not None and self._last_ack is not None:
                self._outage = max(self._outage, t - self._last_ack)
            self._last_ack = t
            partition = event["partition"]
            self._acked[partition] = max(self._acked.get(partition, 0), event["offset"] + 1)

    def _elected(self, event: Mapping[str, Any], t: float) -> None:
        partition = event["partition"]
        before = self._leaders.get(partition)
        self._leaders[partition] = f"n{event['leader']}"
        if before is not None and self._blow is not None:
            self._election, self._blow = max(self._election, t - self._blow), None
        end = self._ends.get((self._leaders[partition], partition), 0)
        missing = self._acked.get(partition, 0) - end
        if missing > 0:
            self._rewritten[partition] = max(self._rewritten.get(partition, 0), missing)


def measures(events: Iterable[Mapping[str, Any]]) -> dict[str, float | int | None]:
    """`election_s`: from the last blow to the election that followed it, the longest of a run;
    `outage_s`: the longest time between two acknowledgements after the first blow;
    `lost`: acknowledged offsets that the last leader of their partition lacks in the end.
    """
    figures = Figures()
    figures.take(events)
    return figures.told()
