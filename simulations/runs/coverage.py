"""The faults and rare situations that a batch of runs has reached, and those that it has not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from raftka.simulations.faults.table import FAULTS
from raftka.simulations.runs.report import table

SITUATIONS: Final = (
    "ISR of one",
    "ELR in use",
    "leader from the ELR",
    "partition without a leader",
    "ISR change held up",
    "ISR change held up while its replica lags",
    "ISR shrink held up",
    "follower returns to a successor with a longer log",
    "two failovers in a row",
    "former leader leads again",
    "a log has two tails that its leader has not",
    "a leader was replaced while producers waited",
    "power lost after a truncation",
    "consumer read from a follower",
    "batch answered again",
    "batch answered again by another leader",
    "follower truncated",
    "truncation during an election",
    "election during reassignment",
    "reassignment finished",
    "crash in mid-reassignment",
    "crash while recovering",
    "metadata snapshot written",
    "metadata snapshot loaded",
    "metadata snapshot installed from the leader",
    "records deleted by an administrator",
    "records deleted while followers lag",
    "deletion beyond the high watermark asked for",
    "batch that lies refused",
    "voter added",
    "voter removed",
    "leader removed itself",
    "broker joined",
    "broker left",
    "node gave up",
    "damaged journal refused",
    "partition lost with its disks",
)


def never_reached(faults: Mapping[str, int], reached: Mapping[str, int]) -> list[str]:
    """Faults that are drawn and rare situations that never came up."""
    drawn = [kind for kind, each in FAULTS.items() if each.chance > 0]
    never = [kind for kind in drawn if not faults.get(kind)]
    return never + [name for name in SITUATIONS if not reached.get(name)]


def table_of(
    faults: Mapping[str, int], seeds_with: Mapping[str, int], reached: Mapping[str, int], seeds: int
) -> str:
    """The tables of faults and of rare situations, as text."""
    rows: list[tuple[object, ...]] = [("fault", "times", "seeds")]
    rows += [(kind, faults.get(kind, 0), seeds_with.get(kind, 0)) for kind in FAULTS]
    others: list[tuple[object, ...]] = [("situation", "seeds")]
    names = [*SITUATIONS, *sorted(set(reached) - set(SITUATIONS))]
    others += [(name, reached.get(name, 0)) for name in names]
    never = never_reached(faults, reached)
    lines = [table(rows), "", table(others)]
    if never and seeds >= 100:
        lines += ["", f"never reached in {seeds} seeds: {', '.join(never)}"]
    return "\n".join(lines)
