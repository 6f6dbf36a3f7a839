"""The result of a run."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field

from raftka.simulations.observers.leadership_history import ControllerElection
from raftka.simulations.plan import Plan
from raftka.simulations.trace import Trace
from raftka.simulations.violation import Exit, Violation
from raftka.simulations.world import World


@dataclass
class Outcome:
    """The result of a run."""

    plan: Plan
    exit: Exit
    violation: Violation | None
    trace_hash: str
    virtual_s: float
    wall_s: float
    events: int
    messages: int
    acked: int
    read: int
    failed: int
    checks: int
    faults: dict[str, int]
    controllers: list[ControllerElection]
    leader_elections: dict[str, int]
    reached: dict[str, int]
    losses: list[str]
    lost_acks_1: int
    longest_gap_s: float
    outages_s: list[float] = field(default_factory=list)
    """How long partitions were without a leader, each time."""
    controller_election_s: list[float] = field(default_factory=list)
    """The time without a controller, for each change."""
    partition_election_s: list[float] = field(default_factory=list)
    """The same for partitions whose leader was replaced at once."""
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def speed(self) -> float:
        """Virtual seconds per real second."""
        return self.virtual_s / self.wall_s if self.wall_s else 0.0


def outcome_of(
    world: World, trace: Trace, crash: BaseException | None, virtual_s: float, wall_s: float
) -> Outcome:
    """The outcome of a run; `crash` is the error that ended it, if any."""
    violation = world.violation
    if violation is None and crash is not None:
        story = "".join(traceback.format_exception(crash))
        violation = Violation("simulator-crashed", story, Exit.CRASHED, virtual_s)
    if installed := sum(mirror.installed for mirror in world.raft.mirrors.values()):
        world.reached["metadata snapshot installed from the leader"] = installed
    if world.witnesses.retention.deleted:
        world.reached["retention deleted segments"] = world.witnesses.retention.deleted
    return Outcome(
        plan=world.plan,
        exit=violation.exit if violation is not None else Exit.HELD,
        violation=violation,
        trace_hash=trace.digest,
        virtual_s=round(virtual_s, 3),
        wall_s=round(wall_s, 3),
        events=trace.events,
        messages=trace.messages,
        acked=world.history.acked,
        read=world.history.read,
        failed=world.history.failed,
        checks=world.oversight.checks,
        faults=dict(world.faults_fired),
        controllers=list(world.oversight.leadership.controllers),
        leader_elections=dict(world.metadata.leader_elections),
        reached=dict(world.reached),
        losses=list(world.replicas.losses),
        lost_acks_1=len(world.history.lost_acks_1),
        longest_gap_s=round(world.history.longest_gap_s, 3),
        outages_s=list(world.oversight.leadership.outages_s),
        controller_election_s=world.oversight.leadership.controller_election_s,
        partition_election_s=list(world.oversight.leadership.partition_election_s),
        counts=Counter(trace.counts),
    )
