"""How fast the simulator is: virtual seconds a second of one core, and where the time goes.

    python -m benchmarks.simulation [--seeds 20] [--profile]

Three nodes under the default load, without faults and with them: median and quartiles over the
seeds. Time is processor time.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
from collections import Counter
from typing import Any

from raftka.simulations.plan import Options
from raftka.simulations.runs.report import table
from raftka.simulations.runs.run import Outcome, plan_for, run_plan

PARTS = (
    ("trio", ("trio/", "outcome/", "contextlib.py", "simulations/machines/determinism.py")),
    ("simulated network and disk", ("simulations/network", "simulations/stream", "simulations/disk",
                                    "simulations/medium", "simulations/clock")),
    ("observers and checkers", ("simulations/observers", "simulations/checkers",
                                "simulations/witnesses")),
    ("workload, faults, trace", ("simulations/",)),
    ("clients", ("/client/",)),
    ("wire and server", ("/net/",)),
    ("metadata quorum and controller", ("/kraft/", "pysyncobj", "/broker/controller")),
    ("broker", ("/broker/",)),
    ("log and records", ("/storage/", "/model/")),
)  # fmt: skip
"""The owners of a function's file; the first match counts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    options = parser.parse_args()
    run_plan(plan_for(Options(1, duration_s=1.0, faults=())))  # Imports, compiled codecs.
    rows: list[tuple[object, ...]] = [
        ("", "times real time", "quartiles", "messages/s", "records/s", "us a message")
    ]
    for words, faults in (("no faults", ()), ("faults", None)):
        found = [
            run_plan(plan_for(Options(seed, faults=faults))) for seed in range(1, 1 + options.seeds)
        ]
        rows.append((words, *figures(found)))
    print(table(rows))
    print("messages and acknowledged records a virtual second, medians")
    if options.profile:
        print()
        print(table(profile(range(1, 1 + min(5, options.seeds)))))


def figures(found: list[Outcome]) -> tuple[object, ...]:
    speeds = [outcome.speed for outcome in found]
    low, middle, high = statistics.quantiles(speeds, n=4) if len(speeds) > 1 else 3 * speeds
    messages = statistics.median(outcome.messages / outcome.virtual_s for outcome in found)
    records = statistics.median(outcome.acked / outcome.virtual_s for outcome in found)
    cost = 1e6 * sum(o.wall_s for o in found) / sum(o.messages for o in found)
    return (
        f"{middle:.0f}",
        f"{low:.0f} to {high:.0f}",
        f"{messages:.0f}",
        f"{records:.0f}",
        round(cost),
    )


def profile(seeds: range) -> list[tuple[object, ...]]:
    """Each part's share of the time; built-in functions are where they are called from."""
    measured = cProfile.Profile(builtins=False)
    for seed in seeds:
        measured.runcall(run_plan, plan_for(Options(seed)))
    stats: Any = pstats.Stats(measured)
    spent: Counter[str] = Counter()
    for (path, _, _), (_, _, own_s, _, _) in stats.stats.items():
        spent[part_of(path)] += own_s
    total = sum(spent.values())
    rows = [(name, f"{100 * own_s / total:.0f} %") for name, own_s in spent.most_common()]
    return [("where the time goes", "share"), *rows]


def part_of(path: str) -> str:
    return next((name for name, places in PARTS if any(p in path for p in places)), "Python")


if __name__ == "__main__":
    main()
