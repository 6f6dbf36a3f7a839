"""All faults by the names of their kinds: importing this fills the registry."""

from raftka.simulations.faults import (  # noqa: F401 - they register themselves
    cleaning,
    control,
    coordinators,
    disk,
    divergence,
    isr,
    membership,
    network,
    operations,
    process,
)
from raftka.simulations.faults.registry import FAULTS, Fault

__all__ = ["FAULTS", "Fault"]
