"""`raftka simulate --scenario NAME` and `--list-scenarios`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import TextIO

from raftka.simulations.runs import report
from raftka.simulations.runs.user_file import UnusableFile, module_of
from raftka.simulations.scenarios import NAMES
from raftka.simulations.scenarios.stage import load, run_scenario
from raftka.simulations.story.replay import explain
from raftka.simulations.story.telling import Telling, telling
from raftka.simulations.violation import Exit


def names() -> str:
    """The scenarios that ship, with the first sentences of their stories."""
    rows = [(each, (load(each).__doc__ or "").strip().split("\n\n")[0]) for each in NAMES]
    return report.table([(name, " ".join(words.split())) for name, words in rows])


def main(
    name: str,
    seeds: Sequence[int],
    *,
    commit: str,
    sink: TextIO | None = None,
    json: bool = False,
    story: bool = False,
) -> int:
    """Run a scenario that ships or is in a file, under each seed until one fails; the exit code.

    Raises UnusableFile.
    """
    module = _module(name)
    print(" ".join((module.__doc__ or "").split()))
    exit = Exit.HELD
    for seed in seeds:
        again = partial(
            run_scenario,
            module.scenario,
            seed=seed,
            nodes=getattr(module, "NODES", 3),
            settings=getattr(module, "SETTINGS", None),
        )
        told = telling(sink, wanted=story)
        outcome = again(sink=told)
        if isinstance(told, Telling):
            print(f"\n{told.text()}\n")
        explain(outcome, again)
        replay = f"raftka simulate --scenario {name} --seed {seed}"
        print(report.summary(outcome, commit, replay))
        if json:
            print(report.as_json(outcome, commit))
        exit = outcome.exit
        if exit is not Exit.HELD:
            break
    return int(exit)


def _module(name: str) -> ModuleType:
    if name.endswith(".py"):
        module = module_of(name)
        if not hasattr(module, "scenario"):
            raise UnusableFile(f"{name} has no `async def scenario(stage)`")
        return module
    shipped = name.replace("-", "_")
    if shipped not in NAMES:
        raise UnusableFile(f"no scenario {name!r}, and no .py file; there are: {', '.join(NAMES)}")
    return load(shipped)
