"""The table of faults: name, frequency, effect.

A fault is an async function of the world and of its own dice. It begins, lasts, and undoes itself;
`world.heal` undoes what is still in force when the faults end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from raftka.simulations.world import World

Inflict = Callable[[World, Random, int], Awaitable[None]]
"""(world, dice, id of the trace event that is the cause of all that follows)"""


@dataclass(frozen=True)
class Fault:
    """One kind of fault."""

    kind: str
    group: str
    chance: float
    """The probability that a run has this fault."""
    rate: float
    """Its mean number per minute in a run that has it; the rate itself is drawn around this."""
    at_least_once: bool
    """Whether a run that has it strikes at least once, however low its rate."""
    inflict: Inflict
    meaning: str


FAULTS: Final[dict[str, Fault]] = {}


def fault(
    kind: str, group: str, *, chance: float, rate: float, at_least_once: bool = False
) -> Callable[[Inflict], Inflict]:
    """Add a function to the table; its docstring is the meaning."""

    def enter(inflict: Inflict) -> Inflict:
        meaning = (inflict.__doc__ or "").strip().splitlines()[0]
        FAULTS[kind] = Fault(kind, group, chance, rate, at_least_once, inflict, meaning)
        return inflict

    return enter
