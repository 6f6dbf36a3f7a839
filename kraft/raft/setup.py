"""The inputs of an engine, which all its layers read."""

from __future__ import annotations

from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import QuorumSettings, ReplicaKey
from raftka.kraft.raft.store import Store
from raftka.model.dataclass import dataclass
from raftka.model.ports import Dice
from raftka.model.rules import ALL_HOLD, RulesOff


@dataclass(frozen=True, slots=True)
class Setup:
    """One replica of the quorum before its first step."""

    replica: ReplicaKey
    store: Store
    can_vote: bool
    static_voters: VoterSet | None
    """controller.quorum.voters; None if the log defines the voters (KIP-853)."""
    settings: QuorumSettings
    dice: Dice
    now: float
    """When the replica starts, in monotonic seconds."""
    rules_off: RulesOff = ALL_HOLD
