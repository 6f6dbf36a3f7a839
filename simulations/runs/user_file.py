"""A user's own file: a scenario to run, or a workload and invariants for the runs of all seeds.

    # mine.py
    async def workload(stage):
        "Runs beside the producers and consumers that the seed draws."
        await stage.topic("mine")
        stage.produce("mine")

    def always_led(stage):
        "Checked every two seconds and at the end; words say how it does not hold."
        if stage.world.quiet.is_set() and not stage.has_leader("mine"):
            return "mine-0 has no leader"

`raftka simulate --seeds 100 --with mine.py` runs both functions with every seed. A file with
`async def scenario(stage)` is for `--scenario`.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Final

from raftka.simulations.runs.run import Beside
from raftka.simulations.scenarios.stage import Stage, told_as_violations
from raftka.simulations.world import World

_INVARIANT: Final = "always_"


class UnusableFile(ValueError):
    """A user's file cannot be loaded, or lacks the function that was asked for."""


def module_of(path: str) -> ModuleType:
    """Load a Python file. Raises UnusableFile."""
    file = Path(path)
    if not file.is_file():
        raise UnusableFile(f"there is no file {path}")
    name = f"simulations_own_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UnusableFile(f"{path} is no Python file: its name has to end with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UnusableFile(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def beside(path: str | None) -> Beside:
    """The function that adds the file's workload and invariants to a run; None without a file.
    Raises UnusableFile.
    """
    if path is None:
        return None
    module = module_of(path)
    workload: Callable[[Stage], Awaitable[None]] | None = getattr(module, "workload", None)
    invariants = [
        function
        for name, function in vars(module).items()
        if name.startswith(_INVARIANT) and callable(function)
    ]
    if workload is None and not invariants:
        raise UnusableFile(
            f"{path} has neither `async def workload(stage)` nor `def {_INVARIANT}...(stage)`"
        )

    def begin(world: World) -> None:
        stage = Stage(world)
        for invariant in invariants:
            stage.always(invariant)
        if workload is not None:
            stage.start(lambda stage: told_as_violations(stage, workload, "workload"))

    return begin
