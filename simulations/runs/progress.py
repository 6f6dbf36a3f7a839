"""Progress of a run, on stderr: one overwritten line on a terminal, a few lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final, TextIO

import trio

from raftka.simulations.plan import Plan
from raftka.simulations.world import World

_LINES: Final = 4
"""The interval where lines cannot be overwritten."""


class Progress:
    """Reports the progress of a run."""

    def __init__(self, plan: Plan, file: TextIO = sys.stderr) -> None:
        self._file = file
        self._end_s = plan.duration_s
        self._over = file.isatty()
        self._every_s = 0.0 if self._over else max(2.0, plan.duration_s / _LINES)
        self._next_s = self._every_s

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._over:
            print(file=self._file)

    def tell(self, world: World) -> None:
        """Called with the world at intervals."""
        now = trio.current_time()
        if now < self._next_s:
            return
        self._next_s = now + self._every_s
        words = (
            f"{min(now, self._end_s):.0f} of {self._end_s:.0f} virtual seconds,"
            f" {sum(world.faults_fired.values())} faults,"
            f" {world.history.acked} records acknowledged"
        )
        if self._over:
            print(f"\r{words}", end="", file=self._file, flush=True)
        else:
            print(words, file=self._file, flush=True)
