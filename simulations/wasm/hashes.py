"""The trace hashes of the golden plans, of the scenarios and of twelve seeds, a line each:

    python -m raftka.simulations.wasm.hashes          under CPython
    node web/wasm/hashes.mjs                          under WebAssembly; compares the two

A line is a JSON object: `case`, `hash`, `exit` (0 when all held), `virtual_s`, `wall_s`, and the
`story` of a violation, since a run that crashes on one side also has another hash there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from raftka.simulations import scenarios
from raftka.simulations.plan import Options, Plan
from raftka.simulations.runs import golden
from raftka.simulations.runs.run import Outcome, plan_for, run_plan
from raftka.simulations.scenarios.stage import load, run_scenario

SEEDS: Final = range(1, 13)


def cases() -> Iterator[tuple[str, Callable[[], Outcome]]]:
    """(name, function that runs it)."""
    for path in golden.plans():
        yield f"golden {path.stem}", partial(run_plan, Plan.loads(path.read_text()))
    for name in scenarios.NAMES:
        yield f"scenario {name}", partial(_scenario, name)
    for seed in SEEDS:
        yield f"seed {seed}", partial(run_plan, plan_for(Options(seed)))


def main(wanted: Sequence[str] = ()) -> None:
    """Run all cases, or those whose names begin with one of these."""
    for name, run in cases():
        if wanted and not name.startswith(tuple(wanted)):
            continue
        outcome = run()
        row = {
            "case": name,
            "hash": outcome.trace_hash,
            "exit": int(outcome.exit),
            "virtual_s": outcome.virtual_s,
            "wall_s": outcome.wall_s,
        }
        if outcome.violation is not None:
            row["story"] = f"{outcome.violation.name}: {outcome.violation.story}"
        print(json.dumps(row), flush=True)


def _scenario(name: str) -> Outcome:
    module = load(name)
    return run_scenario(
        module.scenario,
        nodes=getattr(module, "NODES", 3),
        settings=getattr(module, "SETTINGS", None),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
