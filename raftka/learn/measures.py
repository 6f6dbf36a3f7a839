"""A run in three figures: how long an election took, how long partitions were without a leader, and
how many acknowledged records nobody has any longer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_DEATHS: Final = ("kill", "power-loss", "pause", "crashed", "stopped", "shutdown", "cut", "isolate")


def measures(events: Iterable[Mapping[str, Any]]) -> dict[str, float | int | None]:
    """`election_s`: from the last blow to the election that followed it, the longest of a run;
    `outage_s`: the longest time between two acknowledgements after the first blow;
    `lost`: acknowledged offsets that the last leader of their partition lacks in the end.
    """
    blow: float | None = None
    first_blow: float | None = None
    election = outage = 0.0
    last_ack: float | None = None
    acked: dict[str, int] = {}
    ends: dict[tuple[str, str], int] = {}
    leaders: dict[str, str] = {}
    rewritten: dict[str, int] = {}
    for event in events:
        kind, t = event["kind"], event["t"]
        if kind in _DEATHS:
            blow = t if blow is None else blow
            first_blow = t if first_blow is None else first_blow
        elif kind == "leader-elected" and event["leader"] >= 0:
            partition = event["partition"]
            before = leaders.get(partition)
            leaders[partition] = f"n{event['leader']}"
            if before is not None and blow is not None:
                election, blow = max(election, t - blow), None
            end = ends.get((leaders[partition], partition), 0)
            missing = acked.get(partition, 0) - end
            if missing > 0:
                rewritten[partition] = max(rewritten.get(partition, 0), missing)
        elif kind == "append":
            ends[event["node"], event["partition"]] = event["last_offset"] + 1
        elif kind == "truncate":
            ends[event["node"], event["partition"]] = event["offset"]
        elif kind == "wipe":
            for node, partition in list(ends):
                if node == event["node"]:
                    ends[node, partition] = 0
        elif kind == "ack":
            if first_blow is not None and last_ack is not None:
                outage = max(outage, t - last_ack)
            last_ack = t
            acked[event["partition"]] = max(acked.get(event["partition"], 0), event["offset"] + 1)
    return {
        "election_s": round(election, 6) if election else None,
        "outage_s": round(outage, 6),
        "lost": sum(rewritten.values()),
    }
