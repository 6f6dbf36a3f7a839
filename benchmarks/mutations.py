"""How many seeds it takes to catch each mutation: the table in docs/simulation.md.

    python -m benchmarks.mutations [--seeds 200] [--tries 3] [--jobs 2] [NAME ...]

Each try begins at another seed and counts up to the first in which safety is violated, at default
settings. Seeds whose only alarm is that something does not recover are counted and passed over.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import statistics

from raftka.simulations.mutations import MUTANTS
from raftka.simulations.plan import Options
from raftka.simulations.runs.hunt import hunt


def catch(job: tuple[str, int, int]) -> tuple[str, int | None, str]:
    """(mutation, seeds that it took or None, what was seen)."""
    name, first, seeds = job
    caught = hunt(Options(first, mutation=name), seeds=seeds, progress=io.StringIO())
    if caught.found is None:
        return name, None, "not caught"
    seen = caught.found["violations"][0]["name"]
    return name, caught.tried, f"{seen} (seed {caught.seed})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="mutations; all by default")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    names = options.names or list(MUTANTS)
    jobs = [(name, 1 + 10_000 * n, options.seeds) for n in range(options.tries) for name in names]
    counts: dict[str, list[int]] = {name: [] for name in names}
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for name, count, words in pool.imap_unordered(catch, jobs):
            print(f"{name}: {count} seeds: {words}", flush=True)
            counts[name].append(options.seeds + 1 if count is None else count)
    print()
    for name, found in counts.items():
        low, high = min(found), max(found)
        spread = f" ({low} to {high})" if low < high else ""
        print(f"| `{name}` | {MUTANTS[name].meaning} | {statistics.median(found):g}{spread} |")


if __name__ == "__main__":
    main()
