"""Reduces a failing plan to what it needs to fail: fewer faults, operations, clients, time.

Every section of a plan has dice of its own, so the rest behaves as before as far as it can. A
smaller plan counts when it breaks the same invariant. Sets of steps are halved, then quartered
(ddmin).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from raftka.simulations.plan import Plan
from raftka.simulations.runs.run import Beside, Outcome, run_plan
from raftka.simulations.violation import Exit

T = TypeVar("T")
RUNS_MAX: Final = 200
_LISTS: Final = ("faults", "operations", "producers", "consumers", "groups", "topics")


class _Search:
    def __init__(
        self, outcome: Outcome, tell: Callable[[str], None], runs_max: int, beside: Beside
    ) -> None:
        assert outcome.violation is not None
        self.best = outcome
        self.name = outcome.violation.name
        self.runs_left = runs_max
        self._tell = tell
        self._beside = beside

    def fails(self, plan: Plan) -> bool:
        """Whether a smaller plan still breaks the same invariant; if so, it is kept."""
        if self.runs_left <= 0:
            return False
        self.runs_left -= 1
        outcome = run_plan(plan, beside=self._beside)
        if outcome.exit is Exit.HELD or outcome.violation is None:
            return False
        if outcome.violation.name != self.name:
            return False
        self.best = outcome
        self._tell(
            f"still {self.name}: {len(plan.faults)} faults, {len(plan.operations)} operations,"
            f" {len(plan.producers)} producers, {len(plan.consumers)} consumers"
        )
        return True


def shrink(
    outcome: Outcome,
    tell: Callable[[str], None],
    *,
    runs_max: int = RUNS_MAX,
    beside: Beside = None,
) -> Outcome:
    """The smallest run found that fails as `outcome` does; `beside` as in `run_plan`."""
    search = _Search(outcome, tell, runs_max, beside)
    _cut_time(search)
    for name in _LISTS:
        _cut_list(search, name)
    _cut_nodes(search)
    _calm(search)
    return search.best


def _cut_time(search: _Search) -> None:
    """Nothing after the violation matters."""
    plan = search.best.plan
    assert search.best.violation is not None
    end = min(plan.duration_s, search.best.violation.at_s)
    search.fails(
        replace(
            plan,
            faults=tuple(step for step in plan.faults if step.at_s <= end),
            operations=tuple(step for step in plan.operations if step.at_s <= end),
            duration_s=round(end + 1, 3),
        )
    )


def _cut_list(search: _Search, name: str) -> None:
    parts = 2
    while len(items := getattr(search.best.plan, name)) > 0 and search.runs_left > 0:
        for kept in _complements(items, parts):
            changes: dict[str, Any] = {name: tuple(kept)}
            if search.fails(replace(search.best.plan, **changes)):
                parts = max(2, parts - 1)
                break
        else:
            if parts >= len(items):
                return
            parts = min(len(items), 2 * parts)


def _complements(items: Sequence[T], parts: int) -> list[list[T]]:
    """`items` without one of so many equal sections, for each section."""
    size = max(1, len(items) // parts)
    return [[*items[:start], *items[start + size :]] for start in range(0, len(items), size)]


def _cut_nodes(search: _Search) -> None:
    for node in reversed(search.best.plan.nodes):
        plan = search.best.plan
        if len(plan.nodes) > 1:
            search.fails(replace(plan, nodes=tuple(n for n in plan.nodes if n is not node)))


def _calm(search: _Search) -> None:
    """A steady network and true clocks, if the plan still fails with them."""
    search.fails(replace(search.best.plan, drift={}))
    search.fails(replace(search.best.plan, split_rate=0.0))
    search.fails(replace(search.best.plan, network_delay_s=0.0003))
