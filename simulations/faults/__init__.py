"""Everything that can go wrong, one file for each group; importing this fills the table."""

from simulations.faults import control, disk, network, operations, process  # noqa: F401 - fills the table
from simulations.faults.registry import FAULTS, Fault

__all__ = ["FAULTS", "Fault"]
