"""`raftka simulate --scenario NAME` and `--list-scenarios`."""

from __future__ import annotations

from simulations import report
from simulations.scenarios import NAMES
from simulations.stage import load, run_scenario


def main(name: str | None, seed: int) -> int:
    """Run one scenario, or name them all; the exit code."""
    if name is None:
        rows = [(each, (load(each).__doc__ or "").strip().split("\n\n")[0]) for each in NAMES]
        print(report.table([(n, " ".join(words.split())) for n, words in rows]))
        return 0
    module_name = name.replace("-", "_")
    if module_name not in NAMES:
        print(f"no scenario {name!r}; there are: {', '.join(NAMES)}")
        return 3
    module = load(module_name)
    print(" ".join((module.__doc__ or "").split()))
    outcome = run_scenario(module.scenario, seed=seed, nodes=getattr(module, "NODES", 3))
    print(
        report.summary(outcome, "this commit", f"raftka simulate --scenario {name} --seed {seed}")
    )
    return int(outcome.exit)
