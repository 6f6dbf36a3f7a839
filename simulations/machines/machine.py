"""A machine has a disk that outlives its processes, a clock with a drift of its own, and a name in
the network. A process is one life of `broker.serve.serve` on it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import trio

from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.life import Life
from raftka.simulations.machines.medium import Medium

BROKER_PORT = 9092
CONTROLLER_PORT = 9093
DATA = "/data"
METADATA = "/metadata"
_OLD_TIME_S = 60.0


@dataclass(eq=False)
class Process:
    """One life of a node."""

    number: int
    life: Life
    clock: SimClock
    shutdown: trio.Event = field(default_factory=trio.Event)
    done: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    node: Any = None
    """The broker.node.Node once it serves; observers never inspect it."""
    failure: BaseException | None = None

    @property
    def serves(self) -> bool:
        return self.node is not None and not self.done.is_set()


class Machine:
    """One host with its disk and at most one process."""

    def __init__(self, node_id: int, roles: str, medium: Medium, dice: Random) -> None:
        self.node_id = node_id
        self.host = f"n{node_id}"
        self.roles = roles
        self.medium = medium
        self.dice = dice
        self.rack = ""
        self.clock_rate = 1.0
        self.wall_offset_ms = 0
        self._highest_wall_ms = 0
        """The latest time that the wall clock had shown before it was set, or its process ended."""
        self._jumped_back: tuple[float, int] = (0.0, 0)
        """When the wall clock was last set back, and by how much."""
        self.process: Process | None = None
        self.lives = 0
        self.fates: deque[tuple[float, str]] = deque(maxlen=64)
        """The recent starts and ends of its processes, with times; kinds as in the trace."""
        self.suspect = False
        """Whether a disk operation has failed: only a restart makes the broker whole again."""
        self.founds = False
        """Whether its format names the first voters of a quorum whose voters may change."""
        self.leaves = False
        """Whether an administrator is about to remove it from the cluster."""
        self.broken = ""
        """Why it must not be started again until its operator has acted."""

    def jump(self, milliseconds: int) -> None:
        """Set the wall clock forward or back, also for a running process."""
        self._highest_wall_ms = self.highest_wall_ms()
        self.wall_offset_ms += milliseconds
        self._jumped_back = (trio.current_time(), -milliseconds)
        if self.process is not None:
            self.process.clock.wall_offset_ms = self.wall_offset_ms

    def end_process(self) -> None:
        """Its process has ended."""
        self._highest_wall_ms = self.highest_wall_ms()
        self.process = None

    def highest_wall_ms(self) -> int:
        """The latest time that its wall clock has ever shown."""
        clock = SimClock(rate=self.clock_rate, wall_offset_ms=self.wall_offset_ms)
        if self.process is not None:
            # A process keeps the rate that the clock had when it started.
            clock = self.process.clock
        return max(self._highest_wall_ms, clock.wall_ms())

    def latest_wall_ms(self) -> int:
        """The latest time that a broker may use: after its clock has been set back, it
        may go on for a while with the time that it had read before."""
        clock = self.process.clock if self.process is not None else SimClock()
        at_s, back_ms = self._jumped_back
        recent = trio.current_time() - at_s < _OLD_TIME_S
        return clock.wall_ms() + (max(0, back_ms) if recent else 0)

    @property
    def is_broker(self) -> bool:
        return "broker" in self.roles

    @property
    def is_controller(self) -> bool:
        return "controller" in self.roles

    @property
    def is_up(self) -> bool:
        """Whether a process runs, paused or not."""
        return self.process is not None

    @property
    def is_paused(self) -> bool:
        return self.process is not None and self.process.life.is_paused

    @property
    def is_running(self) -> bool:
        return self.process is not None and not self.process.life.is_paused
