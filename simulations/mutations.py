"""The rules that can be switched off, to show that the simulator sees what then breaks.

A name stands for one rule of the deployed code and says where its switch is. The switches are of
three kinds, and none is within reach of a server: the quorum's are a context manager of
`kraft.raft.rules`, the others a set that only `broker.serve.serve(mutations=)` takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from raftka.broker.mutations import Mutation as BrokerMutation
from raftka.kraft.controller.result import Mutation as ControllerMutation
from raftka.kraft.raft import rules
from raftka.kraft.raft.rules import Rule


@dataclass(frozen=True)
class Mutant:
    """One named mutation."""

    name: str
    meaning: str
    quorum: tuple[Rule, ...] = ()
    composition: frozenset[Any] = frozenset()

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Quorums that are built inside this block break the rules."""
        with rules.switched_off(*self.quorum):
            yield


def _of(*switches: BrokerMutation | ControllerMutation) -> frozenset[Any]:
    return frozenset(switches)


_ALL: Final = (
    Mutant(
        "vote-not-persisted",
        "a controller forgets whom it voted for when it restarts",
        quorum=(Rule.VOTE_IS_PERSISTED,),
    ),
    Mutant(
        "ack-before-fsync",
        "a controller acknowledges entries before they are durable",
        quorum=(Rule.SYNC_BEFORE_SEND,),
    ),
    Mutant(
        "old-term-committed-by-count",
        "a controller commits entries of an earlier term by counting replicas (Raft, figure 8)",
        quorum=(Rule.COMMIT_OWN_TERM,),
    ),
    Mutant(
        "isolated-leader-never-resigns",
        "a controller that no majority answers goes on leading",
        quorum=(Rule.LEADER_LEASE,),
    ),
    Mutant(
        "quorum-truncates-committed",
        "a controller's log is cut below its high watermark",
        quorum=(Rule.KEEP_COMMITTED, Rule.KEEP_MATCHING_ENTRIES),
    ),
    Mutant(
        "truncate-to-high-watermark",
        "a follower truncates to its high watermark instead of by leader epoch (KIP-101)",
        composition=_of(BrokerMutation.TRUNCATE_TO_HIGH_WATERMARK),
    ),
    Mutant(
        "no-epoch-in-fetch",
        "fetch requests carry no leader epoch (KIP-320)",
        composition=_of(BrokerMutation.NO_EPOCH_IN_FETCH),
    ),
    Mutant(
        "high-watermark-before-truncation",
        "a follower raises its high watermark before it truncates",
        composition=_of(BrokerMutation.HIGH_WATERMARK_BEFORE_TRUNCATION),
    ),
    Mutant(
        "no-broker-epoch-in-alter-partition",
        "a restarted replica joins the ISR on the word of its former life (KIP-903)",
        composition=_of(
            BrokerMutation.NO_BROKER_EPOCH_IN_ALTER_PARTITION,
            ControllerMutation.IGNORE_BROKER_EPOCHS,
        ),
    ),
    Mutant(
        "fenced-replica-joins-isr",
        "a fenced broker may be in the ISR (KIP-841)",
        composition=_of(
            BrokerMutation.FENCED_REPLICA_JOINS_ISR, ControllerMutation.FENCED_REPLICA_JOINS_ISR
        ),
    ),
    Mutant(
        "lost-log-stays-eligible",
        "the last replica standing is elected after it has lost its log (KIP-966)",
        composition=_of(ControllerMutation.LOST_LOG_STAYS_ELIGIBLE),
    ),
    Mutant(
        "forget-without-room",
        "a fetch session forgets a partition that had no room in an answer until it grows (KIP-74)",
        composition=_of(BrokerMutation.FORGET_WITHOUT_ROOM),
    ),
    Mutant(
        "no-turns-in-sessions",
        "a fetch session serves its partitions in one order for ever (KIP-227)",
        composition=_of(BrokerMutation.NO_TURNS_IN_SESSIONS),
    ),
    Mutant(
        "one-batch-remembered",
        "a leader remembers one batch of a producer, not five (KIP-98)",
        composition=_of(BrokerMutation.ONE_BATCH_REMEMBERED),
    ),
)
MUTANTS: Final = {mutant.name: mutant for mutant in _ALL}
