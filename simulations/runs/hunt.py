"""How many seeds it takes to catch a mutation or a control.

Only a violation of safety counts, since most rules protect data. A seed that crashes or merely does
not recover is reported and passed over; for a mutation that breaks liveness, a seed that does not
recover counts, too.
"""

from __future__ import annotations

import sys
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Final, TextIO

from raftka.simulations.mutations import MUTANTS
from raftka.simulations.plan import Options
from raftka.simulations.runs.batch import run_one, words_of
from raftka.simulations.violation import Exit

SEEDS_MAX: Final = 200
"""The number of seeds within which every mutation must be caught."""


@dataclass(frozen=True)
class Catch:
    """The result of a hunt."""

    name: str
    """The name of the mutation or control."""
    tried: int
    first: int
    found: dict[str, Any] | None
    """The run that caught it (simulations.report.as_dict)."""
    last: dict[str, Any]
    """The last run, whatever its outcome."""

    @property
    def seed(self) -> int | None:
        return self.found["seed"] if self.found is not None else None

    def words(self) -> str:
        """The result in one sentence."""
        seeds = f"{self.tried} seed{'s' if self.tried != 1 else ''}"
        if self.found is None:
            return f"{self.name} was NOT caught: safety held in all of {seeds} from {self.first} on"
        name = self.found["violations"][0]["name"]
        return f"{self.name} is caught after {seeds}: {name}, by seed {self.seed}"


def hunt(
    options: Options, *, seeds: int = SEEDS_MAX, commit: str = "", progress: TextIO = sys.stderr
) -> Catch:
    """Run seeds from `options.seed` on, `seeds` of them at most, until safety is violated."""
    name = options.mutation or options.control
    assert name is not None
    mutant = MUTANTS.get(options.mutation or "")
    counts = {Exit.SAFETY} | ({Exit.LIVENESS} if mutant and mutant.is_of_liveness else set())
    found: dict[str, Any] = {}
    for seed in range(options.seed, options.seed + seeds):
        found = run_one((replace(options, seed=seed), commit))
        print(f"seed {seed}: {_became(found, counts)}", file=progress, flush=True)
        if found["exit"] in counts:
            return Catch(name, seed - options.seed + 1, options.seed, found, found)
    return Catch(name, seeds, options.seed, None, found)


def _became(found: dict[str, Any], counts: AbstractSet[Exit]) -> str:
    if found["exit"] == Exit.HELD:
        return f"held, with {sum(found['faults'].values())} faults"
    kind = "" if found["exit"] in counts else " (which does not count)"
    return words_of(found) + kind
