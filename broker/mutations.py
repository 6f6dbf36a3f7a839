"""Rules of replication that a simulation may switch off, to show that it sees what then breaks.

Each name is looked at in one place. Production never sets any: only the simulator's composition
hands in a set that is not empty.
"""

from __future__ import annotations

import enum
from collections.abc import Set as AbstractSet

from raftka.kraft.controller.result import Mutation as ControllerMutation


class Mutation(enum.Enum):
    """A safety rule that is switched off."""

    TRUNCATE_TO_HIGH_WATERMARK = "a follower truncates to its high watermark (KIP-101)"
    NO_EPOCH_IN_FETCH = "fetch requests carry no leader epoch (KIP-320)"
    HIGH_WATERMARK_BEFORE_TRUNCATION = "a follower raises its high watermark before it truncates"
    NO_BROKER_EPOCH_IN_ALTER_PARTITION = "AlterPartition names no broker epochs (KIP-903)"
    FENCED_REPLICA_JOINS_ISR = "a leader proposes fenced replicas for the ISR"
    FORGET_WITHOUT_ROOM = "a fetch session forgets who had no room in an answer (KIP-74)"
    NO_TURNS_IN_SESSIONS = "what a fetch session has served does not go to its end (KIP-227)"
    ONE_BATCH_REMEMBERED = "a leader remembers one batch of a producer, not five (KIP-98)"


Mutations = AbstractSet[Mutation | ControllerMutation]
"""Those of brokers and of the controller; the quorum's are in kraft/raft/rules.py."""

NO_MUTATIONS: Mutations = frozenset()


def of_controller(mutations: Mutations) -> AbstractSet[ControllerMutation]:
    """Those that the controller looks at."""
    return frozenset(each for each in mutations if isinstance(each, ControllerMutation))
