"""Everything that can go wrong, one file for each group; importing this fills the table."""

from raftka.simulations.faults import (  # noqa: F401 - fills the table
    control,
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
