"""How fast the simulator is: virtual seconds a second of one core, and where the time goes.

    python -m benchmarks.simulation [--seeds 5] [--profile]

Three nodes under the default load, without faults and with them.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics

from simulations.plan import Options
from simulations.run import plan_for, run_plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    options = parser.parse_args()
    run_plan(plan_for(Options(1, duration_s=1.0, faults=())))  # Imports, compiled codecs.
    for words, faults in (("no faults", ()), ("faults", None)):
        found = [
            run_plan(plan_for(Options(seed, faults=faults))) for seed in range(1, 1 + options.seeds)
        ]
        speed = statistics.median(outcome.speed for outcome in found)
        rate = statistics.median(outcome.messages / outcome.virtual_s for outcome in found)
        records = statistics.median(outcome.acked / outcome.virtual_s for outcome in found)
        print(
            f"{words:10} {speed:6.0f} times real time; {rate:.0f} messages and {records:.0f}"
            " records acknowledged a virtual second"
        )
    if options.profile:
        plan = plan_for(Options(1, faults=()))
        profile = cProfile.Profile()
        profile.runcall(run_plan, plan)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
